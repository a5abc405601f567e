"""Numbers and incidents as they are said in the terminal."""

from __future__ import annotations

import math
from datetime import datetime
from urllib.parse import quote

from examples.router.demo.gauge import Json

SIDES = {
    "customer": "the customer's",
    "integration": "the integration's",
    "platform": "ours, the platform",
    "filter": "a filter",
    "collector": "our own view",
    "unknown": "not known",
}
CHANCES = ("p_value", "probability")


def clock_time(text: str | None) -> str:
    """An RFC 3339 instant as local time of day."""
    return datetime.fromisoformat(text).astimezone().strftime("%H:%M:%S") if text else "unknown"


def certainty(incident: Json) -> str:
    """How sure streamgauge is, from the evidence it gives."""
    for name, value in incident.get("evidence", {}).items():
        if name.endswith(CHANCES) and isinstance(value, int | float):
            return f"chance that this is nothing: {_chance(float(value))}"
    return "see the evidence on its page"


def _chance(value: float) -> str:
    if value <= 1e-12:
        return "less than 1 in a trillion"
    odds = 1 / value
    return f"1 in {round(odds, 1 - math.floor(math.log10(odds))):,.0f}"


def incident_link(base_url: str, incident: Json) -> str:
    """The address of its page."""
    return f"{base_url}/incidents/{quote(incident['id'], safe='')}"


def side(incident: Json) -> str:
    """Whose side it is on."""
    return SIDES.get(incident["suspected"], str(incident["suspected"]))


def who(incident: Json) -> str:
    """Whom it hurts."""
    affected = incident.get("affected") or []
    names = ("tenant", "source", "integration", "pipeline")
    scope = [f"{name} {incident[name]}" for name in names if incident.get(name)]
    words = ", ".join(scope).replace("tenant", "customer") or "the platform"
    return f"{words} (affected: {', '.join(affected)})" if affected else words


def figures(overview: Json) -> list[tuple[str, str]]:
    """The key metrics, name and value; what is not known says so."""
    latency, queue = overview["latency"], overview["queue"]
    return [
        ("messages/s", _number(overview["messages_per_second"], "{:,.0f}")),
        ("errors", _number(overview["error_ratio"], "{:.2%}")),
        ("latency p50", _number(latency["p50_s"], "{:.0f} ms", 1000)),
        ("latency p99", _number(latency["p99_s"], "{:.0f} ms", 1000)),
        ("in queue p99", _number(queue["wait"]["p99_s"], "{:.0f} ms", 1000)),
        ("backlog", _number(queue["backlog"], "{:,.0f}")),
        ("state", str(overview["state"])),
    ]


def _number(value: float | None, form: str, factor: float = 1) -> str:
    return "unknown" if value is None else form.format(value * factor)
