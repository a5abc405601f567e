"""The only folder that knows ClickHouse: engine, migrations, journal, writer, queries."""

from streamgauge.store.settings import StoreSettings
from streamgauge.store.store import Store

__all__ = ["Store", "StoreSettings"]
