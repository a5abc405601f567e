"""Gatherers as people and programs read them: how each is doing, and what it sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from streamgauge.model.gatherer import GathererHealth, GathererState, QueueReading
from streamgauge.model.words import Health
from streamgauge.web import words
from streamgauge.web.format import plural
from streamgauge.web.pages.sentences import Verdict
from streamgauge.web.shapes import Json, instant, known
from streamgauge.web.words import Sign

QUEUES_SHOWN = 1000
"""Of each collector in the API."""
_LOST_UNIT = {"unix": "line"}
NAMES_SHOWN = 12
"""Of each collector on the page."""
SIGNS: dict[GathererState, Sign] = {
    GathererState.OK: Sign("Sees", "good", "check"),
    GathererState.FAILING: Sign("Cannot see", "bad", "cross"),
    GathererState.UNKNOWN: Sign("Unknown", "muted", "question"),
}
LISTENS = Sign("Listens", "good", "check")
WITHOUT_QUEUES = frozenset({"scrape"})
PARTLY = Sign("Sees a part", "warn", "alert")


@dataclass(frozen=True, slots=True)
class GathererRow:
    """One on the page."""

    health: GathererHealth
    sign: Sign
    seen: str
    """How many queues it sees, in words."""
    queues: Sequence[str]
    """The names of some of them."""
    more_count: int
    """How many are not named."""
    methods: Sequence[str]
    """How the ages of oldest messages are known."""


def rows_of(all_health: Sequence[GathererHealth]) -> list[GathererRow]:
    """Those in trouble first."""
    order = (GathererState.FAILING, GathererState.UNKNOWN, GathererState.OK)
    return [_row(one) for one in sorted(all_health, key=lambda one: order.index(one.state))]


def _row(health: GathererHealth) -> GathererRow:
    if health.every_s is None:
        return _listener(health)
    seen, unseen = len(health.queues) - len(health.unseen), len(health.unseen)
    names = [queue.queue for queue in (health.unseen or health.queues)]
    parts = [f"{plural(unseen, 'queue')} unknown"] if unseen else []
    parts += [f"{plural(seen, 'queue')} seen"] if seen else []
    if not parts and health.kind not in WITHOUT_QUEUES:
        parts = ["has not looked yet"] if health.last_success_at is None else ["no queue seen"]
    return GathererRow(
        health=health,
        sign=PARTLY if seen and unseen else SIGNS[health.state],
        seen=", ".join(parts),
        queues=names[:NAMES_SHOWN],
        more_count=max(len(names) - NAMES_SHOWN, 0),
        methods=sorted({q.oldest_age_method.value for q in health.queues if q.oldest_age_method}),
    )


def _listener(health: GathererHealth) -> GathererRow:
    is_well, lost, seen = health.state is GathererState.OK, health.lost_total, ""
    if lost is not None:
        seen = f"{plural(lost, _LOST_UNIT.get(health.kind, 'datagram'))} lost since the start"
    return GathererRow(
        health,
        LISTENS if is_well else SIGNS[health.state],
        seen,
        queues=[],
        more_count=0,
        methods=[],
    )


def verdict_of(all_health: Sequence[GathererHealth]) -> Verdict:
    """Whether all of them see, in a sentence."""
    failing = [one for one in all_health if one.state is GathererState.FAILING]
    if failing:
        dark = sum(len(one.unseen) for one in failing)
        never = any(one.last_success_at is None for one in failing)
        whose = f": what is in {plural(dark, 'queue')} is unknown" if dark and not never else ""
        verb = "does" if len(failing) == 1 else "do"
        text = f"{plural(len(failing), 'collector')} {verb} not see all{whose}."
        return Verdict(words.HEALTH[Health.DEGRADED], text)
    if not all_health:
        return Verdict(words.HEALTH[Health.UNKNOWN], "No collector is configured here.")
    if any(one.state is GathererState.UNKNOWN for one in all_health):
        return Verdict(words.HEALTH[Health.UNKNOWN], "Not every collector has looked yet.")
    return Verdict(words.ALL_WELL, "Every collector sees all that it is to see.")


def gatherer_shape(health: GathererHealth) -> Json:
    """One of `/api/v1/collectors`; unknown is null."""
    unseen = {queue.queue for queue in health.unseen}
    return {
        "name": health.name,
        "kind": health.kind,
        "address": health.address,
        "every_s": health.every_s,
        "state": health.state.value,
        "since": instant(health.since),
        "last_success_at": instant(health.last_success_at),
        "last_error": health.last_error or None,
        "last_error_at": instant(health.last_error_at),
        "fault": health.fault.value if health.fault else None,
        "failed_in_a_row": health.failed_in_a_row,
        "reads_total": health.reads_total,
        "failures_total": health.failures_total,
        "lost_total": health.lost_total,
        "queue_count": len(health.queues) if health.last_success_at is not None else None,
        "unseen_count": len(unseen),
        "queues": [
            _queue_shape(queue, is_seen=queue.queue not in unseen)
            for queue in health.queues[:QUEUES_SHOWN]
        ],
    }


def _queue_shape(queue: QueueReading, *, is_seen: bool) -> Json:
    """What is not seen just now is unknown, whatever it was."""
    return {
        "queue": queue.queue,
        "tenant": queue.tenant,
        "integration": queue.integration,
        "pipeline": queue.pipeline,
        "backlog": known(queue.backlog) if is_seen else None,
        "oldest_age_s": known(queue.oldest_age_s) if is_seen else None,
        "oldest_age_method": (queue.oldest_age_method.value or None) if is_seen else None,
        "problem": queue.problem or None,
    }
