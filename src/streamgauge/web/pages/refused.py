"""The page of what was refused: of whom, why, since when, and what to do."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from streamgauge.model.refusal import DATAGRAMS, WHOLE_BODIES, Refusal
from streamgauge.model.words import Health
from streamgauge.web import words
from streamgauge.web.answers import Sources
from streamgauge.web.format import plural
from streamgauge.web.pages.front import Page
from streamgauge.web.pages.sentences import Verdict
from streamgauge.web.refusals import ask_refusals, goes_on, rows_of
from streamgauge.web.templating import render

ROWS_SHOWN = 100


def refused_page(sources: Sources) -> Page:
    """`/refused`."""

    async def page(request: Request) -> Response:
        now_s = sources.clock.now()
        found = await ask_refusals(sources)
        rows = rows_of(found, now_s)
        context = {
            "now": now_s,
            "verdict": verdict_of(found, now_s),
            "rows": rows[:ROWS_SHOWN],
            "row_count": len(rows),
        }
        return render(request, "refused.html", context)

    return page


def verdict_of(refusals: Sequence[Refusal], now_s: float) -> Verdict:
    """Whether anybody is refused just now, in a sentence."""
    now = goes_on(refusals, now_s)
    if not now:
        told = "is refused just now" if refusals else "was refused in the last day"
        return Verdict(words.ALL_WELL, f"Nothing {told}.")
    tenants = {one.tenant for one in now if one.reason not in WHOLE_BODIES}
    whole = any(one.reason in WHOLE_BODIES and one.reason not in DATAGRAMS for one in now)
    parts = [f"lines of {plural(len(tenants), 'customer')}"] if tenants else []
    parts += ["whole requests"] if whole else []
    parts += ["datagrams"] if any(one.reason in DATAGRAMS for one in now) else []
    is_lost = any(one.lost_hour for one in now)
    ending = "" if is_lost else "; their senders were told to come again later"
    sentence = f"{' and '.join(parts)} are refused just now{ending}."
    return Verdict(words.HEALTH[Health.DEGRADED], sentence[0].upper() + sentence[1:])
