"""Whether a collector leaves queues unseen: unknown is told, and once for each collector. Pure."""

from __future__ import annotations

from dataclasses import replace

from streamgauge.detect.sentences import at_utc, count_of, duration, named
from streamgauge.model.finding import Finding
from streamgauge.model.flow import PLATFORM
from streamgauge.model.gatherer import GathererHealth, GathererState
from streamgauge.model.words import Kind, Severity, Suspected

SUBJECT = "collector "
"""Before the name of the gatherer; the platform's own blindness has no subject."""
MISSED = 3
"""Looks that may be missed before it is told."""
LEAST_S = 10.0
"""It is not told before so long: a broker may restart."""
LEAST_FAILURES = 2
QUEUES_TOLD = 50


def uncollected_key(name: str) -> str:
    """`Finding.key` of a gatherer's finding."""
    return _finding(name, 0.0, "").key


def uncollected(health: GathererHealth, now: float, *, is_told: bool) -> list[Finding]:
    """At most one finding: what this gatherer leaves unseen, or that it is over.

    Args:
        health: as of its last try.
        now: epoch seconds.
        is_told: people are told of it already.
    """
    if health.every_s is None or health.state is GathererState.UNKNOWN or health.since is None:
        return []
    since = health.since
    if health.state is GathererState.OK:
        over = f"it is read again since {at_utc(since, now)}"
        return [replace(_finding(health.name, since, ""), over_reason=over)] if is_told else []
    if not is_told and not _is_long(health, since, now):
        return []
    tenants = sorted({queue.tenant for queue in health.unseen if queue.tenant})
    evidence = {
        "collector": health.name,
        "kind": health.kind,
        "address": health.address,
        "error": health.last_error,
        "fault": health.fault.value if health.fault else None,
        "last_success_at": health.last_success_at,
        "failed_in_a_row": health.failed_in_a_row,
        "unseen_queues": [queue.queue for queue in health.unseen[:QUEUES_TOLD]],
        "unseen_queue_count": len(health.unseen) if health.queues else None,
    }
    finding = _finding(health.name, since, _sentence(health, since, now))
    return [replace(finding, evidence=evidence, affected=tuple(tenants))]


def _is_long(health: GathererHealth, since: float, now: float) -> bool:
    needed_s = max(MISSED * (health.every_s or 0.0), LEAST_S)
    return health.failed_in_a_row >= LEAST_FAILURES and now - since >= needed_s


def _sentence(health: GathererHealth, since: float, now: float) -> str:
    queues = [queue.queue for queue in health.unseen]
    what = "its queues" if health.kind != "scrape" else "what it scrapes"
    if queues:
        what = f"{count_of(len(queues), 'queue')} ({named(queues)})"
    return (
        f"The collector {health.name} has not seen {what} since {at_utc(since, now)} "
        f"({duration(now - since)}), so that is unknown: {health.last_error}."
    )


def _finding(name: str, since: float, summary: str) -> Finding:
    return Finding(
        Kind.BLIND,
        PLATFORM,
        Severity.P2,
        Suspected.COLLECTOR,
        since,
        summary,
        subject=SUBJECT + name,
    )
