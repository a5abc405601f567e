"""A fleet of customers for the tests of detection: counts per flow and minute, all at once."""

from __future__ import annotations

from dataclasses import dataclass, field

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
        parts = [
            self._part(self.ok[:, first:last], first, "ok"),
            self._part(self.failed[:, first:last], first, "error"),
        ]
        return pa.concat_tables(parts)

    def _part(self, counts: np.ndarray, first: int, outcome: str) -> pa.Table:
        who, when = np.nonzero(counts)
        minute = self.start + first + when
        flows = [s.flow for s in self.senders]
        columns = {tag: _tag([str(getattr(f, tag)) for f in flows], who) for tag in TAGS}
        reasons = [self.reason.get(i, "") if outcome == "error" else "" for i in range(len(flows))]
        outcomes = [
            outcome if outcome == "ok" else self.outcome.get(i, outcome) for i in range(len(flows))
        ]
        second = np.full(len(who), self.stamp_s)
        if self.seconds is not None:
            second = self.seconds[who, first + when]
        stamps = pa.array(minute * 60_000_000_000 + (second * 1e9).astype(np.int64), pa.int64())
        first_s = round((self.first_s or 0.0) * 1e9)
        first_stamps = pa.array(minute * 60_000_000_000 + first_s, pa.int64())
        return pa.table(
            {
                "minute": pa.array(minute, pa.int64()),
                **columns,
                "outcome": _tag(outcomes, who),
                "reason": _tag(reasons, who),
                "count": pa.array(counts[who, when].astype(np.uint64)),
                "first_ns": stamps if self.first_s is None else first_stamps,
                "last_ns": stamps,
            }
        )

    def delta(self, first: int = 0, last: int | None = None) -> Delta:
        """What a feed gives when just these minutes were inserted."""
        return delta_of(self.table(first, last))

    def history(self, until: int | None = None) -> History:
        """What rollups hold of everything before minute `until` (of the fleet)."""
        until = self.minutes if until is None else until
        recent_from = max((until // 60 - 48) * 60, 0)
        old, recent = self.table(0, recent_from), self.table(recent_from, until)
        seen = np.unique(self.table(0, until)["minute"].to_numpy())
        return History(
            hours_of(old), delta_of(recent), self.start + recent_from, pa.array(seen, pa.int64())
        )


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


def _tag(values: list[str], places: np.ndarray) -> pa.DictionaryArray:
    names = sorted(set(values))
    number = np.array([names.index(v) for v in values], np.int32)
    return pa.DictionaryArray.from_arrays(
        pa.array(number[places] if len(places) else np.zeros(0, np.int32)), pa.array(names)
    )


def delta_of(minutes: pa.Table, queues: pa.Table | None = None) -> Delta:
    queues = no_queues() if queues is None else queues
    newest = max(
        [int(t["last_ns"].to_numpy().max()) for t in (minutes, queues) if t.num_rows], default=0
    )
    return Delta(minutes, queues, newest)


def hours_of(minutes: pa.Table) -> pa.Table:
    """HOURS_COLUMNS summed from MINUTES_COLUMNS."""
    import polars as pl

    frame = pl.DataFrame(minutes).with_columns(
        pl.col([*TAGS, "outcome"]).cast(pl.String), hour=pl.col("minute") // 60
    )
    summed = frame.group_by(["hour", *TAGS, "outcome"]).agg(
        pl.col("count").sum(),
        pl.col("minute").n_unique().cast(pl.UInt8).alias("active_minutes"),
        pl.col("last_ns").max(),
    )
    table = summed.sort(["hour", *TAGS]).to_arrow()
    for place, name in enumerate(table.column_names):
        if name in {*TAGS, "outcome"}:
            column = table[name].cast(pa.string()).combine_chunks().dictionary_encode()
            table = table.set_column(place, name, column)
    return table


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
