"""Writes down a store as this version makes it, and what it answers: run once at each release.

    python -m tests.moves.make_released 0001

makes `released/0001.tar.xz` (a data folder as `kill -9` leaves it: rows in every table, bodies that
wait in the journal, incidents) and `released/0001.json.xz` (what the version answered).
`test_upgrades.py` then opens every such folder with the code at hand.
"""

from __future__ import annotations

import json
import lzma
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from tests.moves.questions import DAY_S, HOUR_S, NOW, answers

from streamgauge.model.change import Action, Change, ChangeReason, Route
from streamgauge.model.clock import SimulatedClock
from streamgauge.receive.influx.parsing import parse
from streamgauge.state.state import State
from streamgauge.store import Store, StoreSettings
from streamgauge.testing.incidents import an_incident, platform_under_trouble

RELEASED = Path(__file__).with_name("released")
NEVER_S = 3600.0
FLOWS = (
    "tenant=acme,source=web,integration=ga4",
    "tenant=acme,source=ios,integration=s3,pipeline=p2,router=r1,version=2.1",
    "tenant=globex,source=server,integration=ga4,extra=x\\ y",
    "source=web,integration=webhook",
)
AGES_S = (
    *(n * 17.3 for n in range(200)),
    *(n * 997.7 for n in range(300)),
    *(n * DAY_S + HOUR_S for n in range(45)),
    *(200 * DAY_S, 380 * DAY_S, 2600 * DAY_S),
)


def lines(part: int) -> bytes:
    """Line protocol of every measurement; part 0 and 1 are different lines of the same times."""
    made = [line for n, age_s in enumerate(AGES_S) for line in _of_one_time(n, age_s, part)]
    made += [f"messages,tenant=globex count={word} {_ns(60)}" for word in ("-1", '"many"', "1.5")]
    made += ["no fields here", f"cpu usage=1 {_ns(-2 * HOUR_S)}"]
    return "\n".join(made).encode()


def _of_one_time(n: int, age_s: float, part: int) -> list[str]:
    at, flow = _ns(age_s + part), FLOWS[n % len(FLOWS)]
    return [
        f"messages,{flow},stage=received count={n % 7 + 2}i,bytes={n * 31}i {at}",
        f"messages,{flow} count={n % 5 + 1}i,latency_ms={n % 113 + 0.5},queue_ms={n % 7} {at}",
        f"messages,{flow},outcome=error,reason=timeout count=1i,latency_s={n % 3} {at}",
        f"messages,{flow},outcome=filtered,reason=consent count=2i {at}",
        f"queue,queue=q{n % 2},pipeline=p1 backlog={n}i,oldest_age_s={n / 3},in_total={9 * n}i,"
        f"out_total={8 * n}i,consumers=2i,in_flight=1i {at}",
        f"queue,queue=q{n % 2},pipeline=p1 backlog={n + 1}i {at}",
        f'cpu,host=a\\,b usage={n / 7},cores={n % 4 + 1}i,note="n {n}",is_hot={n % 2 == 0} {at}',
    ]


def _ns(age_s: float) -> int:
    return round((NOW - age_s) * 1000) * 1_000_000


def write(folder: Path) -> None:
    """Fill a data folder, and end as `kill -9` does: the second half waits in the journal."""
    settings = StoreSettings(segment_max_wait_s=NEVER_S)
    store = Store(f"chdb://{folder}/store", folder, SimulatedClock(NOW), settings)
    store.open()
    for part in (0, 1):
        body = lines(part)
        parsed = parse(body, precision="ns", db="router", received_at_ns=int(NOW * 1e9))
        assert store.write(parsed, f"part {part}".encode(), NOW)
        assert part or store.flush(60)
    with (folder / "series.npy").open("wb") as stream:
        np.save(stream, np.arange(1, 40, dtype=np.uint64))
    _write_state(folder)
    os._exit(0)


def _write_state(folder: Path) -> None:
    state = State(f"sqlite:///{folder / 'state.sqlite3'}", SimulatedClock(NOW))
    state.open()
    told = Route("opsgenie", Action.CREATE, True, "a test")
    incidents = [*platform_under_trouble(NOW), an_incident("ünusual", NOW - 5)]
    for incident in incidents:
        known = replace(incident, key=f"key of {incident.id}", sequence=1)
        change = Change(known, ChangeReason.FIRST_EVIDENCE, known.timeline[0], Action.CREATE)
        state.apply([change], lambda *_: [told])
    state.close()


def ask(folder: Path, target: Path) -> None:
    """Open a data folder, and write down what it answers."""
    store = Store(f"chdb://{folder}/store", folder, SimulatedClock(NOW), StoreSettings())
    store.open()
    assert store.flush(60)
    target.write_bytes(lzma.compress(json.dumps(answers(store), sort_keys=True).encode()))
    store.close()


def main(name: str) -> None:
    """Make both files of a release; each step in a process of its own, since they end badly."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "data"
        folder.mkdir()
        _run("write", folder)
        shutil.rmtree(folder / "tmp", ignore_errors=True)
        (folder / "lock").unlink()
        with tarfile.open(RELEASED / f"{name}.tar.xz", "w:xz") as archive:
            archive.add(folder, arcname=".", filter=_nobody)
        _run("ask", folder, RELEASED / f"{name}.json.xz")


def _nobody(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    member.mtime = int(NOW)
    return member


def _run(step: str, *paths: Path) -> None:
    command = [sys.executable, "-m", "tests.moves.make_released", step, *map(str, paths)]
    subprocess.run(command, check=True)


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(Path(sys.argv[2]))
    elif sys.argv[1] == "ask":
        ask(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        main(sys.argv[1])
