"""`/messages`: look for a message by its id; `/messages/{id}`: what it went through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from streamgauge.model.journeys import Hop, Journey
from streamgauge.model.words import EARLY_ENDS, FAILED, STAGES, Health, Outcome
from streamgauge.web import words
from streamgauge.web.answers import Sources
from streamgauge.web.journeys import ask_journey, why_unknown
from streamgauge.web.names import segment
from streamgauge.web.pages.front import Page
from streamgauge.web.pages.sentences import Verdict
from streamgauge.web.templating import render
from streamgauge.web.words import Sign

HOPS_SHOWN = 200
ON_ITS_WAY = Sign("On its way", "info", "arrow")
DELIVERED = Sign("Delivered", "good", "check")
FILTERED = Sign("Filtered", "muted", "pause")
FAILED_SIGN = Sign("Failed", "bad", "cross")
PARTLY = Sign("Partly failed", "warn", "alert")
UNKNOWN = words.HEALTH[Health.UNKNOWN]


@dataclass(frozen=True, slots=True)
class Step:
    """A hop as it is shown."""

    hop: Hop
    sign: Sign
    after_s: float | None
    """Since the hop before; None for the first."""


def search_page(sources: Sources) -> Page:
    """`/messages?id=`: leads to the message's page."""

    async def page(request: Request) -> Response:
        wanted = request.query_params.get("id", "").strip()
        if wanted:
            return RedirectResponse(f"/messages/{segment(wanted)}", 303)
        return _shown(request, sources, "", None)

    return page


def journey_page(sources: Sources) -> Page:
    """`/messages/{id}`; 404 where nothing is known of it."""

    async def page(request: Request) -> Response:
        message_id = request.path_params["message_id"]
        return _shown(request, sources, message_id, await ask_journey(sources, message_id))

    return page


def _shown(
    request: Request, sources: Sources, message_id: str, journey: Journey | None
) -> Response:
    hops = journey.hops if journey else ()
    context = {
        "now": sources.clock.now(),
        "message_id": message_id,
        "why_unknown": why_unknown(sources),
        "journey": journey,
        "verdict": verdict_of(hops) if hops else Verdict(UNKNOWN, "Nothing is known of it."),
        "steps": steps_of(hops[:HOPS_SHOWN]),
        "tenants": sorted({hop.tenant for hop in hops}),
        "slowest_s": max(
            (hop.latency_s for hop in hops if hop.latency_s is not None), default=None
        ),
        "more": max(len(hops) - HOPS_SHOWN, 0),
    }
    is_missing = bool(message_id) and journey is None
    return render(request, "journey.html", context, status=404 if is_missing else 200)


def steps_of(hops: Sequence[Hop]) -> list[Step]:
    """The hops with the time between them."""
    before = [None, *(hop.at for hop in hops)]
    return [
        Step(hop, words.outcome_sign(hop.outcome), None if at is None else hop.at - at)
        for hop, at in zip(hops, before, strict=False)
    ]


def ends_of(hops: Sequence[Hop]) -> list[Hop]:
    """How it ended at each integration: what came last there and is an end."""
    last: dict[tuple[str, str], Hop] = {}
    for hop in hops:
        is_end = hop.outcome in EARLY_ENDS or hop.stage == STAGES[-1]
        if is_end and hop.outcome != Outcome.RETRIED:
            last[hop.tenant, hop.integration] = hop
    return list(last.values())


def verdict_of(hops: Sequence[Hop]) -> Verdict:
    """How the message fares, in a sentence; of one hop or more."""
    ends = ends_of(hops)
    failed = [hop for hop in ends if hop.outcome in FAILED]
    filtered = [hop for hop in ends if hop.outcome == Outcome.FILTERED]
    if not ends:
        return Verdict(ON_ITS_WAY, f"It was last seen at {hops[-1].stage}.")
    if failed:
        sign = FAILED_SIGN if len(failed) == len(ends) else PARTLY
        return Verdict(sign, " ".join(_told(hop, "It failed") for hop in failed[:3]))
    if len(filtered) == len(ends):
        return Verdict(FILTERED, " ".join(_told(hop, "It was left out") for hop in filtered[:3]))
    good = [hop.integration for hop in ends if hop.integration and hop not in filtered]
    return Verdict(DELIVERED, f"It arrived{' at ' + ', '.join(good) if good else ''}.")


def _told(hop: Hop, what: str) -> str:
    place = f"at {hop.integration}" if hop.integration else f"at the stage {hop.stage}"
    return f"{what} {place}{': ' + hop.reason if hop.reason else ''}."
