"""The governor: looks at disk, memory and series every few minutes, and keeps us within them.

One look:
    1. Drop what is too old; measure what is left, and what came in since the last look.
    2. Decide what to give up or give back; what was decided is written down before it is done.
    3. Forecast, and share the cost out, for the Budget page, `/metrics` and the incident that
       tells people.
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from streamgauge.alert.rule_findings import unseen
from streamgauge.app.budget import governed, machine
from streamgauge.govern import assess
from streamgauge.govern.cost import Prices, month_cost, tenant_costs
from streamgauge.govern.findings import DISK, SERIES, WarningSettings, findings
from streamgauge.govern.giving import Decision, GivingSettings, decide, kept_s
from streamgauge.govern.history import History, observed
from streamgauge.model.budget import Budget, GivenUp, MemoryShares
from streamgauge.model.clock import Clock
from streamgauge.model.errors import StoreError
from streamgauge.model.finding import Finding
from streamgauge.model.flow import PLATFORM
from streamgauge.model.incident import Incident
from streamgauge.model.usage import Level, StoreUsage, TenantUsage
from streamgauge.model.words import Kind, Severity, Suspected
from streamgauge.store import Store
from streamgauge.store.retention import Retention

log = structlog.get_logger()

DAY_S = 86_400.0
PRESSED_EVERY_S = 20.0
"""Between two looks while the disk is nearly full, at most."""
FIRST_EVERY_S = 1.0
"""Until the first look succeeds: the engine may still be starting."""
TENANTS_EVERY_S, TENANTS_AT_FIRST_S, AT_FIRST_S = 300.0, 20.0, 900.0
TENANTS_SHOWN = 200
MONTH_DAYS = 30


@dataclass(frozen=True, slots=True)
class GovernorSettings:
    """Budgets, thresholds, prices."""

    every_s: float
    disk_budget_bytes: int | None
    """None: what the file system has room for."""
    retention: Retention
    giving: GivingSettings
    warning: WarningSettings
    memory: MemoryShares
    prices: Prices
    wire_bytes_per_line: float


class Governor:
    """Thread-safe; `look` runs in one thread at a time."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        path: Path,
        settings: GovernorSettings,
        series_count: Callable[[], int],
        engine_held_bytes: Callable[[], int | None] = lambda: None,
    ) -> None:
        """Nothing is read before `load`.

        Args:
            store: what is governed.
            clock: tells when.
            path: the file in which it remembers.
            settings: budgets, thresholds, prices.
            series_count: how many series are known.
            engine_held_bytes: memory of the engine's own process; None: it has none.
        """
        self._store, self._clock, self._path = store, clock, path
        self._settings, self._series_count = settings, series_count
        self._engine_held_bytes = engine_held_bytes
        self._history, self._given = History(), GivenUp()
        self._tenants: list[TenantUsage] = []
        self._tenants_at, self._began_at = -math.inf, math.inf
        self._budget: Budget | None = None
        self._was_over = False
        self._looking = threading.Lock()

    def load(self) -> None:
        """Take up what a former process learned and gave up."""
        self._history, self._given = governed.load(self._path)

    def budget(self) -> Budget | None:
        """As of the last look; None before the first one."""
        return self._budget

    async def run(self) -> None:
        """Look, now and every few minutes, more often while the disk is nearly full."""
        while True:
            try:
                await asyncio.to_thread(self.look)
            except (StoreError, OSError) as error:
                if self._budget is not None:
                    log.warning("the governor cannot look", error=str(error))
                await asyncio.sleep(FIRST_EVERY_S if self._budget is None else PRESSED_EVERY_S)
            else:
                await asyncio.sleep(self._pause_s())

    def look(self) -> Budget:
        """One look, and what follows from it.

        Raises:
            StoreError: the engine refused.
        """
        with self._looking:
            self._retain()
            usage = self._store.usage()
            limit = self._limit_bytes(usage)
            self._history = observed(self._history, usage, float(self._series_count()))
            intake = assess.intake_a_day(self._history)
            decision = decide(usage, limit, intake, self._given, self._settings.giving)
            if decision.reason and self._is_lasting(usage, limit):
                usage = self._carry_out(decision, usage)
            governed.save(self._path, self._history, self._given)
            self._budget = self._made_budget(usage, limit)
            return self._budget

    def findings(self, open_incidents: Mapping[str, Incident]) -> list[Finding]:
        """What holds about our own room; before the first look, what held when we last knew.

        Args:
            open_incidents: by key, those that are not closed.
        """
        keys = {subject: _key(subject) for subject in (DISK, SERIES)}
        told = {subject for subject, key in keys.items() if key in open_incidents}
        budget = self._budget
        if budget is None:
            return [unseen(open_incidents[keys[subject]]) for subject in sorted(told)]
        return findings(budget, self._settings.warning, told)

    def _is_lasting(self, usage: StoreUsage, limit: float) -> bool:
        """Whether it is not merely a burst that merges will have made small in a moment."""
        ratio = usage.total_bytes / limit
        was_over, self._was_over = self._was_over, ratio > self._settings.giving.give_up_above
        return not self._was_over or was_over or ratio > self._settings.giving.last_resort

    def _carry_out(self, decision: Decision, usage: StoreUsage) -> StoreUsage:
        self._given = decision.given_up
        governed.save(self._path, self._history, self._given)
        log.warning(
            "what is kept has changed",
            reason=decision.reason,
            raw_kept_s=self._kept(Level.RAW),
            minutes_kept_s=self._kept(Level.MINUTE),
            used_bytes=usage.total_bytes,
        )
        self._retain(is_last_resort=decision.is_last_resort)
        return self._store.usage()

    def _retain(self, *, is_last_resort: bool = False) -> None:
        whole = self._settings.retention
        raw_s = -DAY_S if is_last_resort else self._kept(Level.RAW)
        minute_s = self._kept(Level.MINUTE)
        self._store.retain(Retention(raw_s, minute_s, whole.hour_s, whole.day_s))

    def _kept(self, level: Level) -> float:
        return kept_s(level, self._given, self._settings.giving)

    def _limit_bytes(self, usage: StoreUsage) -> float:
        room = float(usage.total_bytes + self._store.room_bytes())
        budget = self._settings.disk_budget_bytes
        return room if budget is None else min(float(budget), room)

    def _pause_s(self) -> float:
        budget, every_s = self._budget, self._settings.every_s
        pressed = budget is None or budget.disk.used_ratio > self._settings.giving.aim
        return min(every_s, PRESSED_EVERY_S) if pressed else every_s

    def _made_budget(self, usage: StoreUsage, limit: float) -> Budget:
        settings, whole = self._settings, self._settings.retention
        configured = {
            Level.RAW: whole.raw_s,
            Level.MINUTE: whole.minute_s,
            Level.HOUR: whole.hour_s,
            Level.DAY: whole.day_s,
        }
        kept = configured | {level: self._kept(level) for level in (Level.RAW, Level.MINUTE)}
        mark = settings.giving.give_up_above
        tenants = self._tenant_usage(usage.at)
        month_lines = MONTH_DAYS * sum(one.lines for one in tenants)
        cost = month_cost(
            settings.prices,
            usage.total_bytes,
            settings.memory.budget_bytes,
            machine.cpu_limit(),
            month_lines * settings.wire_bytes_per_line,
        )
        intake = assess.intake_a_day(self._history)
        return Budget(
            at=usage.at,
            disk=assess.disk_of(usage, limit, mark, self._history, kept),
            series=assess.series_of(
                self._history, float(self._series_count()), float(settings.memory.series)
            ),
            levels=assess.levels_of(usage, intake, configured, kept),
            given_up=self._given,
            memory=settings.memory,
            resident_bytes=machine.resident_bytes(),
            engine_held_bytes=self._engine_held_bytes(),
            tenants=tenant_costs(usage, tenants, DAY_S, cost)[:TENANTS_SHOWN],
            tenant_count=len(tenants),
            cost=cost,
            disk_is_budget=settings.disk_budget_bytes is not None,
        )

    def _tenant_usage(self, now: float) -> list[TenantUsage]:
        """Of the last day; asked anew every few minutes, sooner while we have just begun."""
        self._began_at = min(self._began_at, now)
        is_first = now - self._began_at < AT_FIRST_S
        every_s = TENANTS_AT_FIRST_S if is_first else TENANTS_EVERY_S
        if not self._tenants or now - self._tenants_at >= every_s:
            self._tenants = self._store.tenant_usage(now - DAY_S, now)
            self._tenants_at = now
        return self._tenants


def _key(subject: str) -> str:
    return _bare(subject, Severity.P3, "").key


def _bare(subject: str, severity: Severity, summary: str) -> Finding:
    return Finding(
        Kind.CAPACITY, PLATFORM, severity, Suspected.COLLECTOR, 0.0, summary, subject=subject
    )
