"""The governor's figures on `/metrics`; left out before its first look."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from prometheus_client.core import GaugeMetricFamily, Metric

from streamgauge.model.budget import Budget


class BudgetCollector:
    """Read when `/metrics` is asked."""

    def __init__(self, budget: Callable[[], Budget | None]) -> None:
        self._budget = budget

    def collect(self) -> Iterator[Metric]:
        """Gauges; unknown and never are left out."""
        budget = self._budget()
        if budget is None:
            return
        plain = {
            "streamgauge_disk_used_bytes": budget.disk.used,
            "streamgauge_disk_limit_bytes": budget.disk.limit,
            "streamgauge_series": budget.series.used,
            "streamgauge_series_limit": budget.series.limit,
            "streamgauge_memory_budget_bytes": budget.memory.budget_bytes,
            "streamgauge_memory_resident_bytes": budget.resident_bytes,
            "streamgauge_engine_memory_limit_bytes": budget.memory.engine_bytes,
            "streamgauge_has_given_up": float(budget.given_up.is_anything),
        }
        if budget.engine_held_bytes is not None:
            plain["streamgauge_engine_memory_held_bytes"] = budget.engine_held_bytes
        for name, value in plain.items():
            yield GaugeMetricFamily(name, _words(name), value=value)
        yield from self._forecasts(budget)
        yield from self._levels(budget)

    def _forecasts(self, budget: Budget) -> Iterator[Metric]:
        name = "streamgauge_full_in_seconds"
        family = GaugeMetricFamily(name, _words(name), labels=["resource", "estimate"])
        for resource in (budget.disk, budget.series):
            full = resource.full
            if full is None:
                continue
            for word in ("early", "likely", "late"):
                seconds = getattr(full, f"{word}_s")
                if math.isfinite(seconds):
                    family.add_metric([resource.name, word], seconds)
        yield family

    def _levels(self, budget: Budget) -> Iterator[Metric]:
        size, kept = "streamgauge_level_bytes", "streamgauge_level_kept_seconds"
        sizes = GaugeMetricFamily(size, _words(size), labels=["level"])
        ages = GaugeMetricFamily(kept, _words(kept), labels=["level"])
        for level in budget.levels:
            sizes.add_metric([level.level.value], level.size_bytes)
            if math.isfinite(level.kept_s):
                ages.add_metric([level.level.value], level.kept_s)
        yield sizes
        yield ages


def _words(name: str) -> str:
    return name.removeprefix("streamgauge_").replace("_", " ")
