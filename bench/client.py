"""What counting a message costs a router: calls, sums and batches, in all its threads.

No server is asked; what is measured is the processor time of the router's process. Sending is a few
kilobytes every ten seconds.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable, Iterable
from contextlib import closing

from bench.report import table
from streamgauge.client import Gauge
from streamgauge.client.batch import Batch
from streamgauge.client.transport import Answer, Verdict

MESSAGES = 1_000_000
SERIES = 200
GOAL_NS = 2_000.0

Sent = list[tuple[str, str, float, str]]
"""Tenant, integration, latency in seconds and id of each message."""


class Swallowing:
    """A transport that takes everything."""

    def __init__(self) -> None:
        self.body_bytes = 0
        self.messages = 0

    def post(self, batch: Batch) -> Answer:
        """Count it."""
        self.body_bytes += len(batch.body)
        self.messages += batch.messages
        return Answer(Verdict.TAKEN)

    def close(self) -> None:
        """Nothing to close."""


def plain(gauge: Gauge, sent: Sent) -> None:
    """The call as it is, with latency."""
    message = gauge.message
    for tenant, integration, latency_s, _ in sent:
        message(tenant=tenant, source="web", integration=integration, latency_s=latency_s)


def full(gauge: Gauge, sent: Sent) -> None:
    """The call with everything that a delivery can tell."""
    message = gauge.message
    for tenant, integration, latency_s, _ in sent:
        message(
            tenant=tenant,
            source="web",
            integration=integration,
            pipeline="events",
            stage="delivered",
            outcome="ok",
            latency_s=latency_s,
            queue_s=latency_s / 2,
            bytes=512,
        )


def handle(gauge: Gauge, sent: Sent) -> None:
    """By handles that are kept."""
    flows = {
        (tenant, integration): gauge.flow(tenant=tenant, source="web", integration=integration)
        for tenant, integration, *_ in sent[:SERIES]
    }
    for tenant, integration, latency_s, _ in sent:
        flows[tenant, integration].ok(latency_s)


def hops(gauge: Gauge, sent: Sent) -> None:
    """Each told by itself: `id`, and a batch for every few thousand."""
    message = gauge.message
    for number, (tenant, integration, latency_s, name) in enumerate(sent):
        message(tenant=tenant, source="web", integration=integration, latency_s=latency_s, id=name)
        if number % 15_000 == 14_999:
            gauge.flush(60)


def share(gauge: Gauge, sent: Sent) -> None:
    """With an id, of which one in a hundred is told by itself (`journeys=0.01`)."""
    message = gauge.message
    for tenant, integration, latency_s, name in sent:
        message(tenant=tenant, source="web", integration=integration, latency_s=latency_s, id=name)


WAYS: tuple[tuple[str, Callable[[Gauge, Sent], None], int, float], ...] = (
    ("`gauge.message(tenant=…, source=…, integration=…, latency_s=…)`", plain, 1, 1.0),
    ("the same with all ten arguments", full, 1, 1.0),
    ("`flow.ok(latency_s)`, the flow looked up in a dictionary", handle, 1, 1.0),
    ("with an `id`, one in a hundred told by itself", share, 1, 0.01),
    ("with an `id`, each told by itself", hops, 10, 1.0),
)
"""What it is called, how it is done, by how much fewer messages, and the share told."""


def client_text(rounds: int) -> str:
    """Measure, and tell it as a section of Markdown."""
    rows = [_row(name, way, fewer, told, rounds) for name, way, fewer, told in WAYS]
    worst_ns = max(ns for _, ns, _ in rows[:3])
    lines = [
        "## Cost in the router: `python -m bench client`",
        "",
        f"{MESSAGES:,} messages (a tenth where each is told by itself) over {SERIES} series with a "
        f"thousand different latencies, counted by `streamgauge.client` in one process. Processor "
        f"time of all its threads without the loop around the calls: calling, summing up, making "
        f"and gzipping the batches. Median of {rounds}.",
        "",
        *table(
            ["", "ns a message", "bytes sent"],
            [[name, f"{ns:,.0f}", f"{size:,.0f}"] for name, ns, size in rows],
        ),
        "",
        f"Goal {GOAL_NS:,.0f} ns a message that is counted: "
        f"{'reached' if worst_ns <= GOAL_NS else 'missed'}.",
        "",
    ]
    return "\n".join(lines)


def _row(
    name: str, way: Callable[[Gauge, Sent], None], fewer: int, told: float, rounds: int
) -> tuple[str, float, float]:
    sent = list(_messages(MESSAGES // fewer))
    taken = [_measure(way, sent, told) for _ in range(rounds)]
    return name, statistics.median(ns for ns, _ in taken), taken[0][1]


def _measure(way: Callable[[Gauge, Sent], None], sent: Sent, told: float) -> tuple[float, float]:
    began = time.process_time()
    for _tenant, _integration, _latency_s, _name in sent:
        pass
    empty_s = time.process_time() - began
    server = Swallowing()
    gauge = Gauge(router="bench", interval_s=86_400, transport=server, journeys=told)
    with closing(gauge):
        began = time.process_time()
        way(gauge, sent)
        gauge.flush(60)
        took_s = time.process_time() - began - empty_s
    if server.messages != len(sent):
        raise RuntimeError(f"{server.messages} of {len(sent)} messages were counted")
    return 1e9 * took_s / len(sent), server.body_bytes


def _messages(count: int) -> Iterable[tuple[str, str, float, str]]:
    places = [(f"tenant-{n // 5}", f"integration-{n % 5}") for n in range(SERIES)]
    for number, (tenant, integration) in zip(range(count), itertools.cycle(places)):
        yield tenant, integration, 0.001 * (1 + number % 997), f"message-{number}"
