"""InfluxDB's line protocol; `parse` is all that others need."""

from streamgauge.receive.influx.parsing import parse

__all__ = ["parse"]
