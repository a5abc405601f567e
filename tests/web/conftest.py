"""Platforms to ask about."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.web.sites import Site, make_site, troubled_site


@pytest.fixture
def site() -> Site:
    """23 customers; one is silent, one integration fails, a backlog is over."""
    return troubled_site()


@pytest.fixture
def empty_site() -> Site:
    """Nothing has ever arrived."""
    return make_site(tenants=())


@pytest.fixture
def site_with() -> Callable[..., Site]:
    """A platform to one's liking."""
    return make_site
