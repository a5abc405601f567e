"""What the key metrics count, on the real engine."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.chdb
