"""What every row counted, by the hour for five weeks and by the minute for two hours.

Everything is a sum or a set of bits, so it does not matter in which order or in how many parts it
arrived. Arrays of an hour are as long as there were rows when it was last touched.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from streamgauge.detect.arrays import Array, Floats, Ints, grown
from streamgauge.detect.arrivals import Arrivals
from streamgauge.detect.levels import Levels
from streamgauge.detect.live_gaps import LiveGaps
from streamgauge.detect.reasons import Reasons

HOURS_KEPT = 35 * 24
BITS_KEPT_HOURS = 8 * 24
"""How long it is known which minutes of an hour were active; before, only how many."""
MINUTES_KEPT = 128
_TAILS_NEEDED = 10


class Sums:
    """Counts of every row: messages, failures, active minutes, first and last stamp."""

    def __init__(self, levels: Levels) -> None:
        self._levels = levels
        self.counts: dict[int, Floats] = {}
        self.failed: dict[int, Floats] = {}
        self.filtered: dict[int, Floats] = {}
        self._bits: dict[int, Array] = {}
        self._active: dict[int, Floats] = {}
        self.last_s: Floats = np.full(64, -np.inf)
        """Epoch seconds [rows] of the newest message."""
        self.tail_s: Floats = np.full(64, 60.0)
        """Usual seconds [rows] from the newest message of a minute to that minute's end: the
        reporting interval of a sender that reports several times a minute."""
        self.tail_square: Floats = np.full(64, 3600.0)
        self.span_s: Floats = np.zeros(64)
        """Usual seconds [rows] between the first and the last stamp of a minute: what is left of
        the minute is the reporting interval, whether its start or its end is stamped."""
        self._minute_first_s: Floats = np.full(64, np.inf)
        """The same [rows], squared: tells whether those seconds are always the same."""
        self.first_hour: Ints = np.full(64, np.iinfo(np.int64).max)
        self.minute_counts: Floats = np.zeros((MINUTES_KEPT, 64), np.float32)
        self.minute_failed: Floats = np.zeros((MINUTES_KEPT, 64), np.float32)
        self._slot_minute: Ints = np.full(MINUTES_KEPT, -1, np.int64)
        self.newest_hour = 0
        self.version = 0
        """Grows with everything added: the same version has the same sums."""
        self.newest_failed_minute = -1
        self.reasons = Reasons()
        self.live_gaps = LiveGaps()
        self._arrived: list[Ints] = []

    def add_minutes(self, new: Arrivals) -> Ints:
        """Add minutes; returns the rows (unique) whose older hours changed."""
        if not len(new):
            return np.zeros(0, np.int32)
        minute, rows, counts = new.minute, new.rows, new.counts
        self.newest_hour = max(self.newest_hour, int(minute.max()) // 60)
        self.version += 1
        self._make_room()
        failed = np.where(new.has_failed, counts, 0.0)
        self._note_failures(new)
        if new.is_filtered.any():
            out = new.is_filtered
            self._add_filtered(minute[out] // 60, rows[out], counts[out])
        self._arrived.append(_distinct(rows, self._levels.row_count))
        self.live_gaps.observe(new, self.last_s)
        self._note_tails(rows, new.last_s, minute)
        self._note_spans(rows, new.last_s - new.first_s, minute, counts)
        self._note_stamps(rows, new.first_s, new.last_s, minute)
        self._add_to_minutes(minute, rows, counts, failed)
        return self._add_to_hours(minute, rows, counts, failed)

    def _note_failures(self, new: Arrivals) -> None:
        at = new.has_failed
        if at.any() and new.reason is not None:
            self.newest_failed_minute = max(self.newest_failed_minute, int(new.minute[at].max()))
            reason = new.reason.filter(pa.array(at))
            self.reasons.add(new.minute[at], new.flows[at], reason, new.counts[at])

    def _add_filtered(self, hours: Ints, rows: Ints, counts: Floats) -> None:
        for hour, part in _parts(hours):
            if hour > self.newest_hour - HOURS_KEPT:
                values = np.repeat(counts[part], rows.shape[1])
                self._sum(self.filtered, hour, rows[part].ravel(), values)

    def filtered_since(self, rows: list[int], hour: int) -> float:
        """Messages of these rows that filters took out, in this hour and all later ones."""
        slabs = [slab for at, slab in self.filtered.items() if at >= hour]
        return float(sum(slab[row] for slab in slabs for row in rows if row < len(slab)))

    def take_arrived(self) -> Ints:
        """The rows (unique) to which minutes were added since the last call."""
        parts, self._arrived = self._arrived, []
        return np.unique(np.concatenate(parts)) if parts else np.zeros(0, np.int32)

    def add_hours(self, new: Arrivals) -> None:
        """Add hours of which the single minutes are not known."""
        if not len(new) or new.active_minutes is None:
            return
        hour, rows, counts = new.minute // 60, new.rows, new.counts
        self.newest_hour = max(self.newest_hour, int(hour.max()))
        self._make_room()
        failed = np.where(new.has_failed, counts, 0.0)
        self._note_stamps(rows, new.last_s, new.last_s, new.minute)
        idle = -np.log1p(-np.minimum(new.active_minutes / 60.0, 0.9999))
        for now, part in _parts(hour):
            if now <= self.newest_hour - HOURS_KEPT:
                continue
            at, times = rows[part].ravel(), rows.shape[1]
            self._sum(self.counts, now, at, np.repeat(counts[part], times))
            if failed[part].any():
                self._sum(self.failed, now, at, np.repeat(failed[part], times))
            # Several parts in one hour: as if their minutes were independent of each other.
            quiet = np.zeros(self._levels.row_count)
            np.add.at(quiet, at, np.repeat(idle[part], times))
            self._active[now] = np.round(60.0 * -np.expm1(-quiet)).astype(np.float32)

    def active(self, hour: int) -> Floats:
        """Active minutes [rows, at most] of an hour: in how many there was a message."""
        bits, known = self._bits.get(hour), self._active.get(hour)
        if bits is None:
            return known if known is not None else np.zeros(0, np.float32)
        seen = np.bitwise_count(bits).astype(np.float32)
        if known is not None:
            seen[: len(known)] = np.maximum(seen[: len(known)], known)
        return seen

    def bits(self, hour: int) -> Array:
        """uint64 [rows, at most]: bit m is set if there was a message in minute m."""
        return self._bits.get(hour, np.zeros(0, np.uint64))

    def window(self, until_minute: int, minutes: int, failed: bool = False) -> Floats:
        """float32 [minutes, rows]: what each of the minutes up to `until_minute` counted."""
        wanted = np.arange(until_minute - minutes + 1, until_minute + 1)
        slots = wanted % MINUTES_KEPT
        values = (self.minute_failed if failed else self.minute_counts)[slots]
        values = values[:, : self._levels.row_count]
        values[self._slot_minute[slots] != wanted] = 0.0
        return values

    def forget_old(self) -> None:
        """Drop what is older than is kept."""
        for hour in [h for h in self.counts if h <= self.newest_hour - HOURS_KEPT]:
            for kept in (self.counts, self.failed, self.filtered, self._active):
                kept.pop(hour, None)
        for hour in [h for h in self._bits if h <= self.newest_hour - BITS_KEPT_HOURS]:
            self._active[hour] = self.active(hour)
            del self._bits[hour]

    def _make_room(self) -> None:
        rows = self._levels.row_count
        self.last_s = grown(self.last_s, rows, -np.inf)
        self.tail_s = grown(self.tail_s, rows, 60.0)
        self.tail_square = grown(self.tail_square, rows, 3600.0)
        self.span_s = grown(self.span_s, rows, 0.0)
        self._minute_first_s = grown(self._minute_first_s, rows, np.inf)
        self.first_hour = grown(self.first_hour, rows, np.iinfo(np.int64).max)
        if rows > self.minute_counts.shape[1]:
            self.minute_counts = _widened(self.minute_counts, rows)
            self.minute_failed = _widened(self.minute_failed, rows)

    def _note_tails(self, rows: Ints, stamps: Floats, minute: Ints) -> None:
        """Learn the seconds left after the last message of a minute, from many minutes at once."""
        ended = minute < minute.max()
        if not ended.any():
            return
        size = self._levels.row_count
        tails = 60.0 - stamps[ended] % 60.0
        total, square, count = np.zeros(size), np.zeros(size), np.zeros(size, np.int64)
        for level in rows[ended].T:  # one after the other: a start brings millions of minutes
            total += np.bincount(level, tails, size)
            square += np.bincount(level, tails**2, size)
            count += np.bincount(level, minlength=size)
        known = np.flatnonzero(count >= _TAILS_NEEDED)
        self.tail_s[known] = total[known] / count[known]
        self.tail_square[known] = square[known] / count[known]

    def _note_spans(self, rows: Ints, spans: Floats, minute: Ints, counts: Floats) -> None:
        """Learn how much of a minute the stamps span, from the last hour of many minutes at once.

        Rows of a level hold several outcomes: the rare ones, stamped once, hardly weigh.
        """
        newest = minute.max()
        ended = (minute < newest) & (minute >= newest - 60)
        flat, times = rows[ended].ravel(), rows.shape[1]
        size, weights = self._levels.row_count, np.repeat(counts[ended], times)
        total = np.bincount(flat, np.repeat(spans[ended], times) * weights, size)
        weight = np.bincount(flat, weights, size)
        known = np.flatnonzero(
            (np.bincount(flat, minlength=size) >= _TAILS_NEEDED) & (weight > 0.0)
        )
        self.span_s[known] = total[known] / weight[known]

    def _note_stamps(self, rows: Ints, firsts: Floats, stamps: Floats, minute: Ints) -> None:
        touched = _distinct(rows, self._levels.row_count)
        old = self.last_s[touched]
        for level in rows.T:
            np.maximum.at(self.last_s, level, stamps)
        new = self.last_s[touched]
        # The stamp that was newest when a later minute began was the last one of its minute.
        with np.errstate(invalid="ignore"):  # of the very first message there is no older one
            ended = (new // 60 > old // 60) & (new - old < 7200.0)
        rows_ended, tail = touched[ended], 60.0 - old[ended] % 60.0
        self.tail_s[rows_ended] += 0.05 * (tail - self.tail_s[rows_ended])
        self.tail_square[rows_ended] += 0.05 * (tail**2 - self.tail_square[rows_ended])
        spans = old[ended] - self._minute_first_s[rows_ended]
        known = np.isfinite(spans)
        at = rows_ended[known]
        self.span_s[at] += 0.2 * (np.clip(spans[known], 0.0, 60.0) - self.span_s[at])
        with np.errstate(invalid="ignore"):
            self._minute_first_s[touched[new // 60 > old // 60]] = np.inf
        hours = minute // 60
        fresh = np.where(hours > self.newest_hour - HOURS_KEPT, hours, np.iinfo(np.int64).max)
        for level in rows.T:
            is_newest = minute == self.last_s[level] // 60
            np.minimum.at(self._minute_first_s, level[is_newest], firsts[is_newest])
            np.minimum.at(self.first_hour, level, fresh)

    def _add_to_minutes(self, minute: Ints, rows: Ints, counts: Floats, failed: Floats) -> None:
        newest = max(int(self._slot_minute.max()), int(minute.max()))
        recent = minute > newest - MINUTES_KEPT
        minute, rows = minute[recent], rows[recent]
        counts, failed = counts[recent], failed[recent]
        for now in np.unique(minute):
            slot = now % MINUTES_KEPT
            if self._slot_minute[slot] != now:
                self._slot_minute[slot] = now
                for kept in (self.minute_counts, self.minute_failed):
                    if kept[slot].any():  # writing zeros over zeros would take memory
                        kept[slot] = 0.0
        slots = np.repeat(minute % MINUTES_KEPT, rows.shape[1])
        np.add.at(self.minute_counts, (slots, rows.ravel()), np.repeat(counts, rows.shape[1]))
        if failed.any():
            np.add.at(self.minute_failed, (slots, rows.ravel()), np.repeat(failed, rows.shape[1]))

    def _add_to_hours(self, minute: Ints, rows: Ints, counts: Floats, failed: Floats) -> Ints:
        late: list[Ints] = []
        bit = np.left_shift(np.uint64(1), (minute % 60).astype(np.uint64))
        for now, part in _parts(minute // 60):
            if now <= self.newest_hour - HOURS_KEPT:
                continue
            at, times = rows[part].ravel(), rows.shape[1]
            self._sum(self.counts, now, at, np.repeat(counts[part], times))
            if failed[part].any():
                self._sum(self.failed, now, at, np.repeat(failed[part], times))
            bits = self._slab(self._bits, now, np.uint64)
            np.bitwise_or.at(bits, at, np.repeat(bit[part], times))
            if now < self.newest_hour - 1:
                late.append(np.unique(at))
        return np.unique(np.concatenate(late)) if late else np.zeros(0, np.int32)

    def _sum(self, slabs: dict[int, Floats], hour: int, rows: Ints, values: Floats) -> None:
        # Of one type: NumPy takes ten times as long where it has to convert.
        np.add.at(self._slab(slabs, hour, np.float32), rows, values.astype(np.float32))

    def _slab(self, slabs: dict[int, Array], hour: int, dtype: type) -> Array:
        rows = self._levels.row_count
        slab = slabs.get(hour)
        if slab is None:
            slab = slabs[hour] = np.zeros(rows, dtype)
        elif len(slab) < rows:
            slab = slabs[hour] = np.concatenate([slab, np.zeros(rows - len(slab), dtype)])
        return slab


def _widened(minutes: Floats, rows: int) -> Floats:
    """`minutes` [minutes, rows] with room for more rows; minutes of nothing take no memory."""
    wider = np.zeros((len(minutes), max(rows, 2 * minutes.shape[1])), minutes.dtype)
    for slot in np.flatnonzero(minutes.any(axis=1)):
        wider[slot, : minutes.shape[1]] = minutes[slot]
    return wider


def _distinct(rows: Ints, size: int) -> Ints:
    """`np.unique(rows)` of numbers below `size`, without sorting millions of them."""
    is_there = np.zeros(size, bool)
    is_there[rows.ravel()] = True
    return np.flatnonzero(is_there).astype(rows.dtype)


def _parts(keys: Ints) -> list[tuple[int, Ints]]:
    """Each distinct key with the places where it stands."""
    if not len(keys):
        return []
    if keys[0] == keys[-1] and (keys == keys[0]).all():
        return [(int(keys[0]), np.arange(len(keys)))]
    order = np.argsort(keys, kind="stable")
    distinct, starts = np.unique(keys[order], return_index=True)
    return list(zip(distinct.tolist(), np.split(order, starts[1:]), strict=True))
