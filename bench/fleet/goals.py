"""The figures of some runs together, beside what issue 4 asks for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from bench.fleet.customers import Size
from bench.fleet.plan import Plan
from bench.fleet.score import Judged, Score, Unexplained
from bench.fleet.truth import FaultKind
from bench.report import table
from streamgauge.model.words import Kind

SIZE_WORDS = dict(zip(Size, ("≤ 10", "≤ 100", "≤ 1,000", "≤ 50,000", "more"), strict=True))
"""Messages a day."""
LONG_ENOUGH = 2.5
"""A fault that lasts this many times the least possible leaves room for a bar over a fleet."""


@dataclass(frozen=True, slots=True)
class Result:
    """One run and what it came to."""

    plan: Plan
    score: Score
    made_s: float
    learn_s: float
    observe_s: float
    decide_s: float
    """Processor time."""
    slowest_tick_s: float
    row_count: int


@dataclass(frozen=True, slots=True)
class Goal:
    """One line of the table."""

    what: str
    goal: str
    figure: str
    is_reached: bool | None
    """None: nothing to judge it by."""


def goals_of(results: list[Result]) -> list[Goal]:
    """Of runs of one family."""
    judged = [each for result in results for each in result.score.judged]
    silences = [each for each in judged if _is(each, Kind.SILENCE)]
    errors = [each for each in judged if _is(each, Kind.ERRORS)]
    drops = [each for each in judged if each.fault.kind is FaultKind.DROP]
    huge = [
        each.delay_minutes or 0.0
        for each in silences
        if each.size is Size.HUGE and each.found and (each.fault.least_minutes or 9.0) <= 2.0
    ]
    is_clumpy = results[0].plan.is_clumpy
    allowed = 3.0 if is_clumpy else 0.3
    return [
        *(_recall(f"silence: recall, {SIZE_WORDS[size]} a day",
                  [each for each in silences if each.size is size], 1.0) for size in Size),
        *_ratios("silence", silences, 1.25, 2.0),
        _most("silence: delay over 50,000 a day, minutes: p90 (most)", huge, 2.1),
        _recall("errors: recall", errors, 0.97),
        *_ratios("errors", errors, 1.5, 2.5),
        _most("vendor-wide errors: minutes until one incident: p90 (most)", _vendor(errors), 5.1),
        _false("false silences and errors a week per 1,000 flows",
               results, (Kind.SILENCE, Kind.ERRORS), allowed),
        *_fan_out(judged),
        _recall("drops of 50 %: found", drops, 0.8),
        _late_false("false drops a week per 1,000 flows, after 3 weeks", results),
        _attribution(judged),
        *(_recall(f"{kind.value}: recall", [each for each in judged if each.fault.kind is kind],
                  None) for kind in _OTHERS),
    ]  # fmt: skip


_OTHERS = (
    FaultKind.BLIND,
    FaultKind.SURGE,
    FaultKind.LOSS,
    FaultKind.DOUBLES,
    FaultKind.BACKLOG,
)


def goals_lines(results: list[Result]) -> list[str]:
    """The table of one family."""
    words = {True: "reached", False: "**missed**", None: "-"}
    rows = [
        (goal.what, goal.goal, goal.figure, words[goal.is_reached]) for goal in goals_of(results)
    ]
    return table(["what", "goal", "figure", ""], rows)


def detail_lines(results: list[Result]) -> list[str]:
    """Recall and delay by kind of fault, and what was false, by kind, size and nuisance."""
    judged = [each for result in results for each in result.score.judged]
    rows = []
    for kind in FaultKind:
        mine = [each for each in judged if each.fault.kind is kind and each.fault.is_detectable]
        ratios = [each.ratio for each in mine if each.ratio is not None]
        if mine:
            found = sum(each.found is not None for each in mine)
            right = sum(each.is_attributed for each in mine)
            incidents = [len(each.incidents) for each in mine if each.incidents]
            rows.append((kind.value, str(len(mine)), str(found), _pair(ratios, 50, 90),
                         f"{np.mean(incidents or [0]):.2f}, {max(incidents or [0])}",
                         str(right)))  # fmt: skip
    heads = ["fault", "detectable", "found", "delay / least: median, p90", "incidents", "right"]
    false = [each for result in results for each in result.score.false]
    return [*table(heads, rows), "", *_false_table(false)]


def _false_table(false: Iterable[Unexplained]) -> list[str]:
    counts = Counter(
        (
            each.opened.incident.kind.value,
            SIZE_WORDS[each.size] if each.size else "wide",
            each.beside or "nothing",
        )
        for each in false
    )
    rows = [(*key, str(count)) for key, count in sorted(counts.items())]
    return table(["false incident", "size", "beside", "count"], rows)


def _is(each: Judged, kind: Kind) -> bool:
    return each.fault.kind.kind is kind


def _detectable(judged: Iterable[Judged]) -> list[Judged]:
    return [each for each in judged if each.fault.is_detectable]


def _recall(what: str, judged: list[Judged], least: float | None) -> Goal:
    there = _detectable(judged)
    found = sum(each.found is not None for each in there)
    long = [each for each in there if _times(each) >= LONG_ENOUGH]
    found_long = sum(each.found is not None for each in long)
    figure = (
        f"{100 * found / len(there):.1f} % of {len(there)}; "
        f"{found_long} of {len(long)} that last {LONG_ENOUGH} times the least"
        if there
        else "none there"
    )
    is_reached = None if not there or least is None else found / len(there) >= least
    goal = "" if least is None else f"{'≥ ' if least < 1 else ''}{100 * least:.0f} %"
    return Goal(what, goal, figure, is_reached)


def _times(each: Judged) -> float:
    fault = each.fault
    lasted = fault.end - (fault.began if fault.began is not None else fault.start)
    return lasted / (fault.least_minutes or 1.0)


def _ratios(name: str, judged: list[Judged], median: float, p90: float) -> list[Goal]:
    ratios = [each.ratio for each in _detectable(judged) if each.ratio is not None]
    found = []
    for quantile, word, most in ((50, "median", median), (90, "p90", p90)):
        value = float(np.percentile(ratios, quantile)) if ratios else np.nan
        is_reached = value <= most if ratios else None
        what = f"{name}: delay / least possible, {word}"
        found.append(Goal(what, f"≤ {most}", f"{value:.2f}", is_reached))
    return found


def _most(what: str, minutes: list[float], most: float) -> Goal:
    if not minutes:
        return Goal(what, f"≤ {most:.0f}", "none there", None)
    p90 = float(np.percentile(minutes, 90))
    return Goal(what, f"≤ {most:.0f}", f"{p90:.1f} ({max(minutes):.1f})", p90 <= most)


def _vendor(errors: list[Judged]) -> list[float]:
    """Until the incident that stays; one that was never told counts as long as the fault."""
    found = []
    for each in _detectable(errors):
        if each.fault.kind is FaultKind.ERRORS_INTEGRATION:
            stays = [one.opened for one in each.incidents if not one.is_part]
            end = stays[0] if stays else each.fault.end
            found.append(end - (each.fault.began or 0.0) - (each.fault.least_minutes or 1.0) + 1.0)
    return found


def _false(what: str, results: list[Result], kinds: tuple[Kind, ...], allowed: float) -> Goal:
    """By runs without a fault, where there are any: beside faults some may be excused."""
    quiet = [result for result in results if not result.plan.has_faults] or results
    count = sum(len(result.score.false_of(*kinds)) for result in quiet)
    weeks = sum(result.score.weeks * result.score.flow_count for result in quiet) / 1000.0
    each = ", ".join(
        f"{kind.value} {sum(len(r.score.false_of(kind)) for r in quiet)}" for kind in kinds
    )
    rate = count / max(weeks, 1e-9)
    return Goal(what, f"≤ {allowed}", f"{rate:.2f} ({each})", rate <= allowed)


def _late_false(what: str, results: list[Result]) -> Goal:
    quiet = [result for result in results if not result.plan.has_faults] or results
    count = sum(
        one.opened.opened >= result.score.late_from
        for result in quiet
        for one in result.score.false_of(Kind.DROP)
    )
    weeks = sum(result.score.late_weeks * result.score.flow_count for result in quiet) / 1000.0
    if not weeks:
        return Goal(what, "≤ 0.5", "too short a run", None)
    return Goal(what, "≤ 0.5", f"{count / weeks:.2f} ({count})", count / weeks <= 0.5)


def _fan_out(judged: list[Judged]) -> list[Goal]:
    counts = [len(each.incidents) for each in judged if each.found]
    if not counts:
        return [Goal("incidents per fault, mean", "≤ 1.1", "none there", None)]
    mean, most = float(np.mean(counts)), max(counts)
    return [
        Goal("incidents per fault, mean", "≤ 1.1", f"{mean:.2f}", mean <= 1.1),
        Goal("incidents per fault, most", "≤ 3", str(most), most <= 3),
    ]


def _attribution(judged: list[Judged]) -> Goal:
    found = [each for each in judged if each.found and each.fault.kind not in _WITHOUT_SIDE]
    right = sum(each.is_attributed for each in found)
    if not found:
        return Goal("attribution right", "≥ 95 %", "none there", None)
    share = right / len(found)
    return Goal(
        "attribution right", "≥ 95 %", f"{100 * share:.1f} % of {len(found)}", share >= 0.95
    )


_WITHOUT_SIDE = {FaultKind.SURGE, FaultKind.DOUBLES}


def _pair(values: list[float], *quantiles: int) -> str:
    if not values:
        return "-"
    return ", ".join(f"{np.percentile(values, quantile):.2f}" for quantile in quantiles)


def by_least(judged: list[Judged]) -> list[str]:
    """Recall and delay by how long the least possible is, of some faults."""
    edges = (0.0, 2.0, 10.0, 60.0, 360.0, 1440.0, 1e9)
    rows = []
    for low, high in pairwise(edges):
        mine = [
            each for each in _detectable(judged) if low < (each.fault.least_minutes or 0.0) <= high
        ]
        ratios = [each.ratio for each in mine if each.ratio is not None]
        if mine:
            found = sum(each.found is not None for each in mine)
            rows.append((f"≤ {high:,.0f}", str(len(mine)), str(found), _pair(ratios, 50, 90)))
    return table(["least possible, minutes", "detectable", "found", "median, p90"], rows)
