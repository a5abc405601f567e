"""`python -m bench`: all measurements, or the ones named."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable

from bench.ingest import ROUNDS, measure
from bench.pages import pages_text
from bench.parse import parse_text
from bench.report import ingest_text, write_results
from bench.shape import LINES


def main() -> None:
    """Run what was asked for; only a complete run replaces `bench/RESULTS.md`."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "what", nargs="?", choices=["ingest", "parse", "pages"], help="default: all"
    )
    parser.add_argument("--lines", type=int, default=LINES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    asked = parser.parse_args()
    load_before = os.getloadavg()[0]
    sections: dict[str, Callable[[argparse.Namespace], str]] = {
        "ingest": _ingest,
        "parse": _parse,
        "pages": lambda _: pages_text(),
    }
    texts = [sections[name](asked) for name in ([asked.what] if asked.what else sections)]
    print("\n".join(["", *texts]))
    if not asked.what and (asked.lines, asked.rounds) == (LINES, ROUNDS):
        write_results(texts, load_before)


def _ingest(asked: argparse.Namespace) -> str:
    return ingest_text(*measure(asked.lines, asked.rounds))


def _parse(asked: argparse.Namespace) -> str:
    return parse_text(asked.lines, asked.rounds)


if __name__ == "__main__":
    main()
