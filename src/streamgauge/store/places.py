"""Where a message stands among all, by a hash of its id: a share is those before a border."""

from __future__ import annotations

PLACES = 1 << 20
"""As many places for ids; a share is so many of the first."""
PLACE_SQL = f"cityHash64({{0}}) % {PLACES}"
"""In SQL; `{0}` is the expression of the id."""
