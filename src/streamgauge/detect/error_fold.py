"""Makes one finding of failures that have one cause.

Two or more customers of one integration that begin to fail within an hour, and for the same
reason, are one incident of it, with the affected few named; three, where the reason speaks of keys
or messages, which are each customer's own. A single customer's finding is held for a moment while
others of its integration look bad too, so that the wider one can be told instead. What was told of
a customer as a whole stays that, however many of its integrations still fail.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import numpy as np

from streamgauge.detect.arrays import Floats
from streamgauge.detect.error_kin import SAME_ONSET_S, Kin, flows_of
from streamgauge.detect.error_words import Told, error_key, sentence, suspect
from streamgauge.detect.failing import Failing
from streamgauge.detect.levels import Level, Levels, Names
from streamgauge.detect.reasons import Reasons
from streamgauge.detect.tree import overlap
from streamgauge.model.finding import Finding
from streamgauge.model.words import Kind, Severity

_NOBODY: Mapping[int, Failing] = MappingProxyType({})
HOLD_S = 40.0
"""What is not one delivery's: a part of one, a customer as a whole, the platform."""
HOLD_WHILE_OTHERS_S = 50.0
HOLD_PART_S = 900.0
"""A part of a delivery, while the whole looks bad as well."""
_SUSPICIOUS_NATS, _LOOKS_NATS = 3.0, 1.0


def fold_errors(
    open_: dict[int, Failing],
    suspicious: Floats,
    told: set[str],
    levels: Levels,
    reasons: Reasons,
    now: float,
    well: Mapping[int, Failing] = _NOBODY,
) -> list[Finding]:
    """The fewest findings that explain every failing group.

    Args:
        open_: failing groups.
        suspicious: nats [groups] against every group, proven or not.
        told: keys told at the last turn; those are not held back.
        levels: names and members of groups.
        reasons: why messages failed.
        now: epoch seconds.
        well: customers of a told integration that failed and are well again.
    """
    fold = _Fold(open_, suspicious, told, levels, reasons, now, well)
    return fold.findings()


class _Fold:
    def __init__(
        self,
        open_: dict[int, Failing],
        suspicious: Floats,
        told: set[str],
        levels: Levels,
        reasons: Reasons,
        now: float,
        well: Mapping[int, Failing],
    ) -> None:
        self._well = well
        self._open, self._suspicious, self._told = open_, suspicious, told
        self._levels, self._reasons, self._now = levels, reasons, now
        self._found: list[Finding] = []
        self._done: set[int] = set()
        self._kin = Kin(open_, well, levels, reasons)

    def findings(self) -> list[Finding]:
        if not self._open:
            return []
        for customer in self._customers():
            self._customer_everywhere(customer)
        integrations = {self._names(g).integration for g in self._of(Level.TENANT_INTEGRATION)}
        integrations |= {self._names(g).integration for g in self._of(Level.INTEGRATION)}
        for integration in sorted(name for name in integrations if name):
            self._integration(integration)
        for level in (Level.TENANT, Level.FLOW, Level.SOURCE, Level.PLATFORM):
            for group in self._of(level):
                self._rest(group)
        return self._found

    def _names(self, group: int) -> Names:
        return self._levels.groups[group]

    def _of(self, level: Level) -> list[int]:
        return [g for g in self._open if self._names(g).level is level]

    def _members(self, group: int) -> list[int]:
        return [m for m in self._levels.members.get(group) if m in self._open]

    def _integration_of(self, group: int) -> int | None:
        return self._levels.find(
            Names(Level.INTEGRATION, None, None, self._names(group).integration)
        )

    def _customers(self) -> list[int]:
        """Customers that fail as a whole, or that were told so and still fail somewhere."""
        found = self._of(Level.TENANT)
        for group in self._of(Level.TENANT_INTEGRATION):
            names = Names(Level.TENANT, self._names(group).tenant)
            customer = self._levels.find(names) if error_key(names) in self._told else None
            if customer is not None and customer not in found:
                found.append(customer)
        return found

    def _customer_everywhere(self, customer: int) -> None:
        """One customer failing on several integrations whose other customers are fine."""
        deliveries = [
            m for m in self._members(customer) if self._names(m).level is Level.TENANT_INTEGRATION
        ]
        alone = [m for m in deliveries if self._is_alone(m)]
        is_told = error_key(self._names(customer)) in self._told
        is_everywhere = len(alone) >= 2 and len(alone) == len(deliveries)
        if is_everywhere or (is_told and (alone or not deliveries)):
            self._done |= {customer, *alone}
            self._tell(customer, [customer] if customer in self._open else alone, alone)

    def _is_alone(self, delivery: int) -> bool:
        """Whether no other customer of the integration began to fail with this one."""
        above = self._integration_of(delivery)
        if above is None:
            return True
        members = self._members(above)
        if error_key(self._names(above)) in self._told:
            return delivery not in self._kin.of_incident(above, members)
        return not self._kin.is_several(self._kin.together(members, delivery))

    def _integration(self, integration: str) -> None:
        group = self._levels.find(Names(Level.INTEGRATION, None, None, integration))
        if group is None:
            return
        failing = self._members(group)
        members = [m for m in failing if m not in self._done]
        is_told = error_key(self._names(group)) in self._told
        is_proven = group in self._open and (not failing or self._open[group].is_of_several)
        together = members
        if is_told:
            together = self._kin.of_incident(group, members)
        elif is_proven:
            since = self._open[group].since
            together = [m for m in members if abs(self._open[m].since - since) <= SAME_ONSET_S]
        elif members:
            together = max((self._kin.together(members, m) for m in members), key=len)
        is_sure = any(not self._open[m].is_borne for m in together)
        if is_proven or (is_sure and (is_told or self._kin.is_several(together))):
            again = [m for m in self._levels.members.get(group) if m in self._well]
            again = [m for m in again if m not in together]
            self._tell(group, [*together, *again] or [group], together)
            members = [m for m in members if m not in together]
        for member in members:
            if not (self._open[member].is_borne or self._is_held_for_others(member, group)):
                self._tell(member, [member], [])
        self._done |= {group, *failing}

    def _rest(self, group: int) -> None:
        """What no integration explains: a stage before it, a pipeline, many things a little."""
        if group in self._done or self._is_told_below(group):
            return
        if not (self._is_fresh(group, HOLD_S) or self._is_held_as_part(group)):
            self._tell(group, [group], [])
        self._done.add(group)

    def _is_told_below(self, group: int) -> bool:
        """Whether a group already dealt with shares this one's failures."""
        names = self._names(group)
        return any(overlap(names, self._names(other)) for other in self._done & set(self._open))

    def _is_held_as_part(self, group: int) -> bool:
        """Whether the delivery that a flow is a part of, or all of a customer, may be told soon."""
        names = self._names(group)
        if names.tenant is None:
            return False
        customer = self._levels.find(Names(Level.TENANT, names.tenant))
        below = [] if customer is None else self._levels.members.get(customer)
        deliveries = [
            m
            for m in below
            if self._names(m).level is Level.TENANT_INTEGRATION and overlap(names, self._names(m))
        ]
        if names.level is Level.TENANT:
            looks = sum(self._suspicious[m] >= _LOOKS_NATS for m in deliveries)
            return looks == 1 and len(deliveries) > 1 and self._is_fresh(group, np.inf)
        looks = sum(self._suspicious[m] >= _SUSPICIOUS_NATS for m in deliveries)
        return looks > 0 and self._is_fresh(group, HOLD_PART_S)

    def _is_held_for_others(self, delivery: int, integration: int) -> bool:
        """Whether other customers of the integration, or the customer elsewhere, look bad too."""
        customer = self._levels.find(Names(Level.TENANT, self._names(delivery).tenant))
        beside = [*self._levels.members.get(integration)]
        if customer is not None:
            beside += [
                m
                for m in self._levels.members.get(customer)
                if self._names(m).level is Level.TENANT_INTEGRATION
            ]
        looks = any(self._suspicious[m] >= _SUSPICIOUS_NATS for m in beside if m != delivery)
        return looks and self._is_fresh(delivery, HOLD_WHILE_OTHERS_S)

    def _is_fresh(self, group: int, hold_s: float) -> bool:
        """Whether it was never told, and is known for less than `hold_s`."""
        is_told = error_key(self._names(group)) in self._told
        return not is_told and self._now - self._open[group].fired_at < hold_s

    def _tell(self, group: int, shown: list[int], covered: Iterable[int]) -> None:
        shown_now = [self._open.get(g) or self._well[g] for g in shown]
        told = self._told_of(self._names(group), sorted(shown_now, key=lambda f: -f.failed))
        if told.top:
            told.failing[0].reason = told.reason
        most = max(failing.nats for failing in told.failing)
        ratio = told.failed / max(told.total, 1)
        suspected, why = suspect(told)
        self._found.append(
            Finding(
                Kind.ERRORS,
                told.names.scope,
                self._severity(told.names.level, ratio),
                suspected,
                min(failing.since for failing in told.failing),
                sentence(told, self._now),
                {
                    "failed_count": told.failed,
                    "total_count": told.total,
                    "error_ratio": round(ratio, 4),
                    "usual_ratio": round(max(f.usual for f in told.failing), 5),
                    "evidence_nats": round(most, 1),
                    "p_value": float(np.exp(-min(most, 700.0))),
                    "top_reasons": [f"{reason} ({count:,})" for reason, count in told.top],
                    "why_suspected": why,
                },
                told.affected,
                subject=told.names.stage or "",
                covers=tuple(error_key(self._names(g)) for g in covered if g != group),
            )
        )

    def _told_of(self, names: Names, failing: list[Failing]) -> Told:
        tenants = [t for f in failing for t in self._levels.tenants_of(f.group)]
        flows = flows_of(self._levels, [self._names(f.group) for f in failing])
        since = min(f.since for f in failing)
        integration = (
            self._levels.find(Names(Level.INTEGRATION, None, None, names.integration))
            if names.integration
            else None
        )
        return Told(
            names,
            failing,
            tuple(dict.fromkeys(tenants)),
            self._reasons.top(flows, int(since // 60)),
            0 if integration is None else len(self._levels.tenants_of(integration)),
            sum(f.group not in self._open for f in failing),
        )

    def _severity(self, level: Level, ratio: float) -> Severity:
        platform = self._levels.find(Names(Level.PLATFORM))
        whole = self._open.get(platform) if platform is not None else None
        if level is Level.PLATFORM or (whole is not None and whole.failed > 0.4 * whole.total):
            return Severity.P1
        return Severity.P2 if level is Level.INTEGRATION and ratio > 0.05 else Severity.P3
