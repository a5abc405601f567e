"""Says in words which routers stopped, and who is unknown by that."""

from __future__ import annotations

from dataclasses import dataclass

from streamgauge.detect.sentences import at_utc, count_of, duration, named
from streamgauge.model.finding import Finding
from streamgauge.model.flow import PLATFORM
from streamgauge.model.words import Kind, Severity, Suspected

_CRITICAL_SHARE, _HIGH_SHARE = 0.4, 0.1


@dataclass(frozen=True, slots=True)
class Lost:
    """Routers that stopped together."""

    names: list[str]
    """The first of them first."""
    since: float
    """Epoch seconds of the last report."""
    tenants: list[str]
    """Who came only through them, those with most messages first."""
    elsewhere_count: int
    """How many customers came through them and through others too."""
    share: float
    """Which part of the platform's messages is not seen, 0 … 1."""


def blind_prefix(name: str = "") -> str:
    """The key of the finding about a router, or how all such keys begin."""
    return Finding(
        Kind.BLIND, PLATFORM, Severity.P3, Suspected.COLLECTOR, 0.0, "", subject=name
    ).key


def router_finding(lost: Lost, alive_count: int, now: float) -> Finding:
    """The one finding about routers that stopped together."""
    several = len(lost.names) > 1
    who = f"{'Routers' if several else 'Router'} {named(lost.names)}"
    through, only = ("them", "have") if several else ("it", "has")
    others = f", while {count_of(alive_count, 'other')} {_do(alive_count)}" if alive_count else ""
    elsewhere = (
        f" {count_of(lost.elsewhere_count, 'customer')} more also came through others and "
        f"{'is' if lost.elsewhere_count == 1 else 'are'} judged as ever."
        if lost.elsewhere_count
        else ""
    )
    return Finding(
        Kind.BLIND,
        PLATFORM,
        _severity(lost.share),
        Suspected.COLLECTOR,
        lost.since,
        f"{who} {only} reported nothing since {at_utc(lost.since, now)} "
        f"({duration(now - lost.since)}){others}: {count_of(len(lost.tenants), 'customer')} "
        f"({named(lost.tenants)}) came only through {through} and "
        f"{'is' if len(lost.tenants) == 1 else 'are'} unknown.{elsewhere}",
        {
            "routers": lost.names,
            "last_line_at": lost.since,
            "blind_s": round(now - lost.since, 1),
            "customers_only": len(lost.tenants),
            "customers_also_elsewhere": lost.elsewhere_count,
            "messages_share_ratio": round(lost.share, 3),
        },
        tuple(lost.tenants),
        lost.names[0],
    )


def _do(count: int) -> str:
    return "does" if count == 1 else "do"


def _severity(share: float) -> Severity:
    if share > _CRITICAL_SHARE:
        return Severity.P1
    return Severity.P2 if share > _HIGH_SHARE else Severity.P3
