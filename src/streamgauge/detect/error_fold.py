"""Makes one finding of failures that have one cause.

Two or more customers of one integration that begin to fail within an hour are one incident of the
integration, with the affected few named. A single customer's finding is held for a moment, longer
while others of its integration look bad too, so that the wider one can be told instead. What was
told of a customer as a whole stays that, however many of its integrations still fail.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

import numpy as np

from streamgauge.detect.arrays import Floats, Ints
from streamgauge.detect.failing import Failing
from streamgauge.detect.levels import Level, Levels, Names
from streamgauge.detect.reasons import Reasons
from streamgauge.detect.sentences import at_utc, count_of, named, number, share
from streamgauge.model.finding import Finding
from streamgauge.model.words import Kind, Severity, Suspected

_NOBODY: Mapping[int, Failing] = MappingProxyType({})
HOLD_S = 40.0
HOLD_WHILE_OTHERS_S = 120.0
HOLD_PART_S = 900.0
"""A part of a delivery, while the whole looks bad as well."""
_SAME_ONSET_S = 3600.0
_SUSPICIOUS_NATS = 2.0
_CUSTOMERS_OWN = re.compile(
    r"\b(40[0134]|413|422)\b|auth|forbidden|invalid|credential|token|signature|schema|payload"
    r"|malformed|too.?large|bad.?request|not.?found",
    re.IGNORECASE,
)
"""Reasons that a vendor gives when the customer's keys or messages are wrong."""


def error_key(names: Names) -> str:
    """The key of a group's own finding."""
    return Finding(
        Kind.ERRORS,
        names.scope,
        Severity.P3,
        Suspected.UNKNOWN,
        0.0,
        "",
        subject=names.stage or "",
    ).key


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
        if above is None or error_key(self._names(above)) in self._told:
            return False
        return len(self._together(self._members(above), delivery)) == 1

    def _together(self, members: list[int], one: int) -> list[int]:
        since = self._open[one].since
        return [m for m in members if abs(self._open[m].since - since) <= _SAME_ONSET_S]

    def _integration(self, integration: str) -> None:
        group = self._levels.find(Names(Level.INTEGRATION, None, None, integration))
        if group is None:
            return
        failing = self._members(group)
        members = [m for m in failing if m not in self._done]
        is_told = error_key(self._names(group)) in self._told
        together = members
        if members and not is_told:
            together = max((self._together(members, m) for m in members), key=len)
        if len(together) >= 2 or (is_told and members) or (not failing and group in self._open):
            again = [m for m in self._levels.members.get(group) if m in self._well]
            again = [m for m in again if m not in together]
            self._tell(group, [*together, *again] or [group], together)
            members = [m for m in members if m not in together]
        for member in members:
            if not self._is_held(member, self._siblings(group, member)):
                self._tell(member, [member], [])
        self._done |= {group, *failing}

    def _siblings(self, group: int, member: int) -> list[int]:
        return [m for m in self._levels.members.get(group) if m != member]

    def _rest(self, group: int) -> None:
        """What no integration explains: a stage before it, a pipeline, many things a little."""
        if group in self._done or self._is_told_below(group):
            return
        if not (self._is_held(group, []) or self._is_held_as_part(group)):
            self._tell(group, [group], [])
        self._done.add(group)

    def _is_told_below(self, group: int) -> bool:
        """Whether a group already dealt with shares this one's failures."""
        names = self._names(group)
        return any(overlap(names, self._names(other)) for other in self._done & set(self._open))

    def _is_held_as_part(self, group: int) -> bool:
        """Whether the delivery that a flow is a part of may still be told instead."""
        names = self._names(group)
        if names.level is not Level.FLOW or not names.integration or error_key(names) in self._told:
            return False
        whole = Names(Level.TENANT_INTEGRATION, names.tenant, None, names.integration)
        above = self._levels.find(whole)
        if above is None or self._suspicious[above] < _SUSPICIOUS_NATS:
            return False
        return self._now - self._open[group].fired_at < HOLD_PART_S

    def _is_held(self, group: int, siblings: list[int]) -> bool:
        if error_key(self._names(group)) in self._told:
            return False
        age = self._now - self._open[group].fired_at
        others = any(self._suspicious[s] >= _SUSPICIOUS_NATS for s in siblings)
        return age < (HOLD_WHILE_OTHERS_S if others else HOLD_S)

    def _tell(self, group: int, shown: list[int], covered: Iterable[int]) -> None:
        shown_now = [self._open.get(g) or self._well[g] for g in shown]
        failing = sorted(shown_now, key=lambda f: -f.failed)
        names = self._names(group)
        since = min(f.since for f in failing)
        flows = _flows_of(self._levels, [self._names(f.group) for f in failing])
        top = self._reasons.top(flows, int(since // 60))
        failed, total = sum(f.failed for f in failing), sum(f.total for f in failing)
        affected = _affected(self._levels, failing)
        ratio = failed / max(total, 1)
        self._found.append(
            Finding(
                Kind.ERRORS,
                names.scope,
                self._severity(names.level, ratio),
                _suspect(names, top, len(affected)),
                since,
                self._sentence(names, failing, affected, top),
                {
                    "failed_count": failed,
                    "total_count": total,
                    "error_ratio": round(ratio, 4),
                    "usual_ratio": round(max(f.usual for f in failing), 5),
                    "evidence_nats": round(max(f.nats for f in failing), 1),
                    "p_value": float(np.exp(-min(max(f.nats for f in failing), 700.0))),
                    "top_reasons": [f"{reason} ({count:,})" for reason, count in top],
                },
                affected,
                subject=names.stage or "",
                covers=tuple(error_key(self._names(g)) for g in covered if g != group),
            )
        )

    def _severity(self, level: Level, ratio: float) -> Severity:
        platform = self._levels.find(Names(Level.PLATFORM))
        whole = self._open.get(platform) if platform is not None else None
        if level is Level.PLATFORM or (whole is not None and whole.failed > 0.4 * whole.total):
            return Severity.P1
        return Severity.P2 if level is Level.INTEGRATION and ratio > 0.05 else Severity.P3

    def _sentence(
        self,
        names: Names,
        failing: list[Failing],
        affected: tuple[str, ...],
        top: list[tuple[str, int]],
    ) -> str:
        failed, total = sum(f.failed for f in failing), sum(f.total for f in failing)
        since = min(f.since for f in failing)
        usual = max(f.usual for f in failing)
        mostly = f", mostly “{top[0][0]}”" if top else ""
        well = sum(f.group not in self._open for f in failing)
        again = f" {well} of them {'is' if well == 1 else 'are'} well again." if well else ""
        return (
            f"{self._who(names, affected)} since {at_utc(since, self._now)}: "
            f"{number(failed)} of {number(total)} failed ({share(failed / max(total, 1))})"
            f"{mostly}; usually {share(usual)} or less."
            f"{again}{self._others(names, affected)}"
        )

    def _who(self, names: Names, affected: tuple[str, ...]) -> str:
        if names.level is Level.INTEGRATION:
            total = len(self._levels.tenants_of(self._levels.find(names) or 0))
            who = f"{len(affected)} of {count_of(total, 'customer')} ({named(list(affected))})"
            return f"Integration {names.integration} fails for {who}"
        if names.level is Level.TENANT_INTEGRATION:
            return f"Integration {names.integration} fails for customer {names.tenant}"
        if names.level is Level.TENANT:
            return f"Messages of customer {names.tenant} fail"
        if names.level is Level.PLATFORM:
            return "Messages fail all over the platform"
        stage = f" at stage {names.stage}" if names.stage else ""
        return f"Messages of {names.scope.describe()} fail{stage}"

    def _others(self, names: Names, affected: tuple[str, ...]) -> str:
        if names.level not in {Level.INTEGRATION, Level.TENANT_INTEGRATION}:
            return ""
        group = self._levels.find(Names(Level.INTEGRATION, None, None, names.integration))
        rest = len(self._levels.tenants_of(group if group is not None else 0)) - len(affected)
        if rest <= 0:
            return ""
        return " The other customer is fine." if rest == 1 else f" The other {rest} are fine."


def overlap(a: Names, b: Names) -> bool:
    """Whether one message can count in both."""
    return all(x is None or y is None or x == y for x, y in zip(a.scope, b.scope, strict=True))


def _affected(levels: Levels, failing: list[Failing]) -> tuple[str, ...]:
    tenants = [t for f in failing for t in levels.tenants_of(f.group)]
    return tuple(dict.fromkeys(tenants))


def _flows_of(levels: Levels, wanted: list[Names]) -> Ints:
    flows = [levels.flows_within(scope) for scope in {names.scope for names in wanted}]
    return np.unique(np.concatenate(flows)).astype(np.int32)


def _suspect(names: Names, top: list[tuple[str, int]], customers: int) -> Suspected:
    if names.level is Level.PLATFORM:
        return Suspected.PLATFORM
    reasons_own = bool(top) and all(_CUSTOMERS_OWN.search(reason) for reason, _ in top[:1])
    if customers == 1 and (reasons_own or names.level is Level.TENANT):
        return Suspected.CUSTOMER
    if names.integration is not None:
        return Suspected.INTEGRATION
    return Suspected.PLATFORM
