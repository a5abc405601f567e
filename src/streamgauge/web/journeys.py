"""Journeys and groups of errors, as JSON, and what is said where nothing is known."""

from __future__ import annotations

from functools import partial

from streamgauge.model.clock import rfc3339
from streamgauge.model.journeys import ErrorGroup, ErrorSample, Hop, Journey
from streamgauge.model.views import Filters
from streamgauge.web.answers import Sources, ask_engine
from streamgauge.web.ranges import Range
from streamgauge.web.shapes import Json, known

SORTS = {
    "count": "Most messages",
    "tenants": "Most customers",
    "last_seen": "Newest",
    "first_seen": "Began last",
}
"""The orders of groups, and their names for people."""


def why_unknown(sources: Sources) -> str:
    """Why nothing may be known of a message, for people."""
    return (
        "It was told without an id or not at all, or it is no longer kept: all messages are for "
        f"{sources.hops_whole_s / 3600:g} h after their hour ([journeys] whole_for), then those "
        "with trouble, slow ones and a share of the others"
    )


async def ask_journey(
    sources: Sources, message_id: str, tenant: str | None = None
) -> Journey | None:
    """What a message went through; None where nothing is known of it."""
    return await ask_engine(partial(sources.metrics.journey, message_id, tenant))


async def ask_errors(
    sources: Sources, asked: Range, sort: str, limit: int, filters: Filters
) -> list[ErrorGroup]:
    """The errors of a range, those that are alike together."""
    ask = partial(sources.metrics.errors, asked.from_s, asked.to_s, sort, limit, filters)
    return await ask_engine(ask)


def journey_shape(journey: Journey) -> Json:
    """`/api/v1/messages/{id}`."""
    return {
        "id": journey.id,
        "is_complete": journey.is_complete,
        "hops": [hop_shape(hop) for hop in journey.hops],
    }


def hop_shape(hop: Hop) -> Json:
    """One step of it."""
    return {
        "at": rfc3339(hop.at),
        "tenant": hop.tenant,
        "source": hop.source,
        "integration": hop.integration,
        "pipeline": hop.pipeline,
        "stage": hop.stage,
        "outcome": hop.outcome,
        "reason": hop.reason,
        "router": hop.router,
        "version": hop.version,
        "latency_s": known(hop.latency_s),
        "queue_s": known(hop.queue_s),
        "bytes": hop.bytes,
        "error": hop.error,
    }


def group_shape(group: ErrorGroup) -> Json:
    """One of `/api/v1/errors`."""
    return {
        "fingerprint": group.fingerprint or None,
        "integration": group.integration,
        "reason": group.reason,
        "pattern": group.pattern,
        "count": group.count,
        "first_at": rfc3339(group.first_at),
        "last_at": rfc3339(group.last_at),
        "tenant_count": group.tenant_count,
        "tenants": [{"tenant": tenant, "count": count} for tenant, count in group.tenants],
        "samples": [_sample_shape(sample) for sample in group.samples],
    }


def _sample_shape(sample: ErrorSample) -> Json:
    return {
        "id": sample.id,
        "tenant": sample.tenant,
        "at": rfc3339(sample.at),
        "error": sample.error,
    }
