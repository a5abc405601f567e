"""To whom a loss is told: the narrowest scope that explains the units which fall short together."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from streamgauge.model.flow import PLATFORM, Scope

_TOGETHER_HOURS = 2

Together = dict[tuple[str, int], set[str | None]]
"""Who falls short, by a name and by the hour at which they began."""


class Place(NamedTuple):
    """Something that is weighed: a unit, or a level above units."""

    is_level: bool
    number: int


def causes(
    open_: Mapping[Place, Scope],
    bad: Mapping[Place, Scope],
    missing: Mapping[Place, float],
    since_hour: Mapping[Place, int],
) -> dict[Place, Scope]:
    """The scope under which each open place is told.

    1. Customers that fall short in one integration, two at least, are the integration's;
       integrations in which one customer falls short, two at least, are the customer's; the larger
       of the two holds. Two integrations with two customers each, half of them the same, are the
       platform's. Together is what began within two hours of each other.
    2. A level whose loss is that of units below it is told as they are; else by its own name.

    Args:
        open_: places with an open loss, and their own scopes.
        bad: units that fall short, open or not.
        missing: messages missing in each place of both.
        since_hour: in which hour each of `bad` began.
    """
    units = {place: scope for place, scope in bad.items() if not place.is_level}
    customers: Together = defaultdict(set)
    integrations: Together = defaultdict(set)
    sources = Counter(scope._replace(source=None) for scope in units.values())
    units = {p: s._replace(source=None) if sources[s._replace(source=None)] > 1 else s
             for p, s in units.items()}  # fmt: skip
    for place, scope in units.items():
        for hour in _near(since_hour[place]):
            if scope.integration is not None and scope.tenant is not None:
                customers[scope.integration, hour].add(scope.tenant)
                integrations[scope.tenant, hour].add(scope.integration)
    told = {p: _cause(s, since_hour[p], customers, integrations) for p, s in units.items()}
    found = {place: told[place] for place in open_ if place in told}
    levels = [place for place in open_ if place not in found]
    for place in sorted(levels, key=lambda place: -sum(part is not None for part in open_[place])):
        found[place] = _level_cause(place, open_, units, told, missing, found)
    return found


def widest(scope: Scope, told: Iterable[Scope]) -> Scope:
    """What is told of a scope is told of all within it."""
    wider = [other for other in told if is_within(scope, other)]
    return min(wider, key=lambda other: sum(part is not None for part in other), default=scope)


def _near(hour: int) -> range:
    return range(hour - _TOGETHER_HOURS, hour + _TOGETHER_HOURS + 1)


def _is_of_all(hour: int, customers: Together) -> bool:
    wide = [who for (_, at), who in customers.items() if at == hour and len(who) > 1]
    shared = set.intersection(*wide) if wide else set()
    return len(wide) > 1 and len(shared) >= max(2, len(set.union(*wide)) // 2)


def _cause(scope: Scope, hour: int, customers: Together, integrations: Together) -> Scope:
    who = customers.get((scope.integration or "", hour), set())
    where = integrations.get((scope.tenant or "", hour), set())
    if len(who) > 1 and _is_of_all(hour, customers):
        return PLATFORM
    if len(who) > 1 and len(who) >= len(where):
        return Scope(integration=scope.integration)
    if len(where) > 1:
        return Scope(tenant=scope.tenant)
    return scope


def _level_cause(
    place: Place,
    open_: Mapping[Place, Scope],
    units: Mapping[Place, Scope],
    told: Mapping[Place, Scope],
    missing: Mapping[Place, float],
    found: Mapping[Place, Scope],
) -> Scope:
    scope = open_[place]
    below = [p for p, s in units.items() if is_within(s, scope)]
    explained = sum(missing[p] for p in below)
    if below and explained >= 0.5 * missing[place]:
        return told[max(below, key=lambda p: missing[p])]
    narrower = [(p, s) for p, s in found.items() if p.is_level and is_within(open_[p], scope)]
    for p, s in narrower:
        if missing[p] >= 0.5 * missing[place]:
            return s
    return scope


def is_within(inner: Scope, outer: Scope) -> bool:
    """Whether everything of `inner` is of `outer`."""
    return all(wide is None or wide == part for part, wide in zip(inner, outer, strict=True))
