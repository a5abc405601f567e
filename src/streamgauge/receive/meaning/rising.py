"""What a body adds to messages and durations, given where counters and histograms stand.

1. Who counts messages in this body is noted first: a histogram adds to them only where its sender
   counts none.
2. Counters add what they rose by.
3. Histograms add their cells, those of a cumulative one what each gained.
4. Classic histograms are put together from their buckets, then count like cumulative ones.

Nothing but classic buckets is moved on here: `change` says what would be.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streamgauge.receive.meaning import names
from streamgauge.receive.meaning.buckets import told_buckets
from streamgauge.receive.meaning.cells import middles, middles_by_sum
from streamgauge.receive.meaning.counters import FULL_WITHIN_NS, UNKNOWN
from streamgauge.receive.meaning.names import Target
from streamgauge.receive.meaning.shapes import Shape
from streamgauge.receive.meaning.shelf import Rows, Shelf
from streamgauge.receive.meaning.standing import Change, Standing
from streamgauge.receive.meaning.tables import Counted
from streamgauge.receive.measured import Form

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Hashes = NDArray[np.uint64]

MAX_COUNT = 9e15
"""What a counter may stand at: beyond it a float does not hold whole numbers."""
_FIRST_SEEN = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)
_NOBODY = -1


@dataclass(frozen=True, slots=True)
class Samples:
    """Points with one number; arrays are [n]."""

    rows: Rows
    time_ns: Ints
    start_ns: Ints
    value: Floats

    def where(self, chosen: NDArray[np.bool_]) -> Samples:
        """Those of them."""
        return Samples(
            self.rows[chosen], self.time_ns[chosen], self.start_ns[chosen], self.value[chosen]
        )


@dataclass(frozen=True, slots=True)
class Shaped:
    """Points with a histogram each."""

    rows: Rows
    start_ns: Ints
    shapes: list[Shape]
    """[n] in seconds."""


@dataclass(slots=True)
class Leveled:
    """Classic histograms whose buckets all came at once: [n_histograms] each."""

    rows: list[int] = field(default_factory=list)
    time_ns: list[int] = field(default_factory=list)
    keys: list[int] = field(default_factory=list)
    upper: list[Floats] = field(default_factory=list)
    by: list[Floats] = field(default_factory=list)
    """What is at most each bound rose by that."""

    def add(self, row: int, time_ns: int, key: int, upper: Floats, by: Floats) -> None:
        """One of them."""
        self.rows.append(row)
        self.time_ns.append(time_ns)
        self.keys.append(key)
        self.upper.append(upper)
        self.by.append(by)


@dataclass(slots=True)
class Gathered:
    """Rows that are being gathered, and what is not moved on where they are refused."""

    parts: list[Counted] = field(default_factory=list)
    slots: list[Ints] = field(default_factory=list)
    """[n_rows] of the counter that told it, or -1."""
    shapes: list[Ints] = field(default_factory=list)
    """[n_rows] number of the histogram in `keys`, or -1."""
    keys: list[int] = field(default_factory=list)

    def add_counts(
        self, is_bytes: NDArray[np.bool_], samples: Samples, by: Floats, slots: Ints
    ) -> None:
        """What counters add; nothing where they did not rise."""
        up = by > 0
        by, is_bytes = by[up], is_bytes[up]
        none = np.full(len(by), np.nan)
        count, size = np.where(is_bytes, 0.0, by), np.where(is_bytes, by, 0.0)
        rows, times = samples.rows[up], samples.time_ns[up]
        self.parts.append(Counted(rows, times, count, size, none, none))
        self.slots.append(slots[up])
        self.shapes.append(np.full(len(by), _NOBODY))

    def add_singles(self, samples: Samples, seconds: Floats, is_wait: NDArray[np.bool_]) -> None:
        """One duration each."""
        size = len(seconds)
        self.parts.append(
            Counted(
                samples.rows,
                samples.time_ns,
                np.ones(size),
                np.zeros(size),
                np.where(is_wait, np.nan, seconds),
                np.where(is_wait, seconds, np.nan),
            )
        )
        self.slots.append(np.full(size, _NOBODY))
        self.shapes.append(np.full(size, _NOBODY))

    def add_cells(self, row: int, shape: Shape, by: Floats, key: int, *, is_wait: bool) -> None:
        """What a histogram adds."""
        full = np.flatnonzero(by > 0)
        values = middles_by_sum(shape.lower[full], shape.upper[full], by[full], shape.sum)
        size = len(full)
        none = np.full(size, np.nan)
        self.parts.append(
            Counted(
                np.full(size, row, np.int32),
                np.full(size, shape.time_ns, np.int64),
                np.rint(by[full]),
                np.zeros(size),
                none if is_wait else values,
                values if is_wait else none,
            )
        )
        self.keys.append(key)
        self.slots.append(np.full(size, _NOBODY))
        self.shapes.append(np.full(size, len(self.keys) - 1))

    def add_levels(self, level: Leveled, chosen: list[int], is_wait: list[bool]) -> None:
        """What classic histograms add, many at once."""
        sizes = np.array([len(level.upper[one]) for one in chosen])
        upper = np.concatenate([level.upper[one] for one in chosen])
        by = np.concatenate([level.by[one] for one in chosen])
        is_first = np.zeros(len(upper), bool)
        is_first[np.cumsum(sizes) - sizes] = True
        lower = np.where(is_first, -np.inf, np.roll(upper, 1))
        by = by - np.where(is_first, 0.0, np.roll(by, 1))
        full = np.flatnonzero(by > 0)
        of = np.repeat(np.arange(len(chosen)), sizes)[full]
        seconds = middles(lower[full], upper[full])
        waits = np.array(is_wait)[of]
        self.parts.append(
            Counted(
                np.array([level.rows[one] for one in chosen], np.int32)[of],
                np.array([level.time_ns[one] for one in chosen], np.int64)[of],
                np.rint(by[full]),
                np.zeros(len(full)),
                np.where(waits, np.nan, seconds),
                np.where(waits, seconds, np.nan),
            )
        )
        self.slots.append(np.full(len(full), _NOBODY))
        self.shapes.append(of + len(self.keys))
        self.keys.extend(level.keys[one] for one in chosen)

    def counted(self) -> Counted:
        """All of it."""
        return Counted(
            np.concatenate([np.zeros(0, np.int32), *(one.rows for one in self.parts)]),
            np.concatenate([np.zeros(0, np.int64), *(one.time_ns for one in self.parts)]),
            *(
                np.concatenate([np.zeros(0), *(getattr(one, name) for one in self.parts)])
                for name in ("count", "bytes", "latency_s", "queue_s")
            ),
        )

    def owners(self, is_refused: NDArray[np.bool_]) -> tuple[Ints, set[int]]:
        """Counters and histograms that told these rows [n_rows]."""
        slots = np.concatenate([np.zeros(0, np.int64), *self.slots])[is_refused]
        shapes = np.concatenate([np.zeros(0, np.int64), *self.shapes])[is_refused]
        told = np.unique(shapes[shapes != _NOBODY]).tolist()
        return np.unique(slots[slots != _NOBODY]), {self.keys[one] for one in told}


class Rising:
    """One body's."""

    def __init__(self, shelf: Shelf, standing: Standing) -> None:
        self._shelf, self._standing = shelf, standing
        self.change = Change()
        self.messages, self.durations = Gathered(), Gathered()

    # -- who counts ---------------------------------------------------------------------------

    def note_tellers(self, rows: Rows) -> None:
        """Series that count messages are of these rows."""
        known = self._standing.tellers
        told = np.unique(self._shelf.at["teller"][rows]).tolist()
        self.change.tellers = [one for one in told if one not in known]

    def _is_counted(self, row: int) -> bool:
        teller = int(self._shelf.at["teller"][row])
        return teller in self._standing.tellers or teller in self.change.tellers

    # -- counters -----------------------------------------------------------------------------

    def add_deltas(self, samples: Samples) -> None:
        """What came since the point before, as its sender says."""
        at = self._shelf.at[samples.rows]
        by = np.rint(np.where(_is_sound(samples.value), samples.value, 0.0) * at["factor"])
        nobody = np.full(len(by), _NOBODY)
        self.messages.add_counts(at["target"] == Target.BYTES, samples, by, nobody)

    def add_counters(self, samples: Samples) -> None:
        """What came since a counter began."""
        at = self._shelf.at[samples.rows]
        value = np.where(_is_sound(samples.value), samples.value, np.nan) * at["factor"]
        counters = self._standing.counters
        while True:
            epoch = counters.epoch
            slots = self._slots(samples)
            if counters.epoch == epoch:
                break
        rise = counters.rises(slots, samples.time_ns, np.floor(value + 1e-9))
        self.change.slots.append(rise.slots)
        self.change.standings.append(rise.standings)
        self.messages.add_counts(at["target"] == Target.BYTES, samples, rise.by, slots)

    def _slots(self, samples: Samples) -> Ints:
        """The slot of each sample: its series', or its series' since a start that is told."""
        shelf, counters = self._shelf, self._standing.counters
        if shelf.slot_epoch != counters.epoch:
            shelf.at["slot"] = _NOBODY
            shelf.slot_epoch = counters.epoch
        slots: Ints = shelf.at["slot"][samples.rows]
        has_start = (samples.start_ns > 0) & (samples.start_ns < samples.time_ns)
        missing = (slots == _NOBODY) & ~has_start
        if missing.any():
            rows = np.unique(samples.rows[missing])
            shelf.at["slot"][rows] = counters.slots_of(shelf.at["identity"][rows])
            slots[missing] = shelf.at["slot"][samples.rows[missing]]
        if has_start.any():
            slots[has_start] = self._slots_since(samples.where(has_start))
        return slots

    def _slots_since(self, samples: Samples) -> Ints:
        counters = self._standing.counters
        identity = self._shelf.at["identity"][samples.rows]
        streams, first, of = np.unique(
            mixed(identity, samples.start_ns), return_index=True, return_inverse=True
        )
        slots = counters.slots_of(streams)
        if (counters.standing(slots)["t1"] == UNKNOWN).any():
            time_ns = np.full(len(streams), np.iinfo(np.int64).max)
            np.minimum.at(time_ns, of, samples.time_ns)
            seen_ns = self._first_seen(identity[first], time_ns)
            counters.begin(slots, samples.start_ns[first], time_ns, seen_ns)
        return slots[of]

    def _first_seen(self, identity: Hashes, time_ns: Ints) -> Ints:
        """When series [n] were first seen, noting it for those that are new."""
        counters = self._standing.counters
        series, of = np.unique(identity ^ _FIRST_SEEN, return_inverse=True)
        slots = counters.slots_of(series)
        made = counters.standing(slots)
        is_new = made["t1"] == UNKNOWN
        if is_new.any():
            first = np.full(len(series), np.iinfo(np.int64).max)
            np.minimum.at(first, of, time_ns)
            made["t1"][is_new] = first[is_new]
            self.change.slots.append(slots[is_new])
            self.change.standings.append(made[is_new])
        found: Ints = made["t1"][of]
        return found

    def add_durations(self, samples: Samples) -> None:
        """Numbers that a rule calls a duration: each weighs as one message's."""
        at = self._shelf.at[samples.rows]
        seconds = samples.value * at["factor"]
        sound = np.isfinite(seconds) & (seconds >= 0)
        self.durations.add_singles(
            samples.where(sound), seconds[sound], at["target"][sound] == Target.QUEUE_TIME
        )

    # -- histograms ---------------------------------------------------------------------------

    def add_histograms(self, shaped: Shaped) -> None:
        """Histograms as OTLP has them."""
        form = self._shelf.at["form"][shaped.rows]
        order = np.argsort([one.time_ns for one in shaped.shapes], kind="stable")
        for place in order.tolist():
            row, shape = int(shaped.rows[place]), shaped.shapes[place]
            if form[place] == Form.DELTA:
                self._add(row, shape, shape.weight, _NOBODY)
            else:
                self._add_cumulative(row, shape, int(shaped.start_ns[place]))

    def _add_cumulative(self, row: int, shape: Shape, start_ns: int) -> None:
        identity = self._shelf.at["identity"][row : row + 1]
        has_start = 0 < start_ns < shape.time_ns
        key = int(mixed(identity, np.array([start_ns if has_start else 0]))[0])
        is_full = False
        if has_start and self._find_shape(key) is None:
            seen_ns = self._first_seen(identity, np.array([shape.time_ns]))[0]
            is_full = bool(start_ns >= seen_ns - FULL_WITHIN_NS)
        self._add_risen(row, shape, key, is_full=is_full)

    def _find_shape(self, key: int) -> Shape | None:
        return self.change.shapes.get(key) or self._standing.shapes.find(key)

    def _add_risen(self, row: int, shape: Shape, key: int, *, is_full: bool) -> None:
        before = self._find_shape(key)
        if before is not None and shape.time_ns <= before.time_ns:
            return
        self.change.shapes[key] = shape.without_empty()
        if before is not None:
            by, gained = shape.risen_from(before)
            self._add(row, shape.with_sum(gained), by, key)
        elif is_full:
            self._add(row, shape, shape.weight, key)

    def _is_wait(self, row: int) -> bool:
        return bool(self._shelf.at["target"][row] == Target.QUEUE_TIME)

    def _add(self, row: int, shape: Shape, by: Floats, key: int) -> None:
        is_wait = self._is_wait(row)
        to = self.durations if is_wait or self._is_counted(row) else self.messages
        to.add_cells(row, shape, by, key, is_wait=is_wait)

    def add_buckets(self, samples: Samples) -> None:
        """Series of classic histograms, those that belong together in any order."""
        samples = samples.where(_is_sound(samples.value))
        at = self._shelf.at[samples.rows]
        order = np.lexsort((at["upper"], samples.time_ns, at["family"]))
        family, upper = at["family"][order], at["upper"][order]
        time_ns, value, rows = samples.time_ns[order], samples.value[order], samples.rows[order]
        is_first = np.ones(len(order), bool)
        is_first[1:] = (family[1:] != family[:-1]) | (time_ns[1:] != time_ns[:-1])
        starts = np.flatnonzero(is_first)
        groups = zip(
            family[starts].tolist(),
            time_ns[starts].tolist(),
            rows[starts].tolist(),
            starts.tolist(),
            [*starts[1:].tolist(), len(order)],
            strict=True,
        )
        loose: dict[int, tuple[int, Shape | None]] = {}
        level = Leveled()
        for key, at_ns, row, begin, end in groups:
            kept = self._standing.families.get(key)
            if key not in self.change.families:
                self.change.families[key] = kept.copy()
            bounds, values = upper[begin:end], value[begin:end]
            by = None if key in loose else kept.follow(at_ns, bounds, values)
            if by is not None:
                level.add(row, at_ns, key, bounds, by)
                self.change.levels.setdefault(key, []).append(
                    told_buckets(key, at_ns, bounds, values)
                )
                continue
            if key not in loose:
                loose[key] = row, kept.loosen()
            for bound, one in zip(bounds.tolist(), values.tolist(), strict=True):
                kept.add(bound, at_ns, one)
                self.change.buckets.append((key, bound, at_ns, one, 0))
        self._add_levels(level)
        for key, (row, told) in loose.items():
            self._add_loose(key, row, told)

    def _add_levels(self, level: Leveled) -> None:
        for is_counted, to in ((False, self.messages), (True, self.durations)):
            chosen = [
                place
                for place, row in enumerate(level.rows)
                if (self._is_wait(row) or self._is_counted(row)) is is_counted
            ]
            if chosen:
                to.add_levels(level, chosen, [self._is_wait(level.rows[one]) for one in chosen])

    def _add_loose(self, key: int, row: int, told: Shape | None) -> None:
        """Points of a histogram that are whole now; `told`: what it had counted as a level."""
        if told is not None:
            self.change.shapes[key] = told.without_empty()
        family, before = self._standing.families.get(key), self._find_shape(key)
        for shape in family.whole(before.time_ns if before else -1):
            self._add_risen(row, shape, key, is_full=False)
        if self._find_shape(key) is not None:
            family.tighten()


def mixed(identity: Hashes, start_ns: Ints) -> Hashes:
    """The hash of each series since its start [n]."""
    with np.errstate(over="ignore"):
        found: Hashes = (identity ^ (start_ns.astype(np.uint64) * _MIX)) * _FIRST_SEEN
    return found


def _is_sound(value: Floats) -> NDArray[np.bool_]:
    return (value >= 0) & (value <= MAX_COUNT)


def is_bucket(shelf: Shelf, rows: Rows) -> NDArray[np.bool_]:
    """Which of them are a classic histogram's buckets."""
    found: NDArray[np.bool_] = ~np.isnan(shelf.at["upper"][rows])
    return found & np.isin(shelf.at["target"][rows], names.HISTOGRAMS)
