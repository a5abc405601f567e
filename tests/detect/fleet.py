"""A fleet of customers for the tests of detection: counts per flow and minute, all at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import pyarrow as pa

from streamgauge.model.feed import Delta, History
from streamgauge.model.flow import Flow

START = 29_400_000 - 29_400_000 % 10_080 + 4 * 1440
"""A minute: Monday 00:00 UTC (weeks of the epoch begin on a Thursday)."""
DAY = 1440
TAGS = ["tenant", "source", "integration", "pipeline", "stage"]


def flat(hour: np.ndarray) -> np.ndarray:
    return np.ones(hour.shape)


def office(hour: np.ndarray) -> np.ndarray:
    """Business hours of weekdays; a hundredth at night, next to nothing on weekends."""
    day, of_day = (hour // 24) % 7, hour % 24
    return np.where(day >= 5, 0.003, np.where((of_day >= 8) & (of_day < 18), 2.2, 0.02))


def diurnal(hour: np.ndarray) -> np.ndarray:
    """A swing of ten between night and evening."""
    return np.exp(1.15 * np.sin(2 * np.pi * (hour % 24 - 9.0) / 24.0))


SHAPES = {"flat": flat, "office": office, "diurnal": diurnal}


@dataclass
class Sender:
    """One flow and how it usually sends."""

    flow: Flow
    per_hour: float
    shape: str = "flat"
    every: int = 0
    """Not 0: exactly one report each so many minutes, of Poisson counts around its rate."""
    jitter: int = 0
    """Minutes by which a report may be late."""
    clump: float = 0.0
    """1/r of the counts of single minutes."""
    hourly: float = 0.0
    """1/r of a factor shared by the minutes of an hour."""
    regular: bool = False
    """Counts are exact, not random."""
    error_ratio: float = 0.0


@dataclass
class Fleet:
    """Counts [senders, minutes] that went well and that failed."""

    senders: list[Sender]
    ok: np.ndarray
    failed: np.ndarray
    start: int = START
    reason: dict[int, str] = field(default_factory=dict)
    outcome: dict[int, str] = field(default_factory=dict)
    """What `failed` counts of a sender, where it is not errors."""
    seconds: np.ndarray | None = None
    """[senders, minutes]: second of each minute in which lines are stamped, if not `stamp_s`."""
    stamp_s: float = 0.0
    """Second of the minute in which lines are stamped."""
    first_s: float | None = None
    """Second of the first line of a minute, where several are stamped in it."""

    @property
    def minutes(self) -> int:
        return self.ok.shape[1]

    @property
    def end_s(self) -> float:
        return 60.0 * (self.start + self.minutes)

    def silence(self, senders: list[int], first: int, last: int | None = None) -> Fleet:
        """Nothing from these senders in a range of minutes (negative: from the end)."""
        self.ok[senders, first:last] = self.failed[senders, first:last] = 0
        return self

    def fail(
        self,
        senders: list[int],
        first: int,
        last: int | None,
        ratio: float,
        seed: int = 7,
        reason: str = "timeout",
    ) -> Fleet:
        """A share of what these senders send fails, in a range of minutes."""
        part = self.ok[senders, first:last]
        lost = np.random.default_rng(seed).binomial(part, ratio)
        self.ok[senders, first:last] = part - lost
        self.failed[senders, first:last] += lost
        self.reason |= dict.fromkeys(senders, reason)
        return self

    def table(self, first: int = 0, last: int | None = None) -> pa.Table:
        """MINUTES_COLUMNS of a range of minutes."""
        last = self.minutes if last is None else last
        ok, failed = self.ok[:, first:last], self.failed[:, first:last]
        well = self._part(ok, first, *self._well())
        return pa.concat_tables([well, self._part(failed, first, *self._not_well())])

    def _well(self) -> tuple[list[str], list[str]]:
        """Outcome and reason of each sender's messages that went well."""
        return ["ok"] * len(self.senders), [""] * len(self.senders)

    def _not_well(self) -> tuple[list[str], list[str]]:
        every = range(len(self.senders))
        outcomes = [self.outcome.get(i, "error") for i in every]
        return outcomes, [self.reason.get(i, "") for i in every]

    def _tags(self, who: np.ndarray) -> dict[str, pa.DictionaryArray]:
        flows = tuple(sender.flow for sender in self.senders)
        return {tag: _coded(_column(flows, tag), who) for tag in TAGS}

    def _stamps(self, who: np.ndarray, when: np.ndarray) -> pa.Array:
        """Of the last line of these senders in these minutes of the fleet."""
        second = np.full(len(who), self.stamp_s)
        if self.seconds is not None:
            second = self.seconds[who, when]
        minute = self.start + when
        return pa.array(minute * 60_000_000_000 + (second * 1e9).astype(np.int64), pa.int64())

    def _part(
        self, counts: np.ndarray, first: int, outcomes: list[str], reasons: list[str]
    ) -> pa.Table:
        who, when = np.nonzero(counts)
        minute = self.start + first + when
        stamps = self._stamps(who, first + when)
        first_s = round((self.first_s or 0.0) * 1e9)
        first_stamps = pa.array(minute * 60_000_000_000 + first_s, pa.int64())
        return pa.table(
            {
                "minute": pa.array(minute, pa.int64()),
                **self._tags(who),
                "outcome": _tag(outcomes, who),
                "reason": _tag(reasons, who),
                "count": pa.array(counts[who, when].astype(np.uint64)),
                "first_ns": stamps if self.first_s is None else first_stamps,
                "last_ns": stamps,
            }
        )

    def hours(self, until: int) -> pa.Table:
        """HOURS_COLUMNS of the minutes before one, the oldest hour first, then by flow."""
        before = self.start % 60
        edges = [(0, 0), (before, -(before + until) % 60)]
        counts = np.vstack([self.ok[:, :until], self.failed[:, :until]])
        minutes = np.pad(counts, edges).reshape(len(counts), -1, 60)
        who, hour = np.nonzero(minutes.any(axis=2))
        count = len(self.senders)
        by_name = sorted(range(count), key=lambda i: self.senders[i].flow)
        order = np.lexsort([who, np.argsort(by_name)[who % count], hour])
        who, hour = who[order], hour[order]
        spoke = minutes[who, hour] > 0
        newest = hour * 60 - before + 59 - np.argmax(spoke[:, ::-1], axis=1)
        return pa.table(
            {
                "hour": pa.array(self.start // 60 + hour, pa.int64()),
                **self._tags(who % count),
                "outcome": _tag(self._well()[0] + self._not_well()[0], who),
                "count": pa.array(minutes[who, hour].sum(axis=1).astype(np.uint64)),
                "active_minutes": pa.array(spoke.sum(axis=1).astype(np.uint8)),
                "last_ns": self._stamps(who % count, newest),
            }
        )

    def delta(self, first: int = 0, last: int | None = None) -> Delta:
        """What a feed gives when just these minutes were inserted."""
        return delta_of(self.table(first, last))

    def history(self, until: int | None = None) -> History:
        """What rollups hold of everything before minute `until` (of the fleet)."""
        until = self.minutes if until is None else until
        recent_from = max((until // 60 - 48) * 60, 0)
        spoke = (self.ok[:, :until] + self.failed[:, :until]).any(axis=0)
        seen = pa.array(self.start + np.flatnonzero(spoke), pa.int64())
        recent = delta_of(self.table(recent_from, until))
        return History(self.hours(recent_from), recent, self.start + recent_from, seen)


def make(senders: list[Sender], minutes: int, seed: int = 1, start: int = START) -> Fleet:
    """A fleet without a fault."""
    rng = np.random.default_rng(seed)
    hour = np.arange(minutes) / 60.0 + (start - START) / 60.0
    ok = np.zeros((len(senders), minutes), np.int64)
    for place, sender in enumerate(senders):  # a loop over senders, not over rows
        mean = sender.per_hour / 60.0 * SHAPES[sender.shape](hour)
        if sender.hourly:
            factor = rng.gamma(1.0 / sender.hourly, sender.hourly, minutes // 60 + 2)
            mean = mean * factor[np.arange(minutes) // 60]
        ok[place] = _counts(sender, mean, minutes, rng)
    ratio = np.array([s.error_ratio for s in senders])[:, None]
    failed = rng.binomial(ok, np.broadcast_to(ratio, ok.shape))
    return Fleet(senders, ok - failed, failed, start)


def _counts(sender: Sender, mean: np.ndarray, minutes: int, rng: np.random.Generator) -> np.ndarray:
    if sender.every:
        at = np.arange(0, minutes, sender.every)
        counts = np.zeros(minutes, np.int64)
        if sender.jitter:
            at = np.minimum(at + rng.integers(0, sender.jitter + 1, len(at)), minutes - 1)
        size = mean[at] * sender.every
        counts[at] = np.round(size) if sender.regular else np.maximum(rng.poisson(size), 1)
        return counts
    if sender.clump:
        return rng.negative_binomial(1.0 / sender.clump, 1.0 / (1.0 + sender.clump * mean))
    return rng.poisson(mean)


def steady(tenants: int, minutes: int, **changes: object) -> Fleet:
    """Customers of exactly one line a minute."""
    senders = [
        Sender(Flow(f"t{i:02d}", "web", "ga4", "main", "delivered"), 60.0, every=1, regular=True)
        for i in range(tenants)
    ]
    return make(senders, minutes)


@lru_cache
def _column(flows: tuple[Flow, ...], tag: str) -> tuple[np.ndarray, pa.Array]:
    return _codes(tuple(str(getattr(flow, tag)) for flow in flows))


@lru_cache
def _codes(values: tuple[str, ...]) -> tuple[np.ndarray, pa.Array]:
    """The number of each value, and the names that are numbered."""
    names, number = np.unique(np.array(values, object), return_inverse=True)
    return number.astype(np.int32), pa.array(names.tolist(), pa.string())


def _coded(codes: tuple[np.ndarray, pa.Array], places: np.ndarray) -> pa.DictionaryArray:
    number, names = codes
    return pa.DictionaryArray.from_arrays(pa.array(number[places]), names)


def _tag(values: list[str], places: np.ndarray) -> pa.DictionaryArray:
    return _coded(_codes(tuple(values)), places)


def delta_of(minutes: pa.Table, queues: pa.Table | None = None) -> Delta:
    queues = no_queues() if queues is None else queues
    newest = max(
        [int(t["last_ns"].to_numpy().max()) for t in (minutes, queues) if t.num_rows], default=0
    )
    return Delta(minutes, queues, newest)


QUEUE_TAGS = ["queue", "pipeline", "integration", "tenant"]


def no_queues() -> pa.Table:
    return queue_table("", [], {})


def queue_table(queue: str, minutes: list[int], fields: dict[str, list[float | None]]) -> pa.Table:
    """QUEUES_COLUMNS of one queue; fields not given are null."""
    n = len(minutes)
    zeros = np.zeros(n, np.int64)
    tags = {"queue": queue, "pipeline": "", "integration": "", "tenant": ""}
    names = ["backlog", "oldest_age_s", "in_total", "out_total", "consumers"]
    return pa.table(
        {
            "minute": pa.array(minutes, pa.int64()),
            **{tag: _tag([value], zeros) for tag, value in tags.items()},
            **{name: pa.array(fields.get(name, [None] * n), pa.float64()) for name in names},
            "last_ns": pa.array([m * 60_000_000_000 for m in minutes], pa.int64()),
        }
    )
