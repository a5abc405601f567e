"""A process that stores numbered bodies until it is killed; run by `test_crash.py`.

Prints the number of each body once it is acknowledged. Every body has its own tenant, so that
after any crash each acknowledged one can be looked for, once, in raw rows and rollups.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
from tests.store.lines import DEFAULTS, table_of

from streamgauge.model.batch import Batch, Parsed
from streamgauge.model.clock import SimulatedClock
from streamgauge.store import Store, StoreSettings, columns

LINES = 500
ERRORS, WEIGHT = 3, 7
"""Hops with an error in each body, and messages that its one row of durations stands for."""
NOW = 1_764_000_000
SETTINGS = StoreSettings(
    segment_max_lines=5_000,
    segment_max_wait_s=0.01,
    journal_file_max_bytes=200_000,
    rollup_wait_s=0.05,
)


def numbered_body(number: int) -> Parsed:
    row = {"tenant": f"t{number}", "latency_s": 0.25, "time_ns": NOW * 10**9}
    one = table_of([row], columns.MESSAGES, DEFAULTS)
    messages = one.take(pa.array(np.zeros(LINES, np.int64)))
    hops = [
        {**row, "id": f"m{number}-{n}", "outcome": "error" if n < ERRORS else "ok"}
        | ({"error": "no route", "pattern": "no route", "fingerprint": 7} if n < ERRORS else {})
        for n in range(LINES)
    ]
    durations = table_of([{**row, "count": WEIGHT}], columns.MESSAGES, DEFAULTS)
    queue = table_of(
        [{"queue": "q", "backlog": float(number), "time_ns": NOW * 10**9}], columns.QUEUE, {}
    )
    batch = Batch(
        messages,
        queue,
        columns.POINTS.empty_table(),
        durations,
        table_of(hops, columns.HOPS, DEFAULTS),
    )
    return Parsed(batch, LINES + 2, 0)


def main(folder: Path, first: int) -> None:
    store = Store(f"chdb://{folder}/engine", folder, SimulatedClock(NOW), SETTINGS)
    store.open()
    number = first
    while True:
        if store.write(numbered_body(number), b"%d" % number, NOW):
            print(number, flush=True)
        number += 1


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
