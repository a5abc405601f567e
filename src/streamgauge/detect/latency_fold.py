"""Makes one finding of latencies that have one cause.

The platform is slow when most of its integrations are. An integration is slow when it is so by
itself with more than one customer, or when two or more customers of it are; a customer when two or
more of its integrations are, which are well for others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from streamgauge.detect.latency_recent import Recent
from streamgauge.detect.latency_words import evidence, latency_key, sentence
from streamgauge.detect.levels import Level, Levels, Names
from streamgauge.detect.slow import Slow
from streamgauge.detect.watcher import Turn
from streamgauge.model.finding import Finding
from streamgauge.model.words import Kind, Severity, Suspected

_MOST_OF = 0.6
_HOLD_S = 120.0
_TICKET_RATIO = 0.25
"""Fewer slow messages are no reason to wake anybody."""


class LatencyFold:
    """Findings of levels that are slow."""

    def __init__(
        self, levels: Levels, suspicious: Callable[[list[int]], list[int]], recent: Recent
    ) -> None:
        self._levels, self._suspicious, self._recent = levels, suspicious, recent
        self._told: set[str] = set()

    def restore(self, keys: Iterable[str]) -> None:
        """What was told of an integration before a restart stays one finding."""
        self._told |= {key for key in keys if key.startswith(f"{Kind.LATENCY}/")}

    def findings(self, open_: Mapping[int, Slow], turn: Turn) -> list[Finding]:
        """The fewest findings that explain every level of `open_`."""
        rest, found = dict(open_), []
        platform = self._levels.platform()
        if rest and platform is not None and self._is_everywhere(rest):
            worst = rest.get(platform) or max(rest.values(), key=lambda s: s.nats)
            found.append(self._tell(platform, worst, list(rest), turn))
            rest = {}
        rest.pop(-1 if platform is None else platform, None)
        for customer in self._of(rest, Level.TENANT):
            self._customer(customer, rest, found, turn)
        integrations = {self._names(g).integration for g in rest if self._names(g).integration}
        for name in sorted(name for name in integrations if name):
            self._integration(name, rest, found, turn)
        found += [self._tell(group, slow, [], turn) for group, slow in rest.items()]
        self._told = {finding.key for finding in found}
        return found

    def _names(self, group: int) -> Names:
        return self._levels.groups[group]

    def _of(self, rest: Mapping[int, Slow], level: Level) -> list[int]:
        return [group for group in rest if self._names(group).level is level]

    def _is_everywhere(self, rest: Mapping[int, Slow]) -> bool:
        """Whether most integrations are slow, two at least."""
        own = self._of(rest, Level.INTEGRATION)
        slow = [group for group in own if not self._is_of_one(group, rest)]
        if not slow:
            return False
        all_ = self._levels.of_level(Level.INTEGRATION)
        looks = self._suspicious([group for group in all_ if group not in own])
        return len(slow) + len(looks) >= max(2.0, _MOST_OF * len(all_))

    def _is_of_one(self, integration: int, rest: Mapping[int, Slow]) -> bool:
        """Whether one customer of several makes it slow."""
        every = self._levels.members.get(integration)
        hurt = {self._names(m).tenant for m in every if m in rest}
        hurt |= {self._names(m).tenant for m in self._suspicious(list(every))}
        return len(hurt) == 1 and len(every) > 1

    def _customer(
        self, customer: int, rest: dict[int, Slow], found: list[Finding], turn: Turn
    ) -> None:
        """A customer is told where its integrations are slow for nobody else, or it has none."""
        tenant = self._names(customer).tenant
        deliveries = [
            g for g in self._of(rest, Level.TENANT_INTEGRATION) if self._names(g).tenant == tenant
        ]
        alone = [g for g in deliveries if self._is_alone(g, rest)]
        slow = rest.pop(customer)
        if len(alone) >= 2 or not (deliveries or self._has_slow_integration(customer, rest)):
            for member in alone:
                del rest[member]
                of = self._levels.find(
                    Names(Level.INTEGRATION, None, None, self._names(member).integration)
                )
                rest.pop(-1 if of is None else of, None)
            found.append(self._tell(customer, slow, alone, turn))

    def _has_slow_integration(self, customer: int, rest: Mapping[int, Slow]) -> bool:
        mine = {self._names(m).integration for m in self._levels.members.get(customer)}
        return any(self._names(g).integration in mine for g in self._of(rest, Level.INTEGRATION))

    def _is_alone(self, delivery: int, rest: Mapping[int, Slow]) -> bool:
        """Whether its integration is slow for nobody else."""
        name = self._names(delivery).integration
        group = self._levels.find(Names(Level.INTEGRATION, None, None, name))
        every = () if group is None else self._levels.members.get(group)
        return [m for m in every if m in rest] == [delivery] and not self._suspicious(
            [m for m in every if m != delivery]
        )

    def _integration(
        self, name: str, rest: dict[int, Slow], found: list[Finding], turn: Turn
    ) -> None:
        group = self._levels.find(Names(Level.INTEGRATION, None, None, name))
        if group is None:
            return
        every = self._levels.members.get(group)
        members = [m for m in every if m in rest]
        own = rest.pop(group, None)
        looks = self._suspicious([m for m in every if m not in members]) if own else []
        is_told = latency_key(self._names(group)) in self._told
        is_of_one = len(every) > 1 and len(members) + len(looks) == 1
        # Its customers are proven slow a little later than all of them together.
        is_held = own and not members and len(every) > 1 and turn.now - own.fired_at < _HOLD_S
        is_wide = own and not is_of_one and not is_held
        if len(members) >= 2 or is_wide or (is_told and (members or own)):
            slow = own or max((rest[m] for m in members), key=lambda s: s.nats)
            found.append(self._tell(group, slow, members, turn, [*members, *looks]))
            for member in members:
                del rest[member]

    def _tell(
        self,
        group: int,
        slow: Slow,
        covered: list[int],
        turn: Turn,
        hurt: Iterable[int] = (),
    ) -> Finding:
        names = self._names(group)
        every = self._levels.tenants_of(group)
        tenants = list(dict.fromkeys(self._names(m).tenant or "" for m in hurt)) or every
        median = self._median(names, [self._names(m) for m in hurt])
        return Finding(
            Kind.LATENCY,
            names.scope,
            _severity(names.level, slow, len(tenants), len(every)),
            _suspect(names.level),
            slow.since,
            sentence(names, slow, tenants, len(every), turn.now, median),
            evidence(slow, median),
            tuple(tenants),
            covers=tuple(latency_key(self._names(g)) for g in covered if g != group),
        )

    def _median(self, names: Names, hurt: list[Names]) -> float | None:
        scopes = [one.scope for one in hurt] or [names.scope]
        flows = np.concatenate([self._levels.flows_within(scope) for scope in scopes])
        return self._recent.quantile(flows, 0.5)


def _severity(level: Level, slow: Slow, hurt: int, customers: int) -> Severity:
    """A whole integration or the platform is P2, one customer P3, a few slow messages a ticket."""
    if slow.share < _TICKET_RATIO:
        return Severity.P4
    is_whole = level is Level.PLATFORM or (
        level is Level.INTEGRATION and customers > 1 and hurt >= _MOST_OF * customers
    )
    return Severity.P2 if is_whole else Severity.P3


def _suspect(level: Level) -> Suspected:
    if level in {Level.INTEGRATION, Level.TENANT_INTEGRATION}:
        return Suspected.INTEGRATION
    return Suspected.CUSTOMER if level is Level.TENANT else Suspected.PLATFORM
