"""The page of what is not understood: names, labels, and what to put into the configuration."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from streamgauge.model.unmapped import Unmapped
from streamgauge.model.words import Health
from streamgauge.web import words
from streamgauge.web.answers import Sources, in_thread
from streamgauge.web.format import plural
from streamgauge.web.pages.front import Page
from streamgauge.web.pages.sentences import Verdict
from streamgauge.web.templating import render

ROWS_SHOWN = 100
HOPS = "hops"
"""`Unmapped.way` of a key of hops."""


def unmapped_page(sources: Sources) -> Page:
    """`/unmapped`."""

    async def page(request: Request) -> Response:
        found = await in_thread(sources.operations.unmapped)
        context = {
            "now": sources.clock.now(),
            "verdict": verdict_of(found),
            "rows": [(one, list(map(_shown, one.samples))) for one in found[:ROWS_SHOWN]],
            "more_count": max(len(found) - ROWS_SHOWN, 0),
        }
        return render(request, "unmapped.html", context)

    return page


def verdict_of(found: list[Unmapped]) -> Verdict:
    """How much is not understood, in a sentence."""
    if not found:
        told = "Everything that looks like messages or queues is understood."
        return Verdict(words.HEALTH[Health.OK], told)
    keys = sum(one.way == HOPS for one in found)
    sentences = []
    if metrics := len(found) - keys:
        verb = "looks" if metrics == 1 else "look"
        names = plural(metrics, "metric")
        sentences.append(
            f"{names} {verb} like messages or queues, and nothing says what they mean."
        )
    if keys:
        sentences.append(f"{plural(keys, 'key')} of hops {'is' if keys == 1 else 'are'} left out.")
    return Verdict(words.HEALTH[Health.UNKNOWN], " ".join(sentences))


def _shown(labels: Mapping[str, str]) -> str:
    return ", ".join(f'{name}="{value}"' for name, value in labels.items()) or "no labels"
