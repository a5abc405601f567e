"""`python -m bench fleet`: runs fleets, and says how detection did against the goals."""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from bench.fleet.drive import drive
from bench.fleet.goals import Result, by_least, detail_lines, goals_lines
from bench.fleet.listing import listing
from bench.fleet.made import made
from bench.fleet.plan import REPORTING_SEED, Family, Plan
from bench.fleet.score import score
from streamgauge.model.words import Kind

REPORT_SEEDS = (REPORTING_SEED, REPORTING_SEED + 1)


def run(plan: Plan) -> Result:
    """Make one run, judge it and score it."""
    began = time.process_time()
    fleet = made(plan)
    made_s = time.process_time() - began
    driven = drive(fleet)
    return Result(
        plan,
        score(fleet, driven),
        made_s,
        driven.learn_s,
        driven.observe_s,
        driven.decide_s,
        driven.slowest_tick_s,
        fleet.telemetry.row_count,
    )


def run_all(plans: Sequence[Plan], processes: int = 2) -> list[Result]:
    """Each plan in a process of its own, some at a time."""
    if len(plans) == 1 or processes == 1:
        return [run(plan) for plan in plans]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, max_tasks_per_child=1) as pool:
        return list(pool.map(run, plans))


def fleet_text(plans: Sequence[Plan] | None = None, processes: int = 2) -> str:
    """The section of `bench/RESULTS.md`."""
    plans = plans or [
        Plan(seed, family, has_faults=has_faults)
        for family, has_faults, seed in itertools.product(Family, (True, False), REPORT_SEEDS)
    ]
    return text_of(run_all(plans, processes))


def text_of(results: Sequence[Result]) -> str:
    """Figures of some runs, by family."""
    first = results[0].plan
    lines = [
        "## What detection finds in fleets of customers, `python -m bench fleet`",
        "",
        f"{first.customers} customers, {first.days} days of which {first.learned_days} are learned "
        f"from rollups; seeds {', '.join(sorted({str(r.plan.seed) for r in results}))}. Tuned on "
        f"seeds below {REPORTING_SEED}; a fault is detectable if the generator's own model reaches "
        "13.8 nats while it lasts.",
    ]
    for family in Family:
        mine = [result for result in results if result.plan.family is family]
        if mine:
            judged = [each for result in mine for each in result.score.judged]
            lines += ["", f"### {_FAMILY_WORDS[family]}", "", _cost(mine), "", *goals_lines(mine)]
            lines += ["", *detail_lines(mine)]
            for kind in (Kind.SILENCE, Kind.ERRORS):
                some = [each for each in judged if each.fault.kind.kind is kind]
                heading = f"{kind.value.capitalize()} by the least possible delay:"
                lines += ["", heading, "", *by_least(some)]
    return "\n".join(lines)


_FAMILY_WORDS = {
    Family.WELL: "Well-behaved",
    Family.CLUMPY: "Clumpy",
}


def _cost(results: Iterable[Result]) -> str:
    parts = [
        f"{r.score.flow_count:,} flows, {r.row_count:,} rows: learned in {r.learn_s:.1f} s, "
        f"{(r.observe_s + r.decide_s) / (r.plan.minutes - r.plan.live_from) * 1000:.1f} ms a tick "
        f"(slowest {1000 * r.slowest_tick_s:.0f} ms)"
        for r in results
    ]
    return f"Processor time: {'; '.join(parts)}."


def main(arguments: Sequence[str]) -> str:
    """Answers with the text; of a run in full size it is a section of the results."""
    asked = _parser().parse_args(arguments)
    plans = _plans(asked)
    results = run_all(plans, asked.processes)
    if asked.verbose:
        text = "\n".join(line for result in results for line in listing(result))
        Path(asked.verbose).write_text(text + "\n")
    return text_of(results)


def _plans(asked: argparse.Namespace) -> list[Plan]:
    customers, days = (60, 13) if asked.quick else (asked.customers, asked.days)
    families = [Family(asked.kind)] if asked.kind else list(Family)
    faults = {"yes": (True,), "no": (False,), "both": (True, False)}[asked.faults]
    return [
        Plan(seed, family, customers, days, asked.learned_days, tuple(asked.only), has_faults)
        for family, has_faults, seed in itertools.product(families, faults, asked.seed)
    ]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench fleet", description=__doc__)
    parser.add_argument("--seed", type=int, nargs="+", default=[1], help="1 … 999 for tuning")
    parser.add_argument("--customers", type=int, default=400)
    parser.add_argument("--days", type=int, default=29)
    parser.add_argument("--learned-days", type=int, default=8, help="0: live from the first minute")
    parser.add_argument("--kind", choices=[family.value for family in Family], help="default: both")
    parser.add_argument("--faults", choices=["yes", "no", "both"], default="both")
    parser.add_argument(
        "--only", nargs="+", default=[], help="faults whose names begin so: silent errors drop …"
    )
    parser.add_argument("--quick", action="store_true", help="60 customers, 8 + 5 days")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--verbose", metavar="FILE", help="each miss and each false incident")
    return parser
