"""Makes findings of open losses: the units that fall short with them, and one for each cause."""

from __future__ import annotations

import numpy as np

from streamgauge.detect.arrays import Floats, Ints
from streamgauge.detect.levels import Levels
from streamgauge.detect.loss_balance import HOURS_NEEDED
from streamgauge.detect.loss_books import Books
from streamgauge.detect.loss_cause import Place, causes, is_within, widest
from streamgauge.detect.loss_open import Open
from streamgauge.detect.loss_scales import Scales
from streamgauge.detect.loss_words import Shortfall, key_of, loss_finding
from streamgauge.model.finding import Finding
from streamgauge.model.flow import Scope

_SUSPICIOUS_NATS = 4.5
_SUSPICIOUS_SHARE = 0.25
"""Of what the worst is short of: who is hardly short has another trouble, or none."""


class Telling:
    """Says what is open."""

    def __init__(self, levels: Levels, books: Books, scales: Scales) -> None:
        self._levels, self._books, self._scales = levels, books, scales

    def findings(self, open_: dict[Place, Open], now: float) -> list[Finding]:
        """One finding for each cause of what is open."""
        found: list[Finding] = []
        for is_surplus in (False, True):
            of_kind = {p: o for p, o in open_.items() if o.is_surplus is is_surplus}
            if of_kind:
                found += self._told(of_kind, is_surplus, now)
        return found

    def _told(self, of_kind: dict[Place, Open], is_surplus: bool, now: float) -> list[Finding]:
        own = {place: self._scales.scope(place) for place in of_kind}
        bad = self._suspicious(is_surplus, of_kind)
        missing = {p: self._scales.missing(p, is_surplus) for p in own | bad}
        since = {p: int(self._books.of_units.since_hour[p.number]) for p in bad}
        found = causes(own, bad, missing, since)
        for place, scope in found.items():
            one = of_kind[place]
            # What was told stays so to its end, unless something wider explains it.
            is_alone = place.is_level and scope == own[place]
            if one.is_told and (is_alone or not is_within(one.scope, scope)):
                found[place] = one.scope
        for place, one in of_kind.items():
            found[place] = one.scope = widest(found[place], found.values())
            one.is_told = True
        findings = []
        for scope in dict.fromkeys(found.values()):
            places = [place for place in found if found[place] == scope]
            members = [p for p, s in bad.items() if is_within(s, scope)]
            of = self._shortfall(scope, {p: of_kind[p] for p in places}, members)
            keys = {key_of(own[place], is_surplus) for place in places}
            keys |= {key_of(bad[place], is_surplus) for place in members}
            covers = tuple(sorted(keys - {key_of(scope, is_surplus)}))
            findings.append(loss_finding(scope, of, now, covers))
        return findings

    def _suspicious(self, is_surplus: bool, of_kind: dict[Place, Open]) -> dict[Place, Scope]:
        """Units that fall short, whether or not it is enough for an incident of their own."""
        balance, sign = self._books.of_units, -1.0 if is_surplus else 1.0
        some = sign * balance.missing[: self._books.units.count] >= 2.0
        at = np.flatnonzero(some & (balance.hours[: len(some)] >= HOURS_NEEDED))
        at = at[balance.nats(at) >= _SUSPICIOUS_NATS]
        opened = [place.number for place in of_kind if not place.is_level]
        if opened:
            worst = self._share(np.array(opened)).max()
            at = np.union1d(at[self._share(at) >= _SUSPICIOUS_SHARE * worst], opened)
        return {Place(False, int(n)): self._scales.scope(Place(False, int(n))) for n in at.tolist()}

    def _share(self, units: Ints) -> Floats:
        balance = self._books.of_units
        return np.asarray(np.abs(balance.missing[units]) / np.maximum(balance.due[units], 1.0))

    def _shortfall(
        self, scope: Scope, places: dict[Place, Open], members: list[Place]
    ) -> Shortfall:
        """Of the units that fall short, or of the level itself where none stands out."""
        scales, books = self._scales, self._books
        is_surplus = any(one.is_surplus for one in places.values())
        sign, since_hour = -1.0 if is_surplus else 1.0, min(o.since_hour for o in places.values())
        counted = members or list(places)[:1]
        total = sum(scales.missing(place, is_surplus) for place in counted)
        due = sum(float(scales.balance(p.is_level).due[p.number]) for p in counted)
        deviations = [scales.balance(p.is_level).deviation(np.array([p.number])) for p in counted]
        waiting = scales.explained(scope, since_hour, sign)
        best = max(places, key=scales.nats)
        units = np.array([place.number for place in members], np.int64)
        ratios = books.ratio(units)
        ranked = sorted(members, key=lambda place: -scales.missing(place, is_surplus))
        scopes = [scales.scope(place) for place in ranked] or [scope]
        return Shortfall(
            sign * max(total - waiting, 0.0),
            float(np.linalg.norm(deviations)),
            due,
            float(ratios.mean()) if len(ratios) and np.ptp(ratios) < 0.05 else 1.0,
            waiting,
            since_hour,
            books.closed_until,
            scales.nats(best),
            float(scales.bar(scales.balance(best.is_level), np.array([best.number]))[0]),
            self._platform_share(places, total, due),
            tuple(dict.fromkeys(one.tenant for one in scopes if one.tenant is not None)),
            len({one.integration for one in scopes}),
        )

    def _platform_share(self, of_kind: dict[Place, Open], missing: float, due: float) -> float:
        group = self._levels.platform()
        place = -1 if group is None else self._books.place_of(group)
        if place < 0 or due <= 0.0:
            return 0.0
        whole = float(self._books.of_levels.last_due[place])
        rate = missing / due
        mine = sum(float(self._scales.balance(p.is_level).last_due[p.number])
                   for p in of_kind if not p.is_level)  # fmt: skip
        return min(rate * mine / max(whole, 1.0), 1.0)
