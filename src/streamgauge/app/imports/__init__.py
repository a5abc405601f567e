"""Brings history from InfluxDB and VictoriaMetrics in: read, put together, sent, counted."""
