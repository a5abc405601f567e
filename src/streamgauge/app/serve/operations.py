"""How the process itself is doing: reasons for not being ready, and our own metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

from prometheus_client import GC_COLLECTOR, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector

from streamgauge.app.budget.metrics import BudgetCollector
from streamgauge.app.decide.watch import Watch
from streamgauge.app.gather.metrics import GathererCollector
from streamgauge.model.budget import Budget
from streamgauge.model.errors import StoreError
from streamgauge.model.gatherer import GathererHealth
from streamgauge.model.refusal import Refusal, RefusedLine
from streamgauge.model.unmapped import Unmapped
from streamgauge.receive import metrics as receive_metrics
from streamgauge.receive.ledger import RefusalLedger
from streamgauge.receive.meaning.strangers import Strangers
from streamgauge.receive.messages.left_out import LeftOut
from streamgauge.state.state import State
from streamgauge.store import Store
from streamgauge.web.ports import Expectation


class SelfCollector:
    """Our parts' numbers, read when `/metrics` is asked."""

    def __init__(
        self, store: Store, watch: Watch, state: State, remembered: Callable[[], Mapping[str, int]]
    ) -> None:
        self._store, self._watch, self._state = store, watch, state
        self._remembered = remembered

    def collect(self) -> Iterator[Metric]:
        """Gauges and counters, `_total` in the name of every counter."""
        values = {f"streamgauge_store_{name}": value for name, value in self._store.stats().items()}
        with suppress(StoreError):  # it is not open: not known is not zero
            lag = self._store.lag()
            values["streamgauge_lag_lines"] = lag.lines
            values["streamgauge_lag_seconds"] = lag.seconds
        values |= {f"streamgauge_receive_{name}": n for name, n in self._remembered().items()}
        values["streamgauge_detect_turns_total"] = self._watch.turns_total
        values["streamgauge_detect_turns_failed_total"] = self._watch.failed_total
        values["streamgauge_detect_turn_seconds"] = self._watch.last_turn_s
        values["streamgauge_detect_unwatched_flows"] = self._watch.unwatched_flow_count
        values["streamgauge_detect_is_failing"] = float(bool(self._watch.last_error))
        for name, value in values.items():
            yield _metric(name, value)
        yield from self._notifications()

    def _notifications(self) -> Iterator[Metric]:
        """Left out while the state database refuses: not known is not zero."""
        family = GaugeMetricFamily(
            "streamgauge_notifications", "notifications by delivery state", labels=["state"]
        )
        with suppress(StoreError):
            for state, count in self._state.notification_counts().items():
                family.add_metric([state], count)
        yield family


def _metric(name: str, value: float) -> Metric:
    words = name.removeprefix("streamgauge_").replace("_", " ")
    if name.endswith("_total"):
        return CounterMetricFamily(name.removesuffix("_total"), words, value=value)
    return GaugeMetricFamily(name, words, value=value)


class OwnOperations:
    """What `web` asks about the process (its `Operations`)."""

    def __init__(
        self,
        store: Store,
        watch: Watch,
        state: State,
        ledger: RefusalLedger,
        not_open: Callable[[], list[str]] = list,
        budget: Callable[[], Budget | None] = lambda: None,
        gatherers: Callable[[], list[GathererHealth]] = list,
        unmapped: Callable[[], list[Unmapped]] = list,
        remembered: Callable[[], Mapping[str, int]] = dict,
        gathered_here: Callable[[], list[GathererHealth]] = list,
    ) -> None:
        self._store, self._watch, self._ledger = store, watch, ledger
        self._not_open, self._budget, self._gatherers = not_open, budget, gatherers
        self._unmapped = unmapped
        self._registry = CollectorRegistry()
        self._registry.register(SelfCollector(store, watch, state, remembered))
        self._registry.register(BudgetCollector(budget))
        self._registry.register(GathererCollector(gathered_here))
        ProcessCollector(registry=self._registry)
        self._registry.register(GC_COLLECTOR)

    def problems(self) -> list[str]:
        """Why writes and queries are not served, in words; empty when they are."""
        return list(dict.fromkeys([*self._store.problems(), *self._not_open()]))

    def notices(self) -> list[str]:
        """What somebody has to look at while all is served."""
        return self._store.notices()

    def budget(self) -> Budget | None:
        """Our own budget, use, forecast and cost; None before the governor's first look."""
        return self._budget()

    def gatherers(self) -> list[GathererHealth]:
        """How each collector, scrape and listener of this process is doing."""
        return self._gatherers()

    def prometheus(self) -> bytes:
        """Our own metrics in Prometheus' text format."""
        return generate_latest(self._registry) + generate_latest(receive_metrics.REGISTRY)

    def expectation(self, tenant: str) -> Expectation | None:
        """How often a customer usually speaks; None until its habit is known."""
        return self._watch.expectation(tenant)

    def unmapped(self) -> list[Unmapped]:
        """What looks like messages or queues and is not understood; newest first."""
        return self._unmapped()

    def refusals(self, tenant: str | None = None) -> list[Refusal]:
        """What was refused in the last day, of one customer or of all."""
        return self._ledger.refusals(tenant)

    def refused_lines(self, tenant: str | None, since_s: float, limit: int) -> list[RefusedLine]:
        """Lines that were refused for good, newest first, as the store remembers them."""
        return self._store.refused_lines(tenant, since_s, limit)


def not_understood(strangers: Strangers, left_out: LeftOut) -> list[Unmapped]:
    """Metrics and keys of hops that have no meaning for us; those seen last first."""
    found = [*strangers.list_unmapped(), *left_out.list_unmapped()]
    return sorted(found, key=lambda one: -one.last_at)
