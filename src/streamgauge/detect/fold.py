"""Makes one finding of silences that have one cause.

A silent level explains what is silent below it. Several customers that an integration, a source, or
the platform lost at about the same time are one finding, with the customers named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from streamgauge.detect.arrays import Floats, Ints
from streamgauge.detect.levels import Channel, Level, Levels, Names
from streamgauge.detect.sentences import count_of, named
from streamgauge.detect.shares import sent_by_all
from streamgauge.detect.silence_words import DONE, WHAT, evidence, key, key_of, sentence
from streamgauge.detect.silences import Silence
from streamgauge.detect.sums import Sums
from streamgauge.model.finding import Finding
from streamgauge.model.flow import PLATFORM, Scope
from streamgauge.model.words import Kind, Severity, Suspected

_SAME_ONSET_S = 300.0
_FOUND_ANEW_S = 600.0
"""After a restart, silences that were told are found again within this time."""
_NO_FLOWS: Ints = np.zeros(0, np.int64)


class Fold:
    """Findings of silences."""

    def __init__(self, levels: Levels, sums: Sums, mean_rate: Callable[[], Floats]) -> None:
        self._levels, self._sums, self._mean_rate = levels, sums, mean_rate
        self._told: dict[str, set[int]] = {}
        """By key, the groups of each common cause told at the last turn: while one of them is
        silent it stays one finding. Empty: told before a restart, by whom is not known."""
        self._restored_until = np.inf

    def restore(self, keys: Iterable[str]) -> None:
        """Common causes that were told before a restart stay one finding."""
        self._told |= {name: set() for name in keys if name.startswith(f"{Kind.SILENCE}/*/")}

    def findings(self, open_: dict[int, Silence], watermark: float, now: float) -> list[Finding]:
        """The fewest findings that explain every silence of `open_`."""
        told = [s for s in open_.values() if not self._is_explained(s.group, open_)]
        covered = [s for s in open_.values() if s not in told]
        found: list[Finding] = []
        for members, scope, subject in self._common_causes(told, now):
            found.append(self._common(members, scope, subject, watermark, now))
            told = [s for s in told if s not in members]
            covered += members
        flows = [s for s in told if self._names(s).level is Level.FLOW]
        found += [self._one(s, watermark, now) for s in told if s not in flows]
        found += [self._flows(part, watermark, now) for part in self._by_onset(flows)]
        return [self._covering(finding, covered) for finding in found]

    def _names(self, silence: Silence) -> Names:
        return self._levels.groups[silence.group]

    def _is_explained(self, group: int, open_: dict[int, Silence]) -> bool:
        if self._is_only_child(group, open_):
            return True
        names = self._levels.groups[group]
        return any(
            above is not None and above in open_ and not self._is_only_child(above, open_)
            for above in map(self._levels.find, self._above(names))
        )

    def _is_only_child(self, group: int, open_: dict[int, Silence]) -> bool:
        """A platform or integration of one customer is told as that customer."""
        if self._levels.groups[group].level not in {Level.PLATFORM, Level.INTEGRATION}:
            return False
        members = self._levels.members.get(group)
        return len(members) == 1 and next(iter(members)) in open_

    def _above(self, names: Names) -> Iterable[Names]:
        if names.level is not Level.PLATFORM:
            yield Names(Level.PLATFORM)
        if names.level in {Level.FLOW, Level.SOURCE, Level.TENANT_INTEGRATION}:
            yield Names(Level.TENANT, names.tenant)
        if names.level is Level.FLOW:
            yield Names(Level.SOURCE, names.tenant, names.source)
            yield Names(Level.TENANT_INTEGRATION, names.tenant, None, names.integration)
        if names.level in {Level.FLOW, Level.TENANT_INTEGRATION}:
            yield Names(Level.INTEGRATION, None, None, names.integration)
        if names.level in {Level.TENANT, Level.SOURCE}:
            only = self._only_integration(names)
            if only is not None:
                yield Names(Level.INTEGRATION, None, None, only)

    def _only_integration(self, names: Names) -> str | None:
        """The integration that is all we hear of this customer, if there is only one."""
        group = self._levels.find(Names(Level.TENANT, names.tenant))
        if group is None or self._levels.channel_rows[group, Channel.IN] >= 0:
            return None
        members = [self._levels.groups[m] for m in self._levels.members.get(group)]
        found = {m.integration for m in members if m.level is Level.TENANT_INTEGRATION}
        return found.pop() if len(found) == 1 else None

    def _common_causes(
        self, told: list[Silence], now: float
    ) -> Iterable[tuple[list[Silence], Scope, str]]:
        """Customers lost together: by one integration, from one source, or by the platform."""
        before, self._told = self._told, self._still_restored(now)
        kinds: tuple[tuple[Level, Callable[[Names], Scope], int, str], ...] = (
            (Level.TENANT_INTEGRATION, lambda n: Scope(integration=n.integration), 2, ""),
            (Level.SOURCE, lambda n: Scope(source=n.source), 3, ""),
            (Level.TENANT, lambda _: PLATFORM, 3, "several customers"),
        )
        for level, scope_of, least, subject in kinds:
            by_scope: dict[Scope, list[Silence]] = {}
            for silence in told:
                if self._names(silence).level is level:
                    by_scope.setdefault(scope_of(self._names(silence)), []).append(silence)
            for scope, members in by_scope.items():
                cause = key(scope, subject)
                part = next(iter(self._by_onset(members)), [])
                groups = {s.group for s in part}
                known = before.get(cause)
                goes_on = known is not None and (not known or bool(known & groups))
                if goes_on or len({self._names(s).tenant for s in part}) >= least:
                    self._told[cause] = groups
                    yield part, scope, subject

    def _still_restored(self, now: float) -> dict[str, set[int]]:
        """What was told before a restart is waited for, as its silences are found anew."""
        self._restored_until = min(self._restored_until, now + _FOUND_ANEW_S)
        if now > self._restored_until:
            return {}
        return {cause: groups for cause, groups in self._told.items() if not groups}

    def _by_onset(self, silences: list[Silence]) -> list[list[Silence]]:
        """Parts that began together, the largest first."""
        parts: list[list[Silence]] = []
        for silence in sorted(silences, key=lambda s: s.since):
            if parts and silence.since - parts[-1][0].since <= _SAME_ONSET_S:
                parts[-1].append(silence)
            else:
                parts.append([silence])
        return sorted(parts, key=len, reverse=True)

    def _covering(self, finding: Finding, covered: list[Silence]) -> Finding:
        tenants = set(finding.affected)
        keys = [
            key_of(self._names(s))
            for s in covered
            if finding.scope == PLATFORM
            or self._names(s).tenant in tenants
            or self._names(s).scope.integration == finding.scope.integration is not None
        ]
        return replace(finding, covers=tuple(k for k in keys if k != finding.key))

    def _share(self, silences: list[Silence]) -> float:
        """Which part of the platform's messages these silences make up, 0 … 1."""
        whole = sent_by_all(self._levels, self._mean_rate())
        return float(min(sum(s.per_hour for s in silences) / max(whole, 1e-9), 1.0))

    def _one(self, silence: Silence, watermark: float, now: float) -> Finding:
        names = self._names(silence)
        affected = tuple(self._levels.tenants_of(silence.group))
        is_filtered = self._is_filtered(silence, watermark)
        suspected = Suspected.FILTER if is_filtered else self._suspect(names)
        what = WHAT[names.level](names)
        return Finding(
            Kind.SILENCE,
            names.scope,
            self._severity(names.level, [silence]),
            suspected,
            silence.since,
            sentence(what, silence.since, silence.expected, silence.per_hour, watermark, now)
            + (
                " Its messages are filtered instead."
                if is_filtered
                else self._hint(names, affected)
            ),
            evidence([silence], watermark),
            affected,
        )

    def _suspect(self, names: Names) -> Suspected:
        if names.level in {Level.TENANT, Level.SOURCE}:
            return Suspected.CUSTOMER
        if names.level in {Level.TENANT_INTEGRATION, Level.INTEGRATION}:
            return Suspected.INTEGRATION
        return Suspected.PLATFORM

    def _is_filtered(self, silence: Silence, watermark: float) -> bool:
        """Whether filters took out at least half of what is missing; they may do so before the
        message is bound for an integration.
        """
        names = self._names(silence)
        if names.level not in {Level.TENANT_INTEGRATION, Level.INTEGRATION, Level.FLOW}:
            return False
        within = Scope(names.tenant, integration="")
        flows = self._levels.flows_within(within) if names.tenant else _NO_FLOWS
        groups = self._levels.row_group[self._levels.flow_rows[flows, 0]]
        before = groups[self._levels.group_level[groups] == Level.FLOW].tolist()
        rows = [row for g in {silence.group, *before} for row in self._levels.rows_of(g)]
        return self._sums.filtered_since(rows, silence.since, watermark) >= max(
            0.5 * silence.expected, 1.0
        )

    def _hint(self, names: Names, affected: tuple[str, ...]) -> str:
        """What still speaks, which tells whose side it is on."""
        group = self._levels.find(Names(Level.TENANT, names.tenant))
        has_inbound = group is not None and self._levels.channel_rows[group, Channel.IN] >= 0
        if names.level is Level.SOURCE:
            return " Its other sources still send."
        if names.level is Level.TENANT_INTEGRATION:
            return (
                " Its messages are still received."
                if has_inbound
                else " Its other integrations still get theirs."
            )
        if names.level is Level.INTEGRATION:
            return f" {count_of(len(affected), 'customer')} affected: {named(list(affected))}."
        return ""

    def _severity(self, level: Level, silences: list[Silence]) -> Severity:
        part = self._share(silences)
        if level is Level.PLATFORM or part > 0.4:
            return Severity.P1
        if part > 0.1 or level is Level.INTEGRATION:
            return Severity.P2
        return Severity.P3

    def _common(
        self, members: list[Silence], scope: Scope, subject: str, watermark: float, now: float
    ) -> Finding:
        members = sorted(members, key=lambda s: -s.per_hour)
        tenants = list(dict.fromkeys(self._names(s).tenant or "" for s in members))
        since, expected = members[0].since, sum(s.expected for s in members)
        level = Level.INTEGRATION if scope.integration else Level.TENANT
        who = f"{count_of(len(tenants), 'customer')} ({named(tenants)})"
        if scope.integration:
            total = len(self._levels.tenants_of(self._group_of_integration(scope.integration)))
            who = f"Integration {scope.integration} has delivered nothing for {len(tenants)} of "
            what = f"{who}{total} customers ({named(tenants)})"
            suspected = Suspected.INTEGRATION
        else:
            source = f" from source {scope.source}" if scope.source else ""
            verb = "has" if len(tenants) == 1 else "have"
            what = f"{who} {verb} sent nothing{source}"
            suspected = Suspected.PLATFORM
        return Finding(
            Kind.SILENCE,
            scope,
            self._severity(level, members),
            suspected,
            since,
            sentence(what, since, expected, sum(s.per_hour for s in members), watermark, now),
            evidence(members, watermark),
            tuple(tenants),
            subject,
        )

    def _group_of_integration(self, integration: str) -> int:
        group = self._levels.find(Names(Level.INTEGRATION, None, None, integration))
        return group if group is not None else 0

    def _flows(self, silences: list[Silence], watermark: float, now: float) -> Finding:
        """Flows of one customer that stopped together, though nothing above them did."""
        names = [self._names(s) for s in silences]
        common = Scope(
            *(
                values.pop() if len(values := {n.scope[k] for n in names}) == 1 else None
                for k in range(4)
            )
        )
        stages = sorted({n.stage or "" for n in names})
        tenants = tuple(dict.fromkeys(n.tenant or "" for n in names))
        largest = max(silences, key=lambda s: s.per_hour)
        what = f"Nothing {DONE.get(stages[0], 'at stage ' + stages[0])} for {common.describe()}"
        return Finding(
            Kind.SILENCE,
            common,
            self._severity(Level.FLOW, [largest]),
            Suspected.PLATFORM,
            largest.since,
            sentence(what, largest.since, largest.expected, largest.per_hour, watermark, now)
            + " The rest of it still speaks.",
            evidence(silences, watermark) | {"stages": stages},
            tenants,
            "+".join(stages),
        )
