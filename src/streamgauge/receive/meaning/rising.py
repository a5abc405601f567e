"""What a body adds to messages and durations, given where counters and histograms stand.

1. Who counts messages in this body is noted first: a histogram adds to them only where its sender
   counts none.
2. Counters add what they rose by.
3. Histograms add their cells, those of a cumulative one what each gained (`steps`).
4. Classic histograms are put together from their buckets, then count like cumulative ones.

Nothing but classic buckets is moved on here: `change` says what would be.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from streamgauge.receive.meaning.counters import FULL_WITHIN_NS, UNKNOWN
from streamgauge.receive.meaning.gathered import NOBODY, Gathered
from streamgauge.receive.meaning.leveled import Buckets, Leveled
from streamgauge.receive.meaning.names import Target
from streamgauge.receive.meaning.samples import (
    Bools,
    Floats,
    Hashes,
    Ints,
    Risen,
    Samples,
    Shaped,
)
from streamgauge.receive.meaning.shapes import Shape
from streamgauge.receive.meaning.shelf import Rows, Shelf
from streamgauge.receive.meaning.standing import Change, Standing
from streamgauge.receive.meaning.steps import Steps
from streamgauge.receive.measured import Form

Targets = NDArray[np.uint8]

MAX_COUNT = 9e15
"""What a counter may stand at: beyond it a float does not hold whole numbers."""
_FIRST_SEEN = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)


class Rising:
    """One body's."""

    def __init__(self, shelf: Shelf, standing: Standing) -> None:
        self._shelf, self._standing = shelf, standing
        self.change = Change()
        self.messages, self.durations = Gathered(), Gathered()
        standing.make_room()

    def count_nothing(self) -> None:
        """Forget what was added: only where all stand is told."""
        self.messages, self.durations = Gathered(), Gathered()

    # -- who counts ---------------------------------------------------------------------------

    def note_tellers(self, rows: Rows) -> None:
        """Series that count messages, or their bytes, are of these rows."""
        known, at = self._standing.tellers, self._shelf.at
        told = at["teller"][rows][at["target"][rows] == Target.COUNT].tolist()
        self.change.tellers = [one for one in sorted(set(told)) if one not in known]

    def _is_counted(self, row: int) -> bool:
        return self._is_teller(int(self._shelf.at["teller"][row]))

    def _is_teller(self, teller: int) -> bool:
        return teller in self._standing.tellers or teller in self.change.tellers

    def _are_counted(self, rows: Rows) -> Bools:
        """Whether the sender of each row [n] counts messages."""
        tellers = self._shelf.at["teller"][rows].tolist()
        known = {one: self._is_teller(one) for one in set(tellers)}
        return np.array([known[one] for one in tellers], bool)

    # -- counters -----------------------------------------------------------------------------

    def add_deltas(self, samples: Samples) -> None:
        """What came since the point before, as its sender says."""
        target, factor = self._told_of(samples.rows)
        by = np.rint(np.where(_is_sound(samples.value), samples.value, 0.0) * factor)
        nobody = np.full(len(by), NOBODY)
        self.messages.add_counts(target == Target.BYTES, samples, by, nobody)

    def add_counters(self, samples: Samples) -> None:
        """What came since a counter began."""
        target, factor = self._told_of(samples.rows)
        value = np.where(_is_sound(samples.value), samples.value, np.nan) * factor
        counters = self._standing.counters
        slots = self._slots(samples)
        rise = counters.rises(slots, samples.time_ns, np.floor(value + 1e-9))
        self.change.slots.append(rise.slots)
        self.change.standings.append(rise.standings)
        self.messages.add_counts(target == Target.BYTES, samples, rise.by, slots)

    def _told_of(self, rows: Rows) -> tuple[Targets, Floats]:
        """Target and factor of each row."""
        at = self._shelf.at
        return at["target"][rows], at["factor"][rows]

    def _slots(self, samples: Samples) -> Ints:
        """The slot of each sample: its series', or its series' since a start that is told."""
        identity = self._shelf.at["identity"]
        counters = self._standing.counters
        cached = self._shelf.slots_at(counters.epoch)
        slots = cached[samples.rows]
        has_start = (samples.start_ns > 0) & (samples.start_ns < samples.time_ns)
        missing = (slots == NOBODY) & ~has_start
        if missing.any():
            rows = np.unique(samples.rows[missing])
            cached[rows] = counters.slots_of(identity[rows])
            slots[missing] = cached[samples.rows[missing]]
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
        target, factor = self._told_of(samples.rows)
        seconds = samples.value * factor
        sound = np.isfinite(seconds) & (seconds >= 0)
        self.durations.add_singles(
            samples.where(sound), seconds[sound], target[sound] == Target.QUEUE_TIME
        )

    # -- histograms ---------------------------------------------------------------------------

    def add_histograms(self, shaped: Shaped) -> None:
        """Histograms as OTLP has them."""
        if not len(shaped.rows):
            return
        is_delta = self._shelf.at["form"][shaped.rows] == Form.DELTA
        delta = shaped.where(is_delta & (shaped.sizes > 0))
        self._add_at_once(delta, delta.weight, delta.sum, [NOBODY] * len(delta.rows))
        self._add_cumulative(shaped.where(~is_delta))

    def _add_cumulative(self, told: Shaped) -> None:
        if not len(told.rows):
            return
        has_start = (told.start_ns > 0) & (told.start_ns < told.time_ns)
        told = replace(told, start_ns=np.where(has_start, told.start_ns, 0))
        keys = mixed(self._shelf.at["identity"][told.rows], told.start_ns)
        steps = Steps(told, keys, self._find_shape)
        by, total = steps.risen()
        self.change.shapes.update(steps.after())
        is_in = (steps.has_before | self._is_full(steps)) & (steps.told.sizes > 0)
        inside = np.repeat(is_in, steps.told.sizes)
        self._add_at_once(
            steps.told.where(is_in), by[inside], total[is_in], steps.keys[is_in].tolist()
        )

    def _is_full(self, steps: Steps) -> Bools:
        """Which of those that nobody knew began to count not long before they were seen [n]."""
        told = steps.told
        is_full = ~steps.has_before & (told.start_ns > 0)
        if is_full.any():
            identity = self._shelf.at["identity"][told.rows[is_full]]
            seen_ns = self._first_seen(identity, told.time_ns[is_full])
            is_full[is_full] = told.start_ns[is_full] >= seen_ns - FULL_WITHIN_NS
        return is_full

    def _add_at_once(self, told: Shaped, by: Floats, total: Floats, keys: list[int]) -> None:
        is_wait = self._shelf.at["target"][told.rows] == Target.QUEUE_TIME
        risen = Risen(
            told.rows, told.time_ns, keys, total, told.sizes, told.lower, told.upper, by, is_wait
        )
        is_beside = is_wait | self._are_counted(told.rows)
        self.durations.add_risen(risen.where(is_beside))
        self.messages.add_risen(risen.where(~is_beside))

    def _find_shape(self, key: int) -> Shape | None:
        return self.change.shapes.get(key) or self._standing.shapes.find(key)

    def _add_risen(self, row: int, shape: Shape, key: int) -> None:
        """Of a histogram that was put together."""
        before = self._find_shape(key)
        self.change.shapes[key] = shape.without_empty()
        if before is None:
            return
        by, gained = shape.risen_from(before)
        is_wait = bool(self._shelf.at["target"][row] == Target.QUEUE_TIME)
        to = self.durations if is_wait or self._is_counted(row) else self.messages
        to.add_cells(row, shape.with_sum(gained), by, key, is_wait=is_wait)

    def add_buckets(self, samples: Samples) -> None:
        """Series of classic histograms, those that belong together in any order."""
        told = Buckets.sorted(self._shelf, samples.where(_is_sound(samples.value)))
        is_level, rises = self._follow(told)
        if is_level.any():
            self._add_levels(told, is_level, rises)
        if not is_level.all():
            self._add_loose(told, np.flatnonzero(~is_level))

    def _follow(self, told: Buckets) -> tuple[Bools, Floats]:
        """Which groups move levels on [n_groups], and by how much [n_samples]."""
        families, groups = self._standing.families, told.as_groups()
        keys = told.family[told.starts]
        numbers, rank = families.numbers(keys.tolist()), told.rank
        is_level, is_on = np.zeros(len(keys), bool), numbers >= 0
        by = np.zeros(len(told.value))
        for turn in range(int(rank.max(initial=-1)) + 1):
            chosen = is_on & (rank == turn)
            if not chosen.any():
                break
            fits, rises, before = families.follow(numbers[chosen], groups.where(chosen))
            self.change.before.append(before)
            is_level[chosen] = fits
            by[np.repeat(is_level & chosen, told.sizes)] = rises
            if not fits.all():
                is_on &= ~np.isin(numbers, numbers[chosen][~fits])
        return is_level, by

    def _add_loose(self, told: Buckets, groups: Ints) -> None:
        """Histograms whose buckets come one by one."""
        families, shapes = self._standing.families, self.change.shapes
        rows: dict[int, int] = {}
        for group in groups.tolist():
            begin = int(told.starts[group])
            key, time_ns = int(told.family[begin]), int(told.time_ns[begin])
            if key not in rows:
                rows[key] = int(self._shelf.at["head"][told.rows[begin]])
                self.change.families[key] = families.kept(key)
                counted = families.loosen(key)
                if counted is not None:
                    shapes[key] = counted.without_empty()
            family, at = families.loose(key), slice(begin, begin + int(told.sizes[group]))
            for upper, value in zip(told.upper[at].tolist(), told.value[at].tolist(), strict=True):
                family.add(upper, time_ns, value)
                self.change.buckets.append((key, upper, time_ns, value, 0))
        for key, row in rows.items():
            before = self._find_shape(key)
            for shape in families.loose(key).whole(before.time_ns if before else -1):
                self._add_risen(row, shape, key)
            if self._find_shape(key) is not None and (stood := families.tighten(key)) is not None:
                self.change.before.append(stood)

    def _add_levels(self, told: Buckets, is_level: Bools, by: Floats) -> None:
        begin, sizes = told.starts[is_level], told.sizes[is_level]
        inside = np.repeat(is_level, told.sizes)
        self.change.levels = told.as_told(inside)
        rows = self._shelf.at["head"][told.rows[begin]]  # the same one whatever a body begins with
        level = Leveled(
            rows,
            told.time_ns[begin],
            told.family[begin],
            sizes,
            told.upper[inside],
            by[inside],
            self._shelf.at["target"][rows] == Target.QUEUE_TIME,
        )
        is_beside = level.is_wait | self._are_counted(rows)
        for to, chosen in ((self.durations, is_beside), (self.messages, ~is_beside)):
            if chosen.any():
                to.add_levels(level.where(chosen))


def mixed(identity: Hashes, start_ns: Ints) -> Hashes:
    """The hash of each series since its start [n]."""
    with np.errstate(over="ignore"):
        found: Hashes = (identity ^ (start_ns.astype(np.uint64) * _MIX)) * _FIRST_SEEN
    return found


def _is_sound(value: Floats) -> Bools:
    return (value >= 0) & (value <= MAX_COUNT)
