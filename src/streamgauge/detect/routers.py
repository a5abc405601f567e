"""Routers as senders: one that stops makes what came through it unknown, not silent.

Each turn, for every router that is quiet for most of its usual interval (late: for 10 s more):

1. Its own flows are those that came (nearly) only through it. None of them: it is *gone*, and
   nobody need know; so are instances that autoscaling takes away.
2. At least half of what they usually bring was heard since, so by other ways: it was replaced, or
   its customers were sent elsewhere. It is gone.
3. Else its own flows that spoke until then are held: no silence of theirs opens while it may be a
   restart. Not so where most routers are late at once: that is no router's.
4. When its flows were quiet since its last report, and that is evidence enough, the router is
   *blind*: one finding names it, and they are hidden. It takes more than one of its customers,
   unless it reports without messages too: of one that is late alone the customer is judged.

Blindness ends when the router reports again, or when its flows come by other ways.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

import numpy as np

from streamgauge.detect.arrays import Bools, Floats, Ints
from streamgauge.detect.budget import FalsePages
from streamgauge.detect.habit import Habit
from streamgauge.detect.levels import Levels
from streamgauge.detect.router_loss import lost_with
from streamgauge.detect.router_table import STALE_S, UNKNOWN_INTERVAL_S, RouterTable
from streamgauge.detect.router_words import Lost, blind_prefix, router_finding
from streamgauge.detect.sentences import at_utc, duration
from streamgauge.detect.silence import SilenceEvidence
from streamgauge.detect.sums import Sums
from streamgauge.model.finding import Finding
from streamgauge.model.router import RouterState, RouterStatus

_STAGGER_S = 10.0
_MOST_OF_USUAL = 0.8
"""One empty minute proves a busy customer quiet, and says nothing of a router that reports once in
it."""
_LEAST_S = 210.0
"""No router is told to have stopped sooner: a restart takes up to three minutes."""
_ONLY = 0.9
"""Of a flow's reports: it comes through this router only."""
_MOSTLY = 0.6
"""The same of one that was heard by other ways since, which lowers its share."""
_LEAST_REPORTS = 5.0
_MOVED = 0.5
_NATS = 7.0
_WEEK_S = 7 * 86_400.0
_NATS_OF_PULSE = 3.0
"""Enough where the router reports by itself, regularly, and no new one has come in its place."""
_REPLACED_WITHIN_S = 600.0
_OTHERS_NATS = 3.0
"""Of its customers but the one that is missed most, where it does not report by itself."""
_SAME_ONSET_S = 300.0
_FORGET_S = _WEEK_S


@dataclass
class _Quiet:
    """A router that is quiet."""

    last_s: float
    own: Ints
    """Its own flows, as they were when it became quiet."""
    spoke_since_s: float
    """Who spoke since then spoke until the router fell quiet."""
    is_late: bool = False
    is_overdue: bool = False
    """Later than it ever need be."""
    unheard: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    """Those of its own flows of which nothing is seen, and nothing can be said."""


class Routers:
    """Which routers live, which are gone, and what is hidden by those that are blind."""

    def __init__(
        self,
        levels: Levels,
        sums: Sums,
        habit: Habit,
        evidence: SilenceEvidence,
        budget: FalsePages | None = None,
    ) -> None:
        self._levels, self._sums, self._habit, self._evidence = levels, sums, habit, evidence
        self._budget = budget or FalsePages()
        self.table = RouterTable(levels)
        self.blind: dict[int, float] = {}
        """By row: the time of its last report."""
        self.ended: dict[str, str] = {}
        """Keys of findings that ended at the last turn, and why."""
        self.hidden: Bools = np.zeros(0, bool)
        """[flows]: behind a router that is blind."""
        self.held: Bools = np.zeros(0, bool)
        """[flows]: behind a router that is late."""
        self._usual_s: Floats = np.zeros(0)
        """Of the last turn, see `RouterTable`."""
        self._quiet: dict[int, _Quiet] = {}
        self._gone: dict[int, float] = {}
        """By row: the last report after which it was found to be gone."""
        self._leader: dict[int, int] = {}
        """Routers that stopped together are told as the first of them."""
        self._has_judged = False
        """After a start, what was quiet for long before is not looked into any more."""

    def judge(self, watermark: float, now: float, is_blind: bool) -> None:
        """One turn; while the whole platform is blind nothing changes."""
        self.ended = {}
        if self.table.is_empty:
            return
        if not is_blind:
            self._usual_s = self.table.usual_s()
            self._end_of_those_that_speak(now)
            for row in self._quiet_ones(watermark):
                self._look(int(row), watermark)
            self._has_judged = True
        self.hidden, self.held = np.zeros((2, len(self._levels.flows)), bool)
        late = sum(q.is_late for row, q in self._quiet.items() if row not in self.blind)
        is_few = 2 * late <= max(len(self.table.rows()) - len(self._gone), 2)
        for row, quiet in self._quiet.items():
            if row in self.blind:
                self.hidden[quiet.unheard] = True
            elif is_few or not quiet.is_late:
                last_s = self._sums.last_s[self._levels.flow_rows[quiet.unheard, 0]]
                self.held[quiet.unheard[last_s >= quiet.spoke_since_s]] = True

    def findings(self, now: float) -> list[Finding]:
        """One for all routers that stopped together."""
        led: dict[int, list[int]] = {}
        for row in sorted(self.blind, key=lambda row: self.blind[row]):
            led.setdefault(self._lead(row), []).append(row)
        alive = len(self.table.rows()) - len(self.blind) - len(self._gone)
        return [router_finding(self._lost(rows), max(alive, 0), now) for rows in led.values()]

    def restore(self, open_findings: Mapping[str, float]) -> None:
        """Hold blind what was so before a restart, until it speaks or is found to be gone.

        Args:
            open_findings: since when (epoch seconds), by key; also of other findings.
        """
        for key, since in open_findings.items():
            name = unquote(key.removeprefix(blind_prefix()))
            row = self.table.find(name) if key.startswith(blind_prefix()) and name else None
            if row is not None:
                self._leader[row], self.blind[row] = row, since
                self._hold_blind_with(row, since)

    def _hold_blind_with(self, lead: int, since: float) -> None:
        """Those that had stopped together with it: only the first of them is in the key."""
        rows = self.table.rows()
        near = np.abs(self.table.last_s[rows] - since) <= _SAME_ONSET_S
        for row in rows[near]:
            if row != lead and len(self._own(int(row))):
                self._leader[int(row)] = lead
                self.blind[int(row)] = float(self.table.last_s[row])

    def why(self, flow: int) -> str:
        """Why nothing of this flow is seen."""
        for row, quiet in self._quiet.items():
            if flow in quiet.unheard:
                return f"it is unknown: router {self.table.names[row]} has stopped reporting"
        return "it is unknown: its router has stopped reporting"

    def is_settled(self) -> bool:
        """Whether nothing is to be followed."""
        return not self._quiet and not self.blind

    def statuses(self) -> list[RouterStatus]:
        """Of every router that is known, the blind ones first, then by name."""
        table, usual_s = self.table, self.table.usual_s()
        found = [
            RouterStatus(
                name=table.names[row],
                state=self._state(row),
                first_seen_at=float(table.first_s[row]),
                last_seen_at=float(table.last_s[row]),
                interval_s=float(usual_s[row]),
                only_customers=len(self._tenants(self._own(row))),
                customers=len(self._tenants(table.through(row))),
            )
            for row in table.rows()
        ]
        order = list(RouterState)
        return sorted(found, key=lambda one: (order.index(one.state), one.name))

    def _state(self, row: int) -> RouterState:
        if row in self.blind:
            return RouterState.BLIND
        if self._gone.get(row) == self.table.last_s[row]:
            return RouterState.GONE
        quiet = self._quiet.get(row)
        return RouterState.LATE if quiet and quiet.is_overdue else RouterState.ALIVE

    def _quiet_ones(self, watermark: float) -> Ints:
        rows = self.table.rows()
        quiet_s = watermark - self.table.last_s[rows]
        return rows[quiet_s > _MOST_OF_USUAL * self._usual_s[rows]]

    def _end_of_those_that_speak(self, now: float) -> None:
        for row, quiet in list(self._quiet.items()):
            if self.table.last_s[row] > quiet.last_s:
                del self._quiet[row]
        for row, last_s in list(self.blind.items()):
            heard_s = float(self.table.last_s[row])
            if heard_s > last_s + 1.0:
                gap = duration(heard_s - last_s)
                self._end(row, f"it reports again since {at_utc(heard_s, now)}, after {gap}")
        self._gone = {r: at for r, at in self._gone.items() if self.table.last_s[r] == at}

    def _look(self, row: int, watermark: float) -> None:
        """Follow one that is quiet; see the module."""
        last_s = float(self.table.last_s[row])
        if self._gone.get(row) == last_s:
            return
        quiet_s, limit_s = watermark - last_s, self._limit_s(row)
        is_old = not self._has_judged and quiet_s > max(STALE_S, limit_s)
        if (is_old or not self.table.is_live[row]) and row not in self.blind:
            self._gone[row] = last_s
            return
        quiet, usual_s = self._quiet.get(row), float(self._usual_s[row])
        if quiet is None:
            since_s = last_s - 2.0 * max(usual_s, UNKNOWN_INTERVAL_S)
            quiet = self._quiet[row] = _Quiet(last_s, self._own(row), since_s)
        quiet.is_late = quiet_s > usual_s + _STAGGER_S
        quiet.is_overdue = quiet_s > limit_s
        unheard, moved = self._heard_since(quiet)
        if not len(unheard) or moved >= _MOVED or quiet_s > _FORGET_S:
            quiet.unheard = unheard[:0]
            if quiet.is_overdue:
                self._give_up(row, last_s, quiet_s)
            return
        quiet.unheard = unheard
        if quiet.is_overdue and row not in self.blind:
            self._weigh(row, quiet, watermark)

    def _weigh(self, row: int, quiet: _Quiet, watermark: float) -> None:
        """Whether it is proven to be blind, or one of its customers to be quiet alone."""
        nats = self._nats(quiet.unheard, quiet.last_s, watermark)
        most = max(nats, key=lambda tenant: nats[tenant])
        total = sum(nats.values())
        is_alone = total - nats[most] < _OTHERS_NATS and not self.table.has_pulse[row]
        if is_alone:
            flows = quiet.unheard
            is_other = [self._levels.flows[flow].tenant != most for flow in flows.tolist()]
            quiet.unheard = flows[np.array(is_other, bool)]
        elif total >= self._needed(row):
            self.blind[row] = quiet.last_s

    def _nats(self, flows: Ints, since_s: float, watermark: float) -> dict[str, float]:
        """Evidence, by customer, that these flows are quiet since a router's last report.

        What was quiet before tells nothing of the router. Flows of one customer count the same
        messages, at other sources and integrations: of each customer the strongest counts.
        """
        nats = self._evidence.nats_since(self._levels.flow_rows[flows, 0], since_s, watermark)
        strongest: dict[str, float] = {}
        for flow, value in zip(flows.tolist(), nats.tolist(), strict=True):
            tenant = self._levels.flows[flow].tenant
            strongest[tenant] = max(strongest.get(tenant, 0.0), value)
        return strongest

    def _give_up(self, row: int, last_s: float, quiet_s: float) -> None:
        if row in self.blind:
            is_old = quiet_s > _FORGET_S
            why = "it was not heard of for a week, and is taken for retired"
            other = "what came through it comes by other ways now: it is gone"
            self._end(row, why if is_old else other)
        self._gone[row] = last_s
        self._quiet.pop(row, None)

    def _end(self, row: int, reason: str) -> None:
        """It is not blind any more; told when all that stopped with it are not."""
        del self.blind[row]
        lead = self._leader.pop(row, row)
        rest = [one for one, leader in self._leader.items() if leader == lead and one in self.blind]
        if row == lead and rest:
            self._leader |= dict.fromkeys(rest, rest[0])
        self.ended[blind_prefix(self.table.names[row])] = reason

    def _heard_since(self, quiet: _Quiet) -> tuple[Ints, float]:
        """Its own flows not heard since, and which share of what all bring was heard."""
        rows = self._levels.flow_rows[quiet.own, 0]
        is_heard = self._sums.last_s[rows] > quiet.last_s + 1.0
        weights = self._habit.mean_rate[rows] + 1e-9
        moved = float(weights[is_heard].sum() / weights.sum()) if len(rows) else 1.0
        return quiet.own[~is_heard], moved

    def _own(self, row: int) -> Ints:
        """The flows that came through it only; none where it cannot be told from a customer."""
        only = self.table.only_through(row, _ONLY, _LEAST_REPORTS)
        mostly = self.table.only_through(row, _MOSTLY, _LEAST_REPORTS)
        last = self._sums.last_s[self._levels.flow_rows[mostly, 0]]
        own = np.union1d(only, mostly[last > self.table.last_s[row] + 1.0])
        if not self.table.has_pulse[row] and len(self._tenants(own)) < 2:
            return own[:0]
        return own

    def _limit_s(self, row: int) -> float:
        return max(2.0 * float(self._usual_s[row]) + _STAGGER_S, _LEAST_S)

    def _needed(self, row: int) -> float:
        """Nats of evidence: less where its own heartbeat is missed."""
        since = self.table.last_s[row] - _REPLACED_WITHIN_S
        others = self.table.rows()
        is_replaced = bool((self.table.first_s[others[others != row]] > since).any())
        gaps = self.table.gaps_s[row][~np.isnan(self.table.gaps_s[row])]
        is_regular = len(gaps) >= 10 and gaps.max() <= 2.0 * np.median(gaps)
        has_pulse = bool(self.table.has_pulse[row])
        if has_pulse and is_regular and not is_replaced:
            return _NATS_OF_PULSE
        looks = np.array([_WEEK_S / self._limit_s(row)])
        return float(self._budget.bar(looks, len(others), lowest=_NATS)[0])

    def _lead(self, row: int) -> int:
        """Whom it is told as."""
        lead = self._leader.get(row)
        if lead is None:
            since = self.blind[row]
            near = (
                one
                for one in dict.fromkeys(self._leader.values())
                if one in self.blind and abs(self.blind[one] - since) <= _SAME_ONSET_S
            )
            lead = self._leader[row] = next(near, row)
        return lead

    def _lost(self, rows: list[int]) -> Lost:
        unheard = [self._quiet[row].unheard for row in rows if row in self._quiet]
        return lost_with(
            names=[self.table.names[row] for row in rows],
            since=min(self.blind[row] for row in rows),
            flows=np.unique(np.concatenate(unheard)) if unheard else np.zeros(0, np.int64),
            through={tenant for row in rows for tenant in self._tenants(self.table.through(row))},
            levels=self._levels,
            rates=self._habit.mean_rate,
        )

    def _tenants(self, flows: Ints) -> set[str]:
        return {self._levels.flows[flow].tenant for flow in flows}
