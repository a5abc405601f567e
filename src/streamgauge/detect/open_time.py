"""How much of a range was both seen and inside of a calendar's hours."""

from __future__ import annotations

import numpy as np

from streamgauge.detect.arrays import Array, Bools, Floats
from streamgauge.detect.calendars import Calendar
from streamgauge.detect.gaps import SeenTime

_AROUND_S = 8 * 86_400.0


class OpenTime:
    """Sums by calendar, remembered until more is seen."""

    def __init__(self, seen: SeenTime) -> None:
        self._seen = seen
        self._numbers: dict[Calendar, int] = {}
        self._masks: dict[int, tuple[int, Bools]] = {}
        self._sums: dict[int, tuple[int, Array]] = {}
        self._calendars: list[Calendar] = []
        self._spans: dict[int, tuple[float, float, float | None]] = {}

    def number(self, calendar: Calendar) -> int:
        """The number by which it is asked for."""
        number = self._numbers.setdefault(calendar, len(self._numbers))
        if number == len(self._calendars):
            self._calendars.append(calendar)
        return number

    def seconds(self, number: int, start_s: Floats, end_s: float | Floats) -> Floats:
        """Seconds that were seen and inside of the hours, between `start_s` and `end_s`."""
        sums, upto = self._sums_of(number), self._seen.upto
        return np.asarray(np.maximum(upto(end_s, sums) - upto(start_s, sums), 0.0))

    def opened_at(self, number: int, at: float) -> float | None:
        """When the hours that hold `at` began; None: they are closed."""
        known = self._spans.get(number)
        if known is None or not known[0] <= at < known[1]:
            known = self._spans[number] = self._span(number, at)
        return known[2]

    def _span(self, number: int, at: float) -> tuple[float, float, float | None]:
        """The open or closed span around `at`: from, to, and when it opened."""
        spans = self._calendars[number].open_spans(at - _AROUND_S, at + _AROUND_S)
        for begin, end in spans:
            if begin <= at < end:
                return begin, end, begin
        closed_at = max((end for _, end in spans if end <= at), default=at - _AROUND_S)
        opens_at = min((begin for begin, _ in spans if begin > at), default=at + _AROUND_S)
        return closed_at, opens_at, None

    def _sums_of(self, number: int) -> Array:
        version, known = self._seen.version(), self._sums.get(number)
        if known is None or known[0] != version:
            base, seen = self._seen.filled()
            sums = np.concatenate([[0.0], np.cumsum(seen & self._mask(number, base, len(seen)))])
            known = self._sums[number] = (version, sums * 60.0)
        return known[1]

    def _mask(self, number: int, base: int, size: int) -> Bools:
        """Which minutes [size] from `base` on are inside of the hours."""
        known = self._masks.get(number)
        if known is None or known[0] != base:
            mask = np.zeros(size, bool)
            spans = self._calendars[number].open_spans(60.0 * base, 60.0 * (base + size))
            for begin, end in spans:
                mask[int(begin // 60) - base : int(-(-end // 60)) - base] = True
            known = self._masks[number] = (base, mask)
        return known[1]
