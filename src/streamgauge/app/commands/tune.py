"""`streamgauge detect tune`: what another budget of false pages would have opened.

What a running server holds is fetched as sums by minute and judged here (`judging_anew`): the
server does no more than answer questions.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import httpx
from cyclopts import App, Parameter

from streamgauge.app.commands.flows import ConfigPath, Url, server
from streamgauge.app.config.units import parse_duration
from streamgauge.app.configuration import load
from streamgauge.model.clock import rfc3339
from streamgauge.model.errors import PayloadError
from streamgauge.model.incident import replay_shape
from streamgauge.model.words import Kind, Severity

if TYPE_CHECKING:
    from streamgauge.app.commands.judging_anew import Tuned

TIMES = (1 / 3, 1.0, 3.0)
"""Budgets, by the one that is set, where none are named."""
LONGEST_S = 28 * 86_400.0
_PATIENCE_S = 600.0
"""Sums of five weeks take a while."""


def register(app: App) -> None:
    """Add it."""
    detect = App(name="detect", help="Look at what detection makes of your flows.")
    detect.command(tune)
    app.command(detect)


def tune(
    false_pages: Annotated[
        list[float] | None,
        Parameter(help="A week and 1,000 flows; may be repeated. Default: a third of yours to 3x."),
    ] = None,
    /,
    *,
    over: Annotated[str, Parameter(help="How far to look back, as 12h or 7d; 28d at most.")] = "7d",
    url: Url = None,
    config: ConfigPath = None,
    json_: Annotated[
        bool, Parameter(name="--json", help="Every incident as NDJSON, on stdout.")
    ] = False,
) -> None:
    """Say what other budgets of false pages would have opened lately; nothing is changed."""
    from streamgauge.app.commands.judging_anew import judge_anew

    span_s = _span_s(over)
    current = load(config, {}).detect.false_pages
    budgets = sorted({*(false_pages or (round(current * times, 3) for times in TIMES))})
    if wrong := [budget for budget in budgets if not 0.0 < budget <= 100.0]:
        raise PayloadError(f"{wrong[0]:g}: expected a number above 0, 100 at the most")
    until = int(time.time() // 60)
    with server(url, config) as client:
        client.timeout = httpx.Timeout(_PATIENCE_S)
        found = judge_anew(client, until - max(int(span_s // 60), 1), until, budgets)
    if json_:
        for one in found:
            for incident in one.incidents:
                shape = {"false_pages": one.false_pages, **replay_shape(incident)}
                print(json.dumps(shape, ensure_ascii=False))
        return
    print("\n".join(_lines(found, current, over, until)))


def _span_s(over: str) -> float:
    try:
        span_s = parse_duration(over)
    except ValueError as error:
        raise PayloadError(f"--over: expected {error}") from None
    if not 0.0 < span_s <= LONGEST_S:
        raise PayloadError(
            "--over: expected more than 0 and 28d at the most: a week is learned first"
        )
    return span_s


def _lines(found: list[Tuned], current: float, over: str, until: int) -> list[str]:
    """A table: budgets by severities and kinds, and what only the largest opened."""
    kinds = [kind for kind in Kind if any(i.kind is kind for one in found for i in one.incidents)]
    words = [*(severity.value for severity in Severity), *(kind.value for kind in kinds)]
    rows = [["false pages a week", "opened", *words]]
    for one in found:
        count = Counter(str(incident.severity.value) for incident in one.incidents)
        count += Counter(str(incident.kind.value) for incident in one.incidents)
        mark = " (as set)" if one.false_pages == round(current, 3) else ""
        numbers = [str(count[word]) for word in words]
        rows.append([f"{one.false_pages:g}{mark}", str(len(one.incidents)), *numbers])
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    table = ["  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)) for row in rows]
    return [
        f"What would have opened in {over} to {rfc3339(60.0 * until)}, by the budget of false",
        "pages (of each kind, a week and 1,000 flows):",
        "",
        *table,
        "",
        *_more(found),
        "Judged by sums of minutes as they are stored now: what came late counts as in time.",
        "Latency and routers are not judged.",
    ]


def _more(found: list[Tuned]) -> list[str]:
    """What the largest budget adds to the smallest."""
    known = {incident.key for incident in found[0].incidents}
    more = {i.key: i for i in found[-1].incidents if i.key not in known}
    if not more:
        return []
    lines = [f"  {rfc3339(i.opened_at)}  {i.severity.value}  {i.summary}" for i in more.values()]
    return [f"Only with {found[-1].false_pages:g}:", *lines, ""]
