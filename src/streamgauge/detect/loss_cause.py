"""To whom a loss is told: the narrowest scope that explains the units which fall short together."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from streamgauge.model.flow import PLATFORM, Scope


class Place(NamedTuple):
    """Something that is weighed: a unit, or a level above units."""

    is_level: bool
    number: int


def causes(
    open_: Mapping[Place, Scope], bad: Mapping[Place, Scope], missing: Mapping[Place, float]
) -> dict[Place, Scope]:
    """The scope under which each open place is told.

    1. Customers that fall short in one integration, two at least, are the integration's;
       integrations in which one customer falls short, two at least, are the customer's; the larger
       of the two holds. Two integrations with two customers each, half of them the same, are the
       platform's.
    2. A level whose loss is that of units below it is told as they are; else by its own name.

    Args:
        open_: places with an open loss, and their own scopes.
        bad: units that fall short, open or not.
        missing: messages missing in each place of both.
    """
    units = {place: scope for place, scope in bad.items() if not place.is_level}
    customers: dict[str, set[str | None]] = defaultdict(set)
    integrations: dict[str, set[str | None]] = defaultdict(set)
    sources = Counter(scope._replace(source=None) for scope in units.values())
    units = {p: s._replace(source=None) if sources[s._replace(source=None)] > 1 else s
             for p, s in units.items()}  # fmt: skip
    for scope in units.values():
        if scope.integration is not None and scope.tenant is not None:
            customers[scope.integration].add(scope.tenant)
            integrations[scope.tenant].add(scope.integration)
    is_all = _is_of_all(customers)
    told = {p: PLATFORM if is_all else _cause(s, customers, integrations) for p, s in units.items()}
    found = {place: told[place] for place in open_ if place in told}
    levels = [place for place in open_ if place not in found]
    for place in sorted(levels, key=lambda place: -sum(part is not None for part in open_[place])):
        found[place] = _level_cause(place, open_, units, told, missing, found)
    return found


def widest(scope: Scope, told: Iterable[Scope]) -> Scope:
    """What is told of a scope is told of all within it."""
    wider = [other for other in told if is_within(scope, other)]
    return min(wider, key=lambda other: sum(part is not None for part in other), default=scope)


def _is_of_all(customers: Mapping[str, set[str | None]]) -> bool:
    wide = [who for who in customers.values() if len(who) > 1]
    shared = set.intersection(*wide) if wide else set()
    return len(wide) > 1 and len(shared) >= max(2, len(set.union(*wide)) // 2)


def _cause(
    scope: Scope,
    customers: Mapping[str, set[str | None]],
    integrations: Mapping[str, set[str | None]],
) -> Scope:
    who = customers.get(scope.integration or "", set())
    where = integrations.get(scope.tenant or "", set())
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
