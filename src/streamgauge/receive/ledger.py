"""The ledger of what was refused: by customer and reason, over the last hour and day.

What is refused by 429 or 503 never reaches the store, so it is counted here, in memory of a fixed
size; `app` keeps the ledger over restarts. When too many customers are refused, those with the
fewest lines are counted together, so that the loudest ones are always told by name.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from streamgauge.model.batch import Parsed
from streamgauge.model.clock import Clock
from streamgauge.model.refusal import Refusal, RefusalReason

MAX_ENTRIES = 1000
SLOT_S, HOUR_S = 300, 3600
_SLOTS_AN_HOUR, _HOURS_A_DAY = 12, 24
_FOLDED_SHARE = 5
"""One in so many entries is folded into the others when there are too many."""
_MAX_NAME_CHARACTERS, _MAX_TEXT_CHARACTERS = 200, 500

Key = tuple[str | None, RefusalReason]


class _Sample(NamedTuple):
    line: str
    reason: str
    is_told: bool = True


_NO_SAMPLE = _Sample("", "")


@dataclass(slots=True)
class _Entry:
    """Lines by time: [slot or hour] = [lost, deferred]."""

    first_at: float
    last_at: float
    slots: dict[int, list[int]] = field(default_factory=dict)
    hours: dict[int, list[int]] = field(default_factory=dict)
    line: str = ""
    reason: str = ""
    is_told: bool = True
    """Whether the sender of that line knows."""

    def add(self, at: float, lost: int, deferred: int) -> None:
        self.last_at = max(self.last_at, at)
        for kept, size_s, count in (
            (self.slots, SLOT_S, _SLOTS_AN_HOUR),
            (self.hours, HOUR_S, _HOURS_A_DAY),
        ):
            now = int(at // size_s)
            if now not in kept:
                for old in [one for one in kept if one <= now - count]:
                    del kept[old]
            sums = kept.setdefault(now, [0, 0])
            sums[0] += lost
            sums[1] += deferred

    def fold(self, other: _Entry) -> None:
        """Take over the counts of another one."""
        self.first_at, self.last_at = (
            min(self.first_at, other.first_at),
            max(self.last_at, other.last_at),
        )
        for mine, theirs in ((self.slots, other.slots), (self.hours, other.hours)):
            for at, (lost, deferred) in theirs.items():
                sums = mine.setdefault(at, [0, 0])
                sums[0] += lost
                sums[1] += deferred

    def sums(self, now: float) -> tuple[int, int, int, int]:
        """Lost in the last hour and day, deferred in the last hour and day."""
        hour = _sum(self.slots, int(now // SLOT_S) - _SLOTS_AN_HOUR)
        day = _sum(self.hours, int(now // HOUR_S) - _HOURS_A_DAY)
        return hour[0], day[0], hour[1], day[1]


def _sum(kept: dict[int, list[int]], after: int) -> tuple[int, int]:
    chosen = [sums for at, sums in kept.items() if at > after]
    return sum(lost for lost, _ in chosen), sum(deferred for _, deferred in chosen)


class RefusalLedger:
    """Threads may share it."""

    def __init__(self, clock: Clock, max_entries: int = MAX_ENTRIES) -> None:
        self._clock, self._max_entries = clock, max_entries
        self._entries: dict[Key, _Entry] = {}
        self._lock = threading.Lock()
        self.change_count = 0
        """Grows with everything that is counted."""

    def count_body(self, parsed: Parsed, *, is_deferred: bool, is_told: bool = True) -> None:
        """Count the refused lines of a body.

        Args:
            parsed: with the first of its refused lines, and all of them counted.
            is_deferred: its sender was told to send all of it again later.
            is_told: its sender was told anything at all.
        """
        if not parsed.rejected_count:
            return
        samples = {(line.reason_class, line.tenant): line for line in reversed(parsed.rejected)}
        sums = Counter(dict(parsed.rejected_by)).most_common()
        others: Counter[str] = Counter()
        for (reason, _), count in sums[self._max_entries :]:
            others[reason] += count
        with self._lock:
            for (reason, tenant), count in sums[: self._max_entries]:
                line = samples.get((reason, tenant))
                sample = _Sample(line.line, line.reason, is_told) if line else _NO_SAMPLE
                key = tenant[:_MAX_NAME_CHARACTERS], RefusalReason(reason)
                self._count(key, _pair(count, is_deferred=is_deferred), sample)
            for reason, count in others.items():
                pair = _pair(count, is_deferred=is_deferred)
                self._count((None, RefusalReason(reason)), pair, _NO_SAMPLE)

    def count_request(
        self,
        reason: RefusalReason,
        told: str,
        *,
        is_deferred: bool,
        is_told: bool = True,
        count: int = 1,
    ) -> None:
        """Count requests or datagrams that were refused as a whole, their lines unknown."""
        with self._lock:
            counts = _pair(count, is_deferred=is_deferred)
            self._count((None, reason), counts, _Sample("", told, is_told))

    def _count(self, key: Key, counts: tuple[int, int], sample: _Sample) -> None:
        now = self._clock.now()
        if key not in self._entries and len(self._entries) >= self._max_entries:
            self._fold_smallest(now)
        entry = self._entries.setdefault(key, _Entry(now, now))
        if not any(entry.sums(now)):
            entry.first_at = now
        entry.add(now, *counts)
        if sample.reason:
            entry.line, entry.reason = sample.line, sample.reason[:_MAX_TEXT_CHARACTERS]
            entry.is_told = sample.is_told
        self.change_count += 1

    def _fold_smallest(self, now: float) -> None:
        named = [(key, entry) for key, entry in self._entries.items() if key[0] is not None]
        named.sort(key=lambda pair: sum(pair[1].sums(now)))
        for key, entry in named[: max(len(named) // _FOLDED_SHARE, 1)]:
            del self._entries[key]
            if any(entry.sums(now)):
                others = self._entries.setdefault((None, key[1]), _Entry(now, now))
                others.fold(entry)

    def refusals(self, tenant: str | None = None) -> list[Refusal]:
        """What was refused in the last day, most lines first; of one customer or of all."""
        now = self._clock.now()
        with self._lock:
            found = [
                _shown(key, entry, now)
                for key, entry in self._entries.items()
                if tenant is None or key[0] == tenant[:_MAX_NAME_CHARACTERS]
            ]
        found = [one for one in found if one.lost_day or one.deferred_day]
        return sorted(found, key=_weight, reverse=True)

    def dump(self) -> list[dict[str, Any]]:
        """What `restore` takes: plain values, ready for JSON."""
        with self._lock:
            return [
                {"tenant": tenant, "class": reason.value, **asdict(entry)}
                for (tenant, reason), entry in self._entries.items()
            ]

    def restore(self, dumped: list[dict[str, Any]]) -> None:
        """Go on from what a former process counted.

        Raises:
            ValueError, KeyError, TypeError: it is not what `dump` gave.
        """
        entries = {
            (one["tenant"], RefusalReason(one["class"])): _Entry(
                first_at=float(one["first_at"]),
                last_at=float(one["last_at"]),
                slots=_numbers(one["slots"]),
                hours=_numbers(one["hours"]),
                line=str(one["line"]),
                reason=str(one["reason"]),
                is_told=bool(one.get("is_told", True)),
            )
            for one in dumped[: self._max_entries]
        }
        with self._lock:
            self._entries = entries


def _pair(count: int, *, is_deferred: bool) -> tuple[int, int]:
    """Lost, deferred."""
    return (0, count) if is_deferred else (count, 0)


def _numbers(kept: dict[str, list[int]]) -> dict[int, list[int]]:
    """JSON makes words of the keys."""
    return {int(at): [int(lost), int(deferred)] for at, (lost, deferred) in kept.items()}


def _weight(refusal: Refusal) -> tuple[int, int]:
    return refusal.lost_day + refusal.deferred_day, refusal.lost_hour


def _shown(key: Key, entry: _Entry, now: float) -> Refusal:
    lost_hour, lost_day, deferred_hour, deferred_day = entry.sums(now)
    return Refusal(
        tenant=key[0],
        reason=key[1],
        lost_hour=lost_hour,
        lost_day=lost_day,
        deferred_hour=deferred_hour,
        deferred_day=deferred_day,
        first_at=entry.first_at,
        last_at=entry.last_at,
        sample_line=entry.line,
        sample_reason=entry.reason,
        is_told=entry.is_told,
    )
