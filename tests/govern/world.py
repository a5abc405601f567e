"""Simulated years of a store: partitions fill, retention drops them, the governor looks on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from streamgauge.govern.assess import disk_of, intake_a_day
from streamgauge.govern.findings import WarningSettings, is_running_out
from streamgauge.govern.giving import DAY_S, Decision, GivingSettings, decide, kept_s
from streamgauge.govern.history import History, observed
from streamgauge.model.budget import GivenUp, Resource
from streamgauge.model.usage import Level, PartitionUsage, StoreUsage

GB = 10**9
START_DAY = 20_000
STEP_S = DAY_S / 4
PARTITION_DAYS = {Level.RAW: 1, Level.MINUTE: 7, Level.HOUR: 30, Level.DAY: 360}
SHARE = {Level.RAW: 1.0, Level.MINUTE: 0.3, Level.HOUR: 0.02, Level.DAY: 0.002}
"""Bytes of each level for a byte of raw lines."""

Traffic = Callable[[float], float]
"""Raw bytes a day, by days since the start."""


def steady(a_day: float) -> Traffic:
    """The same every week: two thirds less at weekends."""
    return lambda day: a_day * (0.35 if int(day) % 7 >= 5 else 1.0)


def growing(a_day: float, ratio_a_month: float) -> Traffic:
    """As `steady`, growing by a constant factor."""
    usual = steady(1.0)
    return lambda day: a_day * (1 + ratio_a_month) ** (day / 30) * usual(day)


def jumping(a_day: float, at_day: float, factor: float) -> Traffic:
    """As `steady`, and from a day on `factor` times as much: a large customer came."""
    usual = steady(a_day)
    return lambda day: usual(day) * (factor if day >= at_day else 1.0)


@dataclass
class Turn:
    """What was seen and decided at one step."""

    day: float
    used_ratio: float
    disk: Resource | None
    is_warned: bool
    decision: Decision
    raw_days: float
    """How old the oldest raw line is."""


@dataclass
class World:
    """One store, its limit, and the traffic that comes."""

    traffic: Traffic
    limit_bytes: float
    settings: GivingSettings = field(
        default_factory=lambda: GivingSettings(raw_s=7 * DAY_S, minute_s=35 * DAY_S)
    )
    hour_s: float = 400 * DAY_S
    noise: float = 0.1
    seed: int = 1
    given: GivenUp = field(default_factory=GivenUp)
    history: History = field(default_factory=History)
    backfill: dict[float, float] = field(default_factory=dict)
    """Day of the simulation → raw bytes of old lines that come then, 30 days old."""

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(self.seed)
        self._held: dict[tuple[Level, int], float] = {}
        self._today_noise = (0, 1.0)
        self._is_warned = False

    def run(self, days: float, forecast_every: int = 4) -> Iterator[Turn]:
        """Step by step; forecasts once a day unless told otherwise."""
        disk: Resource | None = None
        for step in range(int(days * DAY_S / STEP_S)):
            at = START_DAY * DAY_S + (step + 1) * STEP_S
            self._fill(at - STEP_S / 2, step * STEP_S / DAY_S)
            self._retain(at)
            usage = self.usage(at)
            self.history = observed(self.history, usage, None)
            decision = decide(
                usage, self.limit_bytes, intake_a_day(self.history), self.given, self.settings
            )
            self.given = decision.given_up
            if decision.is_last_resort:
                self._held = {k: v for k, v in self._held.items() if k[0] is not Level.RAW}
            self._retain(at)
            usage = self.usage(at)
            self.history = replace(
                self.history,
                last_bytes={f"{p.table}/{p.name}": p.size_bytes for p in usage.partitions},
            )
            if step % forecast_every == forecast_every - 1:
                mark = self.settings.give_up_above
                disk = disk_of(usage, self.limit_bytes, mark, self.history, self.kept())
                self._is_warned = is_running_out(
                    disk, WarningSettings().warn_before_s, is_told=self._is_warned
                )
            yield Turn(
                (step + 1) * STEP_S / DAY_S,
                usage.total_bytes / self.limit_bytes,
                disk,
                self._is_warned,
                decision,
                self._oldest_days(at),
            )

    def kept(self) -> dict[Level, float]:
        return {
            Level.RAW: kept_s(Level.RAW, self.given, self.settings),
            Level.MINUTE: kept_s(Level.MINUTE, self.given, self.settings),
            Level.HOUR: self.hour_s,
            Level.DAY: float("inf"),
        }

    def usage(self, at: float) -> StoreUsage:
        parts = []
        for (level, number), size in sorted(self._held.items()):
            length_s = PARTITION_DAYS[level] * DAY_S
            begin = number * length_s
            parts.append(
                PartitionUsage(
                    level.value, level, str(number), int(size), 1, begin, begin + length_s
                )
            )
        return StoreUsage(at, parts, files_bytes=GB // 20)

    def _fill(self, at: float, day: float) -> None:
        if int(day) != self._today_noise[0]:
            self._today_noise = (int(day), float(self._random.lognormal(0.0, self.noise)))
        raw = self.traffic(day) * STEP_S / DAY_S * self._today_noise[1]
        self._add(at, raw)
        if day in self.backfill:
            self._add(at - 30 * DAY_S, self.backfill[day])

    def _add(self, at: float, raw: float) -> None:
        for level, share in SHARE.items():
            key = level, int(at / DAY_S / PARTITION_DAYS[level])
            self._held[key] = self._held.get(key, 0.0) + raw * share

    def _retain(self, at: float) -> None:
        kept = self.kept()
        self._held = {
            (level, number): size
            for (level, number), size in self._held.items()
            if (number + 1) * PARTITION_DAYS[level] * DAY_S > at - kept[level]
        }

    def _oldest_days(self, at: float) -> float:
        days = [number for level, number in self._held if level is Level.RAW]
        return at / DAY_S - min(days) if days else 0.0
