"""The only folder that knows ClickHouse: engine, migrations, journal, writer, queries."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamgauge.store.settings import StoreSettings
    from streamgauge.store.store import Store

__all__ = ["Store", "StoreSettings"]


def __getattr__(name: str) -> object:
    """Read when asked for: the engine's process needs neither, nor the memory they take."""
    if name == "Store":
        from streamgauge.store.store import Store

        return Store
    if name == "StoreSettings":
        from streamgauge.store.settings import StoreSettings

        return StoreSettings
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
