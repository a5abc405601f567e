"""`python -m bench`: all measurements, or the ones named."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable

from bench.client import client_text
from bench.constants import constants_text
from bench.detecttick import FLOWS, detecttick_text
from bench.fleet.command import fleet_text
from bench.fleet.command import main as fleet_main
from bench.fsync import fsync_text
from bench.hops import hops_text
from bench.ingest import ROUNDS, ingest_text
from bench.memory import MINUTES, memory_text
from bench.month import DAYS
from bench.otlp import otlp_text
from bench.pages import pages_text
from bench.parse import parse_text
from bench.queries import queries_text
from bench.remotewrite import remotewrite_text
from bench.replay import LINES as REPLAY_LINES
from bench.replay import replay_text
from bench.report import write_results
from bench.shape import LINES
from bench.underload import underload_text

Asked = argparse.Namespace

SECTIONS: dict[str, Callable[[Asked], str]] = {
    "ingest": lambda asked: ingest_text(asked.lines, asked.rounds),
    "parse": lambda asked: parse_text(asked.lines, asked.rounds),
    "remotewrite": lambda asked: remotewrite_text(asked.lines, asked.rounds),
    "client": lambda asked: client_text(asked.rounds),
    "otlp": lambda asked: otlp_text(asked.lines, asked.rounds),
    "hops": lambda asked: hops_text(asked.lines, asked.rounds),
    "memory": lambda asked: memory_text(asked.minutes),
    "fsync": lambda asked: fsync_text(rounds=asked.rounds),
    "queries": lambda asked: queries_text(asked.days),
    "underload": lambda _: underload_text(),
    "pages": lambda _: pages_text(),
    "constants": lambda _: constants_text(),
    "fleet": lambda _: fleet_text(),
    "detecttick": lambda asked: detecttick_text(asked.flows),
    "replay": lambda asked: replay_text(REPLAY_LINES * asked.lines // LINES),
}
"""Each measures and answers with its section of `bench/RESULTS.md`, in this order."""

FULL = {"lines": LINES, "rounds": ROUNDS, "minutes": MINUTES, "days": DAYS, "flows": FLOWS}
"""What is smaller is a trial, and not written down."""


def main() -> None:
    """Run what was asked for; in its full size it goes into `bench/RESULTS.md`."""
    if sys.argv[1:2] == ["fleet"] and len(sys.argv) > 2:  # a trial, with settings of its own
        print(fleet_main(sys.argv[2:]))
        return
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("what", nargs="?", choices=list(SECTIONS), help="default: all")
    parser.add_argument("--lines", type=int, default=LINES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--minutes", type=float, default=MINUTES, help="of the memory's load")
    parser.add_argument("--days", type=int, default=DAYS, help="of the queries' fleet")
    parser.add_argument("--flows", type=int, default=FLOWS, help="of detection's turns")
    asked = parser.parse_args()
    is_full = all(getattr(asked, name) >= size for name, size in FULL.items())
    for name in [asked.what] if asked.what else list(SECTIONS):
        load_before = os.getloadavg()[0]
        text = SECTIONS[name](asked)
        print(f"\n{text}")
        if is_full:
            write_results([text], list(SECTIONS), load_before)


if __name__ == "__main__":
    main()
