"""The engine in a process of its own beside the engine in ours: `python -m bench.engineprocess`.

The same 1 M lines over HTTP from 2 clients until queryable, then pages, for each of both, in turn;
processor time and memory of all our processes together. For docs/adr/0006.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

from bench.sender import Senders
from bench.shape import Load, make_load
from bench.usage import cpu_s, processes, resident_bytes
from streamgauge.testing.api import overview
from streamgauge.testing.process import StreamgaugeProcess
from streamgauge.testing.waiting import eventually

ROUNDS = 3
ASKED = 100
QUIET_S = 5.0
"""What merges take in so long after the last line is told beside what was needed to answer."""


def percentile_ms(durations: list[float], share: float) -> float:
    return sorted(durations)[int(len(durations) * share)] * 1000


def measure(has_process: bool, load: Load) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        config = f"[store]\nengine_process = {str(has_process).lower()}\n"
        with StreamgaugeProcess(Path(folder), config) as process:
            process.start()
            pid = process.pid
            senders = Senders(process.port, "/write?db=bench", load.bodies)
            before = cpu_s(pid)
            sent = senders.go()
            span = (load.from_s, load.to_s)
            eventually(
                lambda: overview(process.client, *span)["messages"] == load.message_count,
                within_s=120,
                every_s=0.02,
                what="every message",
            )
            queryable_s = time.monotonic() - sent.began_at
            used = cpu_s(pid) - before
            time.sleep(QUIET_S)
            settled = cpu_s(pid) - before
            memory_mb = resident_bytes(pid) / 1e6
            pages, before_pages = [], cpu_s(pid)
            for _ in range(ASKED):
                began = time.monotonic()
                process.client.get("/").raise_for_status()
                pages.append(time.monotonic() - began)
            return {
                "processes": len(list(processes(pid))),
                "acknowledged s": sent.acknowledged_s,
                "queryable s": queryable_s,
                "CPU s": used,
                f"CPU s, {QUIET_S:.0f} s later": settled,
                "PSS MB": memory_mb,
                "CPU ms a page": (cpu_s(pid) - before_pages) * 1000 / ASKED,
                "page p50 ms": percentile_ms(pages, 0.5),
                "page p95 ms": percentile_ms(pages, 0.95),
            }


def main() -> None:
    load = make_load()
    found: dict[bool, list[dict[str, float]]] = {True: [], False: []}
    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS):
        for has_process in (False, True):
            found[has_process].append(measure(has_process, load))
            print(has_process, found[has_process][-1], flush=True)
    print("| median | in our process | in its own |")
    print("|---|---|---|")
    for name in found[True][0]:
        values = [statistics.median(one[name] for one in found[kind]) for kind in (False, True)]
        print(f"| {name} | {values[0]:.2f} | {values[1]:.2f} |")


if __name__ == "__main__":
    main()
