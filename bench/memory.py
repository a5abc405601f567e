"""Resident memory under a steady load of many series: streamgauge beside VictoriaMetrics.

1. The server starts on an empty folder and is sent 100,000 series at a fixed rate, in turns over
   all of them, stamped as they are sent.
2. Memory of all its processes is read once a second, and what no file stands behind apart: pages of
   program files are given back when the system needs them.
3. Ours has to stay below its `memory_budget`, and to be flat: the last half of the time may not
   hold more in its second half than in its first.

Each server gets the machine to itself, one after the other.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice, product
from pathlib import Path

import httpx

from bench.report import table
from bench.servers import Server, Streamgauge, VictoriaMetrics, missing
from bench.usage import anonymous_bytes, resident_bytes

SERIES = 100_000
LINES_A_SECOND = 10_000
MINUTES = 2.0
"""An hour is asked for by `--minutes 60`, which is what `make nightly` does."""
BUDGET_MB = 1200
"""What ours is given: it has to hold 100,000 series within it."""
CONFIG = f'[store]\nmemory_budget = "{BUDGET_MB}MB"\n'
GOAL_MB = 300.0
"""Above VictoriaMetrics, at the end."""
FLAT_RATIO = 1.1
"""The last quarter's mean over that of the third."""
FLAT_FROM_MINUTES = 10.0
"""In less time the growth of the beginning is not over: it is told, and not judged."""
_SHOWN = 8


@dataclass(slots=True)
class Course:
    """One server's memory over time."""

    name: str
    idle_mb: float
    seconds: list[float] = field(default_factory=list)
    resident_mb: list[float] = field(default_factory=list)
    anonymous_mb: list[float] = field(default_factory=list)
    late: int = 0
    """Seconds in which the rate was not kept."""

    def mean_mb(self, first: float, last: float) -> float:
        """Between two shares of the time."""
        count = len(self.resident_mb)
        part = self.resident_mb[int(count * first) : max(int(count * last), int(count * first) + 1)]
        return sum(part) / len(part)

    @property
    def growth_ratio(self) -> float:
        """The last half's second half over its first: 1 is flat."""
        return self.mean_mb(0.75, 1) / self.mean_mb(0.5, 0.75)


def memory_text(minutes: float = MINUTES, say: Callable[[str], None] = print) -> str:
    """Measure, and tell it as a section of Markdown.

    Raises:
        AssertionError: streamgauge took more than its budget, or grew on and on.
    """
    reason = missing(VictoriaMetrics)
    kinds: list[Callable[[Path], Server]] = [lambda folder: Streamgauge(folder, CONFIG)]
    kinds += [] if reason else [VictoriaMetrics]
    courses = []
    for kind in kinds:
        with (
            tempfile.TemporaryDirectory(prefix="bench-") as folder,
            closing(kind(Path(folder))) as server,
        ):
            courses.append(watch(server, minutes))
        last = courses[-1]
        say(f"· {last.name}: {last.resident_mb[-1]:.0f} MB, at most {max(last.resident_mb):.0f} MB")
    text = "\n".join(_section(courses, minutes, reason))
    if wrong := what_is_wrong(courses[0], minutes):
        raise AssertionError(f"{wrong}\n{text}")
    return text


def what_is_wrong(ours: Course, minutes: float) -> str:
    """What a course breaks of what is asserted, for people; empty: nothing."""
    peak_mb = max(ours.resident_mb)
    if peak_mb > BUDGET_MB:
        return f"at most {peak_mb:.0f} MB, the budget is {BUDGET_MB} MB"
    if minutes >= FLAT_FROM_MINUTES and ours.growth_ratio > FLAT_RATIO:
        return f"it grew by {ours.growth_ratio:.2f} in the last half, {FLAT_RATIO} is allowed"
    return ""


def watch(server: Server, minutes: float) -> Course:
    """Send the load for so long, and look."""
    series = list(_series())
    course = Course(server.name, resident_bytes(server.pid) / 1e6)
    bodies_a_second = 4
    size = LINES_A_SECOND // bodies_a_second
    began, number = time.monotonic(), 0
    with httpx.Client(
        base_url=f"http://127.0.0.1:{server.port}", trust_env=False, timeout=60
    ) as client:
        while (due := began + number / bodies_a_second) < began + minutes * 60:
            time.sleep(max(due - time.monotonic(), 0))
            client.post(server.write_path, content=_body(series, number, size)).raise_for_status()
            number += 1
            if number % bodies_a_second == 0:
                course.late += time.monotonic() - due > 1
                course.seconds.append(time.monotonic() - began)
                course.resident_mb.append(resident_bytes(server.pid) / 1e6)
                course.anonymous_mb.append(anonymous_bytes(server.pid) / 1e6)
    return course


def _series() -> list[str]:
    kinds = ("ga4", "s3", "webhook", "braze", "kafka")
    every = product(range(SERIES // 20), ("web", "ios", "android", "server"), kinds)
    return [
        f"messages,tenant=t{tenant:05},source={source},integration={integration},outcome=ok"
        for tenant, source, integration in islice(every, SERIES)
    ]


def _body(series: list[str], number: int, size: int) -> bytes:
    now_ns = time.time_ns()
    chosen = ((number * size + at) % SERIES for at in range(size))
    return "".join(
        f"{series[at]} count={at % 97 + 1}i,latency_ms={(at * number) % 9973 / 10} {now_ns}\n"
        for at in chosen
    ).encode()


def _section(courses: list[Course], minutes: float, reason: str | None) -> list[str]:
    ours, count = courses[0], len(courses[0].seconds)
    shown = sorted({min(count - 1, round((count - 1) * at / _SHOWN)) for at in range(_SHOWN + 1)})
    rows = [["idle", *(f"{one.idle_mb:.0f}" for one in courses)]]
    rows += [
        [f"{ours.seconds[at] / 60:.1f} min", *(_at(one, at) for one in courses)] for at in shown
    ]
    rows.append(["at most", *(f"{max(one.resident_mb):.0f}" for one in courses)])
    rows.append(["of that, without files", *(f"{one.anonymous_mb[-1]:.0f}" for one in courses)])
    rows.append(["last quarter over third", *(f"{one.growth_ratio:.2f}" for one in courses)])
    rows.append(["seconds behind the rate", *(str(one.late) for one in courses)])
    return [
        "## Memory: `python -m bench memory`",
        "",
        f"{SERIES:,} series at {LINES_A_SECOND:,} lines a second for {minutes:g} minutes (an hour "
        "by `--minutes 60`); resident MB of all processes, shared pages counted once.",
        "",
        *table(["", *(one.name for one in courses)], rows),
        "",
        *_verdicts(courses),
        *([reason] if reason else []),
        "",
    ]


def _at(course: Course, at: int) -> str:
    return f"{course.resident_mb[min(at, len(course.resident_mb) - 1)]:.0f}"


def _verdicts(courses: list[Course]) -> list[str]:
    ours = courses[0]
    flat = "reached" if ours.growth_ratio <= FLAT_RATIO else "missed"
    told = [
        f"- Below its budget ({BUDGET_MB} MB: the command fails otherwise).",
        f"- Flat (at most {FLAT_RATIO} times): {flat}.",
    ]
    for peer in courses[1:]:
        more = ours.mean_mb(0.75, 1) - peer.mean_mb(0.75, 1)
        word = "reached" if more <= GOAL_MB else "missed"
        told.append(f"- {more:.0f} MB above {peer.name} (goal {GOAL_MB:.0f}: {word}).")
    return told
