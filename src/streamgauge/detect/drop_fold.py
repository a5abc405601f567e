"""Makes one finding of drops, and one of surges, that have one cause.

1. What an open silence or failing messages of the same scope explain by half is not told twice.
2. A level of which one member alone makes the most is told as that member; else it explains its
   members. A customer of one source, or of one integration, is told as the customer.
3. Two or more sources or integrations of one customer, or customers of one integration, that
   began within two hours are one finding; so are three or more customers within ten (a holiday,
   where everybody's morning is another).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from streamgauge.detect.drop_words import SEVERAL, evidence, key, sentence, shift_key
from streamgauge.detect.levels import Channel, Level, Levels, Names
from streamgauge.detect.shift import Shift
from streamgauge.detect.tree import overlap
from streamgauge.detect.watcher import Turn
from streamgauge.model.finding import Finding
from streamgauge.model.words import Kind, Severity, Suspected

_MOST = 0.6
"""Of what is missing: then one member is the cause."""
_TOGETHER_S, _SAME_DAY_S = 2 * 3600.0, 10 * 3600.0
_EXPLAINS = 0.5
_HOLD_S, _HOLD_ONE_S = 1800.0, 4 * 3600.0
_WIDE = (Level.PLATFORM, Level.INTEGRATION, Level.TENANT)


@dataclass(frozen=True, slots=True)
class Explained:
    """A silence or an error that holds already."""

    names: Names
    messages: float
    """That it took away since it began; infinite: all of them."""


Suspicious = Callable[[Kind, list[int]], list[int]]


class ShiftFold:
    """Findings of shifts."""

    def __init__(
        self,
        levels: Levels,
        suspicious: Suspicious,
        per_hour: Callable[[int], float],
        explained: Callable[[], Iterable[Explained]],
    ) -> None:
        self._levels, self._suspicious, self._explained = levels, suspicious, explained
        self._per_hour = per_hour
        """Messages a group usually has an hour; 0 where it is too small to be judged."""
        self._told: set[str] = set()
        """Keys of common causes told at the last turn: those stay one finding to their end."""
        self.ended: dict[str, str] = {}
        self._with: dict[int, list[int]] = {}
        """What a group that is told explains besides what is below it."""

    def restore(self, keys: Iterable[str]) -> None:
        """Common causes told before a restart stay one finding."""
        self._told |= {name for name in keys if name.partition("/")[0] in _KINDS}

    def findings(self, open_: Mapping[tuple[Kind, int], Shift], turn: Turn) -> list[Finding]:
        """The fewest findings that explain every shift of `open_`."""
        self.ended = {}
        found: list[Finding] = []
        for kind in (Kind.DROP, Kind.SURGE):
            shifts = {group: s for (of, group), s in open_.items() if of is kind}
            found += self._of_kind(kind, shifts, turn.now) if shifts else []
        self._told = {finding.key for finding in found}
        return found

    def _of_kind(self, kind: Kind, shifts: dict[int, Shift], now: float) -> list[Finding]:
        known = list(self._explained()) if kind is Kind.DROP else []
        rest = {g: s for g, s in shifts.items() if not self._is_explained(s, known)}
        for gone in shifts.keys() - rest.keys():
            self.ended[self._key(kind, gone)] = "what is missing is told as silence or errors"
        found: list[Finding] = []
        self._with = {}
        for level in _WIDE:
            for group in [g for g in rest if self._names(g).level is level]:
                if group in rest and (one := self._one_cause(group, rest)) is not None:
                    beside = self._beside(one, group, rest)
                    self._with[one] = [*self._with.get(one, []), group, *beside]
                    for gone in (group, *beside):
                        del rest[gone]
                elif group in rest and self._is_held_for_one(kind, group, rest, now):
                    del rest[group]
                elif group in rest:
                    below = self._below(group, rest)
                    found.append(self._one(kind, group, rest.pop(group), below, now))
                    for member in below:
                        del rest[member]
        found += self._together(kind, rest, now)
        alone = [group for group, shift in rest.items() if not self._is_held(kind, shift, now)]
        return found + [self._one(kind, group, rest[group], [], now) for group in alone]

    def _is_held(self, kind: Kind, shift: Shift, now: float) -> bool:
        """Whether a level above looks like it too, and will be proven a little later."""
        names = self._names(shift.group)
        if self._key(kind, shift.group) in self._told or now - shift.fired_at >= _HOLD_S:
            return False
        above = [Names(Level.PLATFORM), Names(Level.INTEGRATION, None, None, names.integration)]
        above += [Names(Level.TENANT, names.tenant)]
        groups = [g for g in map(self._levels.find, above) if g is not None and g != shift.group]
        return bool(self._suspicious(kind, groups))

    def _names(self, group: int) -> Names:
        return self._levels.groups[group]

    def _key(self, kind: Kind, group: int) -> str:
        return shift_key(kind, self._names(group))

    def _is_explained(self, shift: Shift, known: list[Explained]) -> bool:
        names = self._names(shift.group)
        related = [one for one in known if overlap(names, one.names)]
        if any(_holds(one.names, names) for one in related):
            return True
        return sum(one.messages for one in related) >= _EXPLAINS * shift.missing > 0.0

    def _is_held_for_one(
        self, kind: Kind, group: int, rest: Mapping[int, Shift], now: float
    ) -> bool:
        """Whether no more than one customer seems to be behind it, though most are judged.

        What one customer does is told as that customer's, a little later; what none shows is the
        chance of a batch that is larger than all others.
        """
        is_told = self._key(kind, group) in self._told
        if is_told or self._names(group).level is Level.TENANT:
            return False
        members = list(self._levels.members.get(group))
        looks = {m for m in members if m in rest} | set(self._suspicious(kind, members))
        if len(looks) == 1 and now - rest[group].fired_at < _HOLD_ONE_S:
            return True
        judged = sum(map(self._per_hour, members))
        return len(looks) < 1 and judged >= _MOST * self._per_hour(group)

    def _one_cause(self, group: int, rest: Mapping[int, Shift]) -> int | None:
        """The member that makes most of it, so that it is told instead; None: there is none."""
        every = list(self._levels.members.get(group))
        level = self._names(group).level
        if level is Level.PLATFORM:
            every += self._levels.of_level(Level.INTEGRATION)
        if level is Level.TENANT and self._levels.channel_rows[group, Channel.IN] >= 0:
            # Deliveries follow what is received, and are its cause only where that is unknown.
            every = [m for m in every if self._names(m).level is Level.SOURCE]
        of_level = Counter(self._names(m).level for m in every)
        members = [
            m
            for m in every
            if m in rest and (of_level[(at := self._names(m).level)] > 1 or at is Level.TENANT)
        ]
        one = max(members, key=lambda m: rest[m].missing, default=None)
        is_most = one is not None and rest[one].missing >= _MOST * rest[group].missing
        return one if is_most else None

    def _beside(self, one: int, group: int, rest: Mapping[int, Shift]) -> list[int]:
        """What shows the same messages as `one` by another tag, below the same level."""
        names, of = self._names(one), self._names(group)
        return [
            other
            for other, shift in rest.items()
            if other not in {one, group}
            and overlap(names, self._names(other))
            and _holds(of, self._names(other))
            and not _holds(names, self._names(other))
            and shift.since >= rest[one].since - _TOGETHER_S
        ]

    def _below(self, group: int, rest: Mapping[int, Shift]) -> list[int]:
        names, since = self._names(group), rest[group].since
        return [
            other
            for other, shift in rest.items()
            if other != group
            and (
                _holds(names, self._names(other))
                or (names.level is Level.INTEGRATION and overlap(names, self._names(other)))
            )
            and self._names(other).level is not Level.PLATFORM
            and shift.since >= since - _TOGETHER_S
        ]

    def _together(self, kind: Kind, rest: dict[int, Shift], now: float) -> list[Finding]:
        """Customers that changed together; they are taken out of `rest`."""
        found = []
        for level, cause_of, subject, least in _CAUSES:
            by_cause: dict[Names, list[int]] = {}
            for group in rest:
                if self._names(group).level is level:
                    by_cause.setdefault(cause_of(self._names(group)), []).append(group)
            for cause, groups in by_cause.items():
                part = self._largest_part(groups, rest, _SAME_DAY_S if subject else _TOGETHER_S)
                if len(part) >= (1 if key(kind, cause.scope, subject) in self._told else least):
                    shifts = [rest.pop(group) for group in part]
                    found.append(self._common(kind, cause, subject, shifts, now))
        return found

    def _largest_part(
        self, groups: list[int], rest: Mapping[int, Shift], together_s: float
    ) -> list[int]:
        """Those that began together."""
        parts: list[list[int]] = []
        for group in sorted(groups, key=lambda g: rest[g].since):
            if parts and rest[group].since - rest[parts[-1][0]].since <= together_s:
                parts[-1].append(group)
            else:
                parts.append([group])
        return max(parts, key=len, default=[])

    def _one(self, kind: Kind, group: int, shift: Shift, below: list[int], now: float) -> Finding:
        names = self._names(group)
        tenants = self._levels.tenants_of(group)
        named: list[str] = []
        if names.level is Level.INTEGRATION:
            members = list(self._levels.members.get(group))
            looks = [m for m in members if m in below] or self._suspicious(kind, members)
            named = [self._names(m).tenant or "" for m in looks]
        return Finding(
            kind,
            names.scope,
            self._severity(kind, names.level, [shift]),
            _suspect(names.level),
            shift.since,
            sentence(names, [shift], named, len(tenants), now),
            evidence([shift]),
            tuple(named or tenants),
            covers=tuple(self._key(kind, other) for other in [*below, *self._with.get(group, [])]),
        )

    def _common(
        self, kind: Kind, cause: Names, subject: str, shifts: list[Shift], now: float
    ) -> Finding:
        shifts = sorted(shifts, key=lambda s: -s.missing)
        group = self._levels.find(cause)
        tenants = list(dict.fromkeys(self._names(s.group).tenant or "" for s in shifts))
        total = len(self._levels.tenants_of(group)) if group is not None else len(tenants)
        return Finding(
            kind,
            cause.scope,
            self._severity(kind, cause.level, shifts),
            _suspect(cause.level),
            min(s.since for s in shifts),
            sentence(cause, shifts, tenants, total, now),
            evidence(shifts),
            tuple(tenants),
            subject,
            covers=tuple(self._key(kind, s.group) for s in shifts),
        )

    def _severity(self, kind: Kind, level: Level, shifts: list[Shift]) -> Severity:
        """A ticket for a surge and until three weeks are learned; then by harm."""
        if kind is Kind.SURGE or not any(s.is_old for s in shifts):
            return Severity.P4
        lost = 1.0 - sum(s.counted for s in shifts) / max(sum(s.expected for s in shifts), 1e-9)
        if level is Level.PLATFORM and lost >= 0.4:
            return Severity.P1
        return Severity.P2 if level >= Level.INTEGRATION and lost >= 0.4 else Severity.P3


_CAUSES: tuple[tuple[Level, Callable[[Names], Names], str, int], ...] = (
    (Level.SOURCE, lambda n: Names(Level.TENANT, n.tenant), "", 2),
    (Level.TENANT_INTEGRATION, lambda n: Names(Level.TENANT, n.tenant), "", 2),
    (
        Level.TENANT_INTEGRATION,
        lambda n: Names(Level.INTEGRATION, None, None, n.integration),
        "",
        2,
    ),
    (Level.TENANT, lambda _: Names(Level.PLATFORM), SEVERAL, 3),
)
"""Level of those that changed together, what they have in common, and how many are needed."""
_KINDS = (Kind.DROP, Kind.SURGE)


def _holds(outer: Names, inner: Names) -> bool:
    """Whether all messages of `inner` count in `outer` too."""
    return outer.level is not Level.FLOW and all(
        o is None or o == i for o, i in zip(outer.scope, inner.scope, strict=True)
    )


def _suspect(level: Level) -> Suspected:
    if level in {Level.TENANT, Level.SOURCE}:
        return Suspected.CUSTOMER
    if level in {Level.TENANT_INTEGRATION, Level.INTEGRATION}:
        return Suspected.INTEGRATION
    return Suspected.PLATFORM
