"""What `--check` asserts of a finished play, one sentence each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime

from examples.router.demo.gauge import Json
from examples.router.demo.inbox import Page
from examples.router.demo.plot import Plot


@dataclass(frozen=True, slots=True)
class Assertion:
    """One thing that has to hold."""

    sentence: str
    holds: bool
    found: str
    """What was seen instead, for the one who reads the failure."""


def instant(text: str) -> float:
    """Epoch seconds of an RFC 3339 instant."""
    return datetime.fromisoformat(text).timestamp()


def is_silence(incident: Json, plot: Plot) -> bool:
    """Whether it is the silence that was played."""
    return bool(incident["kind"] == "silence" and incident["tenant"] == plot.silent_tenant)


def is_outage(incident: Json, plot: Plot) -> bool:
    """Whether it is the failing integration that was played."""
    return bool(
        incident["kind"] == "errors" and incident["integration"] == plot.failing_integration
    )


def judge(
    incidents: Sequence[Json],
    named: Mapping[str, Set[str]],
    pages: Sequence[Page],
    plot: Plot,
    start_at: float,
) -> Iterator[Assertion]:
    """Everything that has to hold at the end.

    Args:
        incidents: all of them, as `/api/v1/incidents` tells.
        named: incident id → customers that it named as affected while it was open.
        pages: what the notifier sent.
        plot: what was played.
        start_at: epoch seconds, when the load began.
    """
    silences = [one for one in incidents if is_silence(one, plot)]
    outages = [one for one in incidents if is_outage(one, plot)]
    others = [one for one in incidents if one not in silences and one not in outages]
    yield from _judge_silence(silences, plot)
    yield from _judge_outage(outages, named, plot)
    silence = _Fault(start_at + plot.silence_after_s, plot.silence_s, plot.silence_found_within_s)
    outage = _Fault(start_at + plot.outage_after_s, plot.outage_s, plot.outage_found_within_s)
    for fault, found in ((silence, silences), (outage, outages)):
        for incident in found:
            yield from _judge_times(incident, fault, plot.closed_within_s)
            yield from _judge_pages(incident, pages)
    yield Assertion("no other incident opened", not others, _tell(others))
    known = {one["id"] for one in incidents}
    strangers = [page for page in pages if page.alias not in known]
    yield Assertion("nothing else was paged", not strangers, str(strangers))


def _judge_silence(found: Sequence[Json], plot: Plot) -> Iterator[Assertion]:
    name = plot.silent_tenant
    yield Assertion(f"one silence incident, for customer {name}", len(found) == 1, _tell(found))
    for one in found:
        yield Assertion(
            "it suspects the customer's side", one["suspected"] == "customer", one["suspected"]
        )


def _judge_outage(
    found: Sequence[Json], named: Mapping[str, Set[str]], plot: Plot
) -> Iterator[Assertion]:
    name, tenants = plot.failing_integration, sorted(plot.affected_tenants)
    yield Assertion(f"one errors incident, for integration {name}", len(found) == 1, _tell(found))
    for one in found:
        affected = sorted(named.get(one["id"], set()))
        yield Assertion(
            f"it names exactly {', '.join(tenants)}", affected == tenants, str(affected)
        )
        yield Assertion(
            "it suspects the integration", one["suspected"] == "integration", one["suspected"]
        )


@dataclass(frozen=True, slots=True)
class _Fault:
    """What was played, when."""

    at: float
    lasts_s: float
    found_within_s: float


def _judge_times(incident: Json, fault: _Fault, closed_within_s: float) -> Iterator[Assertion]:
    opened_s = instant(incident["opened_at"]) - fault.at
    yield Assertion(
        f"{incident['kind']} was found within {fault.found_within_s:g} s of its beginning",
        0 <= opened_s <= fault.found_within_s,
        f"{opened_s:.0f} s",
    )
    closed = incident["closed_at"]
    closed_s = instant(closed) - fault.at - fault.lasts_s if closed else None
    yield Assertion(
        f"{incident['kind']} was closed within {closed_within_s:g} s of its end",
        closed_s is not None and 0 <= closed_s <= closed_within_s,
        "still open" if closed_s is None else f"{closed_s:.0f} s",
    )


def _judge_pages(incident: Json, pages: Sequence[Page]) -> Iterator[Assertion]:
    actions = sorted(page.action for page in pages if page.alias == incident["id"])
    yield Assertion(
        f"{incident['kind']} was paged once, and its end told once",
        actions == ["close", "create"],
        str(actions),
    )


def _tell(incidents: Sequence[Json]) -> str:
    return "; ".join(f"{one['kind']}: {one['summary']}" for one in incidents) or "none"
