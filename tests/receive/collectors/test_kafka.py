"""Kafka: lags are exact.

librdkafka's mock cluster is the broker: it keeps messages, offsets of groups and their time stamps,
but can neither list groups nor describe them (it says "not supported"). What needs those two is
told by `groups` here; everything else is asked of it. No registry this project installs from has a
real broker.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from tests.receive.collectors.conftest import settings_of

from streamgauge.model.gatherer import AgeMethod, Fault
from streamgauge.receive.collectors.collector import CollectorSettings
from streamgauge.receive.collectors.kafka import KafkaCollector, reading
from streamgauge.receive.collectors.kafka_heads import Partition
from streamgauge.testing.collecting import Bench, bench_of

OPTIONS = {"sasl_mechanism": "", "ca_file": ""}


@dataclass
class Cluster:
    """A mock cluster; it lives as long as the client that made it."""

    producer: Producer = field(
        default_factory=lambda: Producer(
            {"bootstrap.servers": "mock", "test.mock.num.brokers": 1, "log_level": 0}
        )
    )
    address: str = ""

    def __post_init__(self) -> None:
        [broker] = self.producer.list_topics(timeout=10).brokers.values()
        self.address = f"{broker.host}:{broker.port}"

    def put(self, topic: str, partition: int, stamps: Sequence[float]) -> None:
        """Messages with these time stamps, epoch seconds."""
        for at in stamps:
            self.producer.produce(topic, b"x", partition=partition, timestamp=round(at * 1e3))
        assert self.producer.flush(10) == 0

    def commit(self, group: str, topic: str, offsets: dict[int, int]) -> None:
        """What a group has taken."""
        consumer = Consumer({"bootstrap.servers": self.address, "group.id": group, "log_level": 0})
        places = [TopicPartition(topic, number, offset) for number, offset in offsets.items()]
        consumer.commit(offsets=places, asynchronous=False)
        consumer.close()


class ToldGroups(KafkaCollector):
    """Asks for the groups that it is told, since the mock cluster cannot list them."""

    groups: tuple[tuple[str, str, int], ...] = ()
    """Group, topic, partitions."""

    def _groups(self, admin: object) -> list[str]:
        return [name for name, _, _ in self.groups]

    def _asked(self, group: str) -> list[TopicPartition] | None:
        return [
            TopicPartition(topic, number)
            for name, topic, count in self.groups
            if name == group
            for number in range(count)
        ]


@pytest.fixture(scope="module")
def cluster() -> Cluster:
    """A broker of this module's own."""
    return Cluster()


def bench(cluster: Cluster, *groups: tuple[str, str, int]) -> Bench:
    def make(settings: CollectorSettings) -> KafkaCollector:
        collector = ToldGroups(settings)
        collector.groups = groups
        return collector

    return bench_of(settings_of("kafka", f"kafka://{cluster.address}", **OPTIONS), make)


def test_lag_in_messages_and_in_seconds(cluster: Cluster) -> None:
    now = time.time()
    cluster.put("orders", 0, [now - 90 + number for number in range(6)])
    cluster.put("orders", 1, [now - 300 + number for number in range(4)])
    cluster.commit("mail", "orders", {0: 2, 1: 4})
    cluster.commit("ga4", "orders", {0: 6, 1: 1})

    found = bench(cluster, ("mail", "orders", 2), ("ga4", "orders", 2)).look()
    names = ("backlog", "in_total", "out_total")
    rows = {row["queue"]: row for row in found.rows}
    assert {name: tuple(row[one] for one in names) for name, row in rows.items()} == {
        "orders/mail": (4, 10, 6),
        "orders/ga4": (3, 10, 7),
    }
    assert rows["orders/mail"]["oldest_age_s"] == pytest.approx(88, abs=5)
    assert rows["orders/ga4"]["oldest_age_s"] == pytest.approx(299, abs=5)
    assert {one.oldest_age_method for one in found.health.queues} == {AgeMethod.HEAD}


def test_a_group_that_has_taken_all_waits_for_nothing(cluster: Cluster) -> None:
    cluster.put("done", 0, [time.time() - 60] * 3)
    cluster.commit("mail", "done", {0: 3})
    row = bench(cluster, ("mail", "done", 1)).look().last("done/mail")
    assert row
    assert (row["backlog"], row["oldest_age_s"]) == (0, 0)


def test_a_broker_that_cannot_list_its_groups_is_told_as_trouble(cluster: Cluster) -> None:
    settings = settings_of("kafka", f"kafka://{cluster.address}", **OPTIONS)
    health = bench_of(settings).look().health
    assert health.fault is Fault.ANSWER
    assert "not supported" in health.last_error


def test_no_broker() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"kafka://127.0.0.1:{taken.getsockname()[1]}"
        health = bench_of(settings_of("kafka", url, timeout_s=2.0, **OPTIONS)).look().health
    assert health.fault in {Fault.REFUSED, Fault.HANGS}
    assert "127.0.0.1" in health.last_error


@pytest.mark.parametrize(
    ("partition", "lag", "next_one"),
    [
        pytest.param(Partition(0, 10, 4), 6, 4, id="what lies behind the committed offset waits"),
        pytest.param(Partition(0, 10, 10), 0, 10, id="all is taken"),
        pytest.param(Partition(7, 10, 4), 3, 7, id="what was deleted unread waits no more"),
        pytest.param(Partition(0, 3, 10), 0, 3, id="the topic was made anew below the offset"),
    ],
)
def test_one_partition(partition: Partition, lag: int, next_one: int) -> None:
    assert (partition.lag, partition.next) == (lag, next_one)


@pytest.mark.parametrize(
    ("heads", "age_s"),
    [
        pytest.param({("t", 0, 4): 940.0, ("t", 1, 2): 990.0}, 60.0, id="the oldest of all"),
        pytest.param({("t", 1, 2): 990.0}, None, id="unknown where one could not be read"),
        pytest.param({("t", 0, 4): 1010.0, ("t", 1, 2): 1001.0}, 0.0, id="put by a fast clock"),
    ],
)
def test_the_age_of_a_group(heads: dict[tuple[str, int, int], float], age_s: float | None) -> None:
    partitions = {0: Partition(0, 10, 4), 1: Partition(0, 3, 2), 2: Partition(0, 5, 5)}
    found = reading("t", "g", partitions, heads, None, 1000.0)
    assert found.oldest_age_s == age_s
    assert (found.backlog, found.in_total, found.out_total) == (7, 18, 11)
    assert found.consumers is None
