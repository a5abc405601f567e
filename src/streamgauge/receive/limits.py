"""What receiving takes at most."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReceiveLimits:
    """Limits that keep memory bounded whatever is sent."""

    max_body_bytes: int = 25_000_000
    """Of one body, as it is sent and also unzipped. Source: InfluxDB's max-body-size."""
    max_new_series_per_tenant_hour: int = 100_000
    max_in_flight_bytes: int = 250_000_000
    """Of all bodies that are being read or wait for a parser; beyond it senders get 503."""
    parser_count: int = 2
    """Bodies parsed at the same time."""
