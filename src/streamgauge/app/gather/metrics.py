"""How this process's collectors, scrapes and listeners are doing, on `/metrics`.

Unknown is left out, and so is what another process gathers: its own `/metrics` has that, once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from streamgauge.model.gatherer import GathererHealth, GathererState


class GathererCollector:
    """Read when `/metrics` is asked."""

    def __init__(self, gatherers: Callable[[], list[GathererHealth]]) -> None:
        self._gatherers = gatherers

    def collect(self) -> Iterator[Metric]:
        """A sample for each gatherer; nothing where none is configured."""
        found = self._gatherers()
        if not found:
            return
        labels = ["name", "kind"]
        is_ok = GaugeMetricFamily(
            "streamgauge_gatherer_is_ok", "1: the last try went well, 0: it failed", labels=labels
        )
        last = GaugeMetricFamily(
            "streamgauge_gatherer_last_success_seconds",
            "epoch seconds of the last try that went well",
            labels=labels,
        )
        queues = GaugeMetricFamily(
            "streamgauge_gatherer_queues", "queues seen at the last try", labels=labels
        )
        reads = CounterMetricFamily("streamgauge_gatherer_reads", "tries", labels=labels)
        failures = CounterMetricFamily(
            "streamgauge_gatherer_failures", "tries that failed", labels=labels
        )
        for one in found:
            names = [one.name, one.kind]
            reads.add_metric(names, one.reads_total)
            failures.add_metric(names, one.failures_total)
            if one.state is not GathererState.UNKNOWN:
                is_ok.add_metric(names, float(one.state is GathererState.OK))
                queues.add_metric(names, len(one.queues) - len(one.unseen))
            if one.last_success_at is not None:
                last.add_metric(names, one.last_success_at)
        yield from (is_ok, last, queues, reads, failures)
