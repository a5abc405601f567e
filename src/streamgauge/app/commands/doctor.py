"""`streamgauge doctor`: measures the machine at hand, and says what it can hold.

Everything is measured by doing it, in a temporary folder below the data folder that is removed at
the end; nothing that is stored is touched.
"""

from __future__ import annotations

import json
import os
import random
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from streamgauge.app import wiring
from streamgauge.app.budget import machine
from streamgauge.app.configuration import Configuration
from streamgauge.govern.constants import measured
from streamgauge.govern.sizing import BUSY_RATIO, MERGE_ROOM, PEAK, Kept, Workload, size
from streamgauge.govern.words import count_words, size_words, span_words
from streamgauge.model.clock import SystemClock
from streamgauge.receive.influx import parse
from streamgauge.store import Store, StoreSettings

OK, WARNING, PROBLEM = "ok", "warning", "problem"
BLOCK_BYTES = 1024**2
WRITE_BLOCKS = 64
FSYNCS = 20
LINES = 200_000
LINES_PER_BODY = 5_000
SERIES = 2_000
MIN_FREE_BYTES = 2e9
MIN_FILES = 4096


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at."""

    name: str
    state: str
    text: str
    todo: str = ""
    """What to do about it; empty where all is well."""


@dataclass(frozen=True, slots=True)
class Rate:
    """What a short ingest reached."""

    lines_per_s: float
    cpu_s_per_million_lines: float


def run(configuration: Configuration, *, as_json: bool) -> int:
    """Print what was found; the exit code: 1 with a problem, else 0."""
    found = list(examine(configuration))
    if as_json:
        print(json.dumps({"findings": [asdict(one) for one in found]}, indent=2))
    else:
        for one in found:
            print(f"{one.state:8} {one.name:12} {one.text}{f' -> {one.todo}' * bool(one.todo)}")
    return int(any(one.state == PROBLEM for one in found))


def examine(configuration: Configuration) -> Iterator[Finding]:
    """Everything, in the order in which it is worth reading."""
    folder = wiring.data_folder(configuration)
    yield _cpus()
    yield _memory(configuration)
    yield _files()
    yield _clock()
    free = machine.free_bytes(folder)
    yield _room(configuration, free)
    was_there = folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="doctor-", dir=folder) as scratch:
            if free < 2 * WRITE_BLOCKS * BLOCK_BYTES:
                yield Finding("speed", PROBLEM, "not measured: no room", "free some disk")
                return
            yield _disk_speed(Path(scratch))
            rate = ingest(Path(scratch) / "store")
    except OSError as error:
        todo = "give another folder by --data, or allow this user to write there"
        yield Finding("folder", PROBLEM, f"{folder}: {error.strerror}", todo)
        return
    finally:
        if not was_there and folder.exists():
            folder.rmdir()
    yield _ingest_finding(rate)
    yield _holds(configuration, rate, free)


def ingest(folder: Path) -> Rate:
    """Synthetic lines through the real parse, journal and engine, until queryable."""
    folder.mkdir()
    settings = StoreSettings(segment_max_wait_s=0.05, rollup_wait_s=0.0)
    store = Store(f"chdb://{folder}/engine", folder, SystemClock(), settings)
    store.open()
    try:
        bodies = list(_bodies())
        _take(store, bodies[:2])
        wall, cpu = time.monotonic(), time.process_time()
        _take(store, bodies[2:])
        wall, cpu = time.monotonic() - wall, time.process_time() - cpu
    finally:
        store.close()
    lines = LINES - 2 * LINES_PER_BODY
    return Rate(lines / wall, cpu / lines * 1e6)


def _take(store: Store, bodies: list[bytes]) -> None:
    for body in bodies:
        now_ns = time.time_ns()
        parsed = parse(body, precision="ns", db="d", received_at_ns=now_ns, max_ahead_s=3600.0)
        store.write(parsed, None, time.time())
    store.flush(30)


def _bodies() -> Iterator[bytes]:
    chance, now_ns = random.Random(1), time.time_ns()  # noqa: S311 not for secrets
    for start in range(0, LINES, LINES_PER_BODY):
        yield "".join(
            f"messages,tenant=t{n % SERIES},source=web,integration=s3 count={n % 99 + 1}i,"
            f"latency_ms={chance.uniform(1, 900):.2f} {now_ns - n * 1_500_000}\n"
            for n in range(start, start + LINES_PER_BODY)
        ).encode()


def _cpus() -> Finding:
    count = machine.cpu_limit()
    if count < 2:
        return Finding("processors", WARNING, f"{count:g}", "two keep pages quick under load")
    return Finding("processors", OK, f"{count:g}")


def _memory(configuration: Configuration) -> Finding:
    limit, budget = machine.memory_limit_bytes(), wiring.memory_shares(configuration).budget_bytes
    text = f"{size_words(limit)}, of which streamgauge may take {size_words(budget)}"
    if budget > 0.9 * limit:
        return Finding("memory", PROBLEM, text, "lower [store] memory_budget, or add memory")
    if limit < 2e9:
        return Finding("memory", WARNING, text, "2 GB or more keep large questions from failing")
    return Finding("memory", OK, text)


def _files() -> Finding:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    text = f"{hard if hard != resource.RLIM_INFINITY else 'any number of'} open files allowed"
    if hard != resource.RLIM_INFINITY and hard < MIN_FILES:
        return Finding("files", WARNING, text, f"raise it (ulimit -n) to {MIN_FILES} or more")
    return Finding("files", OK, text)


def _clock() -> Finding:
    """Whether the kernel says that something keeps the clock right.

    Source: adjtimex(2), STA_UNSYNC and the state TIME_ERROR (5); systemd's own mark as a second.
    """
    if Path("/run/systemd/timesync/synchronized").exists() or _kernel_is_synchronised():
        return Finding("clock", OK, "kept right by the network")
    return Finding(
        "clock",
        WARNING,
        "nothing tells that it is kept right",
        "run chrony or systemd-timesyncd (in a container: on its host)",
    )


def _kernel_is_synchronised() -> bool:
    import ctypes

    buffer = ctypes.create_string_buffer(512)
    try:
        state = int(ctypes.CDLL(None).adjtimex(buffer))
    except (OSError, AttributeError):
        return False
    return 0 <= state < 5


def _room(configuration: Configuration, free: int) -> Finding:
    budget = configuration.store.disk_budget
    text = f"{size_words(free)} free"
    if budget is not None:
        text += f", budget {size_words(budget)}"
    if free < MIN_FREE_BYTES:
        return Finding("disk", PROBLEM, text, "free some, or give another folder by --data")
    if budget is not None and budget > free:
        return Finding("disk", WARNING, text, "the budget is more than is free")
    return Finding("disk", OK, text)


def _disk_speed(folder: Path) -> Finding:
    path, block = folder / "speed", os.urandom(BLOCK_BYTES)
    with path.open("wb", buffering=0) as file:
        written_s = _took(lambda: _write(file.fileno(), block))
        fsync_s = _took(lambda: _fsync_often(file.fileno())) / FSYNCS
    path.unlink()
    speed = WRITE_BLOCKS * BLOCK_BYTES / written_s
    text = f"writes {size_words(speed)}/s, fsync {fsync_s * 1000:.1f} ms"
    if speed < 20e6:
        return Finding("disk speed", PROBLEM, text, "move the data to a quicker disk (--data)")
    if fsync_s > 0.05:
        return Finding("disk speed", WARNING, text, "leave [store] fsync off, or use a better disk")
    return Finding("disk speed", OK, text)


def _write(descriptor: int, block: bytes) -> None:
    for _ in range(WRITE_BLOCKS):
        os.write(descriptor, block)
    os.fsync(descriptor)


def _fsync_often(descriptor: int) -> None:
    for _ in range(FSYNCS):
        os.write(descriptor, b"x" * 4096)
        os.fsync(descriptor)


def _took(work: Callable[[], None]) -> float:
    began = time.monotonic()
    work()
    return max(time.monotonic() - began, 1e-6)


def _ingest_finding(rate: Rate) -> Finding:
    text = (
        f"{count_words(rate.lines_per_s)} lines/s until queryable, "
        f"{rate.cpu_s_per_million_lines:.1f} CPU s a million"
    )
    if rate.lines_per_s < 20_000:
        return Finding("ingest", WARNING, text, "is the machine busy with something else?")
    return Finding("ingest", OK, text)


def _holds(configuration: Configuration, rate: Rate, free: int) -> Finding:
    """How many usual tenants fit rate, disk and memory, and which of them ends first."""
    store, one = configuration.store, Workload(messages_per_day=10_000, tenants=1)
    kept = Kept(
        store.raw_retention, store.minute_retention, store.hour_retention, store.day_retention
    )
    sizing = size(one, kept, measured())
    room = BUSY_RATIO * (free if store.disk_budget is None else min(free, store.disk_budget))
    fits = {
        "rate": BUSY_RATIO * rate.lines_per_s / PEAK / sizing.lines_per_s,
        "disk": room / (MERGE_ROOM * sum(level.size_bytes for level in sizing.levels)),
        "memory": wiring.memory_shares(configuration).series / one.flows,
    }
    least = min(fits, key=lambda name: fits[name])
    return Finding(
        "holds",
        OK,
        f"{count_words(BUSY_RATIO * rate.lines_per_s)} lines/s at half load; about "
        f"{count_words(fits[least])} tenants of 10,000 messages a day each, raw lines kept for "
        f"{span_words(store.raw_retention)} (its {least} ends first)",
    )
