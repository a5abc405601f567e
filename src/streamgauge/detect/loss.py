"""Bookkeeping: received = delivered + filtered + failed + waiting, by the hour, for every flow.

A turn:

1. Hours that have settled (all but one in 1,000 rows come earlier) are closed, oldest first; what
   came late to closed ones corrects them.
2. Where the evidence of a run of deficits passes the bar in two closed hours running, a loss opens.
   What its queues took in does not count; nor does a time in which nearly nothing ended, which is a
   silence, or waits where we cannot see.
3. It ends when ends have caught up, when as many hours passed without as would have shown it, or
   after two days, when it is taken for usual.

State is kept for units and levels only (`loss_books`), and touched once an hour. A platform that
reports one stage only has none.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from streamgauge.detect.arrays import Ints
from streamgauge.detect.arrivals import Arrivals
from streamgauge.detect.lateness import Lateness
from streamgauge.detect.levels import Levels
from streamgauge.detect.loss_books import Books
from streamgauge.detect.loss_cause import Place
from streamgauge.detect.loss_open import Open
from streamgauge.detect.loss_scales import Bar, Grown, Scales, default_bar
from streamgauge.detect.loss_tell import Telling
from streamgauge.detect.loss_words import key_of, over_reason
from streamgauge.detect.watcher import Turn
from streamgauge.model.finding import Finding
from streamgauge.model.words import Kind

_FARTHEST_HOURS = 72


class Loss:
    """All losses and doubles."""

    def __init__(self, levels: Levels, grown: Grown, bar: Bar = default_bar) -> None:
        self._books = Books(levels)
        self._scales = Scales(levels, self._books, grown, bar)
        self._telling = Telling(levels, self._books, self._scales)
        self._lateness = Lateness()
        self._strong: dict[Place, float] = {}
        """Places beyond the bar when they were last weighed, and what was missing then."""
        self._open: dict[Place, Open] = {}
        self._found: list[Finding] = []
        self._lost: dict[str, float] = {}
        """The most that was missing, by key, until its end is told."""
        self._to_restore: dict[str, float] = {}
        self.ended: dict[str, str] = {}

    def learn(self, hours: Arrivals) -> None:
        """Take history of which the single minutes are not known any more, oldest first."""
        if not len(hours):
            return
        hour = hours.minute // 60
        order = np.argsort(hour, kind="stable")
        distinct, starts = np.unique(hour[order], return_index=True)
        for now, part in zip(distinct.tolist(), np.split(order, starts[1:]), strict=True):
            self._books.add(hours.part(part))
            self._books.close(now)

    def observe(self, arrivals: Arrivals) -> None:
        """Take what was inserted; any order, parts of any size, late minutes too."""
        self._lateness.observe(arrivals.minute)
        self._books.add(arrivals)

    def judge(self, turn: Turn) -> list[Finding]:
        """All findings that hold now."""
        self.ended = {}
        if turn.is_blind or not np.isfinite(turn.watermark):
            return self._found
        settled = int((turn.watermark - self._lateness.settles_s()) // 3600) - 1
        due = sorted(hour for hour in self._books.units.hours if hour <= settled)
        for hour in due:
            self._close(hour)
        if due or self._to_restore:
            self._take_up()
            self._found = self._telling.findings(self._open, turn.now)
            for finding in self._found:
                self.ended.pop(finding.key, None)
            for key in self.ended:
                self._lost.pop(key, None)
            self._drop_far(settled)
        return self._found

    def restore(self, since_by_key: Mapping[str, float]) -> None:
        """Hold open what was open before a restart, until its own end is seen."""
        self._to_restore |= {k: s for k, s in since_by_key.items() if k.startswith(Kind.LOSS)}

    def _take_up(self) -> None:
        """Open what is to be restored, once all of the past is closed."""
        if not self._to_restore:
            return
        books = self._books
        places = [Place(True, number) for number in range(books.level_count)]
        places += [Place(False, number) for number in range(books.units.count)]
        for place in places:
            scope = self._scales.scope(place)
            for is_surplus in (False, True):
                since = self._to_restore.pop(key_of(scope, is_surplus), None)
                if since is not None and place not in self._open:
                    hour = int(since // 3600)
                    one = Open(hour, books.closed_until, is_surplus, scope, is_told=True)
                    self._begin(place, one)
        self._to_restore.clear()

    def _close(self, hour: int) -> None:
        is_late = hour <= self._books.closed_until
        units, levels = self._books.close(hour)
        if is_late:
            return
        strong: dict[Place, float] = {}
        for is_level, at in ((False, units), (True, levels)):
            self._go_on(is_level, at, hour)
            strong |= self._scales.beyond(is_level, at)
        for place, missing in strong.items():
            before = self._strong.get(place, 0.0)
            # What ends late makes up for it in the next hour.
            if place not in self._open and missing * np.sign(before) >= 0.7 * abs(before) > 0.0:
                self._begin_at(place, hour)
        self._strong = strong

    def _begin_at(self, place: Place, hour: int) -> None:
        balance = self._scales.balance(place.is_level)
        is_surplus = float(balance.missing[place.number]) < 0.0
        since = int(balance.since_hour[place.number])
        self._begin(place, Open(since, hour, is_surplus, self._scales.scope(place)))

    def _begin(self, place: Place, opened: Open) -> None:
        self._open[place] = opened
        self._scales.balance(place.is_level).is_held[place.number] = True

    def _go_on(self, is_level: bool, at: Ints, hour: int) -> None:
        """Note the hour for what is open, and end what is over."""
        balance = self._scales.balance(is_level)
        there = set(at.tolist()) if self._open else set()
        for place, one in list(self._open.items()):
            if place.is_level is not is_level or place.number not in there:
                continue
            n = place.number
            missing = float(balance.missing[n])
            has_caught_up = one.has_caught_up(missing)
            one.note(missing, float(balance.due[n]), float(balance.last_deficit[n]),
                     float(balance.last_due[n]))  # fmt: skip
            chance = float(balance.chance(np.array([n]), np.array([one.good_due]))[0])
            is_over = one.is_over(chance)
            if has_caught_up or is_over or one.is_usual(hour):
                self._end(place, one, has_caught_up, is_usual=not (is_over or has_caught_up))

    def _end(self, place: Place, one: Open, has_caught_up: bool, is_usual: bool) -> None:
        del self._open[place]
        balance = self._scales.balance(place.is_level)
        if is_usual and not place.is_level:
            self._let_go_above(one)
            share = float(balance.missing[place.number] / max(balance.due[place.number], 1.0))
            self._books.accept(place.number, min(max(share, -1.0), 1.0))
        balance.let_go(np.array([place.number]))
        key = key_of(one.scope, one.is_surplus)
        self._lost[key] = max(abs(one.lost), self._lost.get(key, 0.0))
        lost = -self._lost[key] if one.is_surplus else self._lost[key]
        self.ended[key] = over_reason(one.scope, lost, has_caught_up, is_usual)

    def _let_go_above(self, accepted: Open) -> None:
        """What is usual of a unit from now on is missing in no level either."""
        for place, one in list(self._open.items()):
            same = one.scope == accepted.scope and one.is_surplus is accepted.is_surplus
            if place.is_level and same:
                del self._open[place]
                self._scales.balance(is_level=True).let_go(np.array([place.number]))

    def _drop_far(self, settled: int) -> None:
        """Stamps far ahead of all others are mistakes; they must not gather."""
        hours = self._books.units.hours
        for hour in [hour for hour in hours if hour > settled + _FARTHEST_HOURS]:
            del hours[hour]
