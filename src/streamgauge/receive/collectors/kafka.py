"""Kafka: the lag of every consumer group, in messages and in seconds.

1. Groups, what they committed, and where partitions begin and end: some calls for all of them.
2. Lag in messages: what lies between the committed offset and the end, partition by partition. What
   was deleted before it was read (`low` above the committed offset) is no longer waiting.
3. Lag in seconds: the time stamp of the first message that is not committed, read from the
   partitions that lag; the oldest of them is the group's. Where it cannot be read in time, position
   and time tell it (`age`).

The library blocks; it works in a thread of its own.

Source: https://docs.confluent.io/platform/current/clients/confluent-kafka-python/ (AdminClient,
Consumer); KIP-211 and KIP-396 for what a group's offsets mean.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from confluent_kafka import (
    OFFSET_INVALID,
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from streamgauge.model.gatherer import AgeMethod, Fault, QueueReading
from streamgauge.receive.collectors.collector import CollectorSettings
from streamgauge.receive.collectors.faults import (
    CollectorFault,
    hangs,
    not_permitted,
    wrong_credentials,
)
from streamgauge.receive.collectors.kafka_heads import Partition, Place, put_at

_INTERNAL = "__"
_LOCKED_OUT = {KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED}
_FORBIDDEN = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
}
_SILENT = {KafkaError._TIMED_OUT, KafkaError._TIMED_OUT_QUEUE}
_AWAY = {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._RESOLVE}
T = TypeVar("T")


def make(settings: CollectorSettings) -> KafkaCollector:
    """A collector that is not connected yet."""
    return KafkaCollector(settings)


class KafkaCollector:
    """One cluster."""

    kind = "kafka"

    def __init__(self, settings: CollectorSettings) -> None:
        self._settings, self._address = settings, settings.address
        self._thread = ThreadPoolExecutor(1, "kafka-collector")
        self._admin: AdminClient | None = None
        self._reader: Consumer | None = None

    async def open(self) -> None:
        """Make the clients; they connect by themselves."""
        common = self._common()
        self._admin = AdminClient(common)
        self._reader = Consumer(
            common
            | {
                "group.id": "streamgauge",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "queued.max.messages.kbytes": 1024,
                "fetch.max.bytes": 1 << 20,
                "max.partition.fetch.bytes": 64 << 10,
            }
        )

    def _common(self) -> dict[str, Any]:
        address, options = self._address, self._settings.options
        is_tls, user = address.parts.scheme == "kafkas", address.user
        protocol = ("SASL_" if user else "") + ("SSL" if is_tls else "PLAINTEXT")
        common: dict[str, Any] = {
            "bootstrap.servers": address.where,
            "security.protocol": protocol,
            "socket.timeout.ms": int(self._settings.timeout_s * 1e3),
            "log_level": 0,  # what goes wrong is told by `read`
        }
        if user:
            mechanism = options["sasl_mechanism"] or "PLAIN"
            common |= {"sasl.mechanism": mechanism, "sasl.username": user}
            common["sasl.password"] = address.secret()
        if options["ca_file"]:
            common["ssl.ca.location"] = options["ca_file"]
        return common

    async def close(self) -> None:
        """Let go of the connections."""
        reader, self._reader, self._admin = self._reader, None, None
        if reader is not None:
            await self._in_thread(reader.close)

    async def read(self) -> Sequence[QueueReading]:
        """All groups and the topics they read."""
        try:
            return await self._in_thread(self._read)
        except KafkaException as error:
            raise self._explained(error.args[0]) from error

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _read(self) -> list[QueueReading]:
        if self._admin is None:
            raise ConnectionResetError
        groups = self._groups(self._admin)
        committed = {name: self._committed(self._admin, name) for name in groups}
        places = {place for offsets in committed.values() for place in offsets}
        low = self._ends(self._admin, places, OffsetSpec.earliest())  # type: ignore[no-untyped-call]
        high = self._ends(self._admin, places, OffsetSpec.latest())  # type: ignore[no-untyped-call]
        standing = {
            (topic, group): {
                number: Partition(low[topic, number], high[topic, number], offset)
                for (of, number), offset in offsets.items()
                if of == topic and (of, number) in low and (of, number) in high
            }
            for group, offsets in committed.items()
            for topic in {of for of, _ in offsets}
            if self._settings.naming.takes(f"{topic}/{group}")
        }
        members = {group: self._members(self._admin, group) for group in groups}
        heads = put_at(self._reader, standing) if self._reader else {}
        now = time.time()
        return [
            reading(topic, group, partitions, heads, members[group], now)
            for (topic, group), partitions in sorted(standing.items())
        ]

    def _groups(self, admin: AdminClient) -> list[str]:
        """Of consumers; Connect and others have groups of other kinds."""
        found = admin.list_consumer_groups(request_timeout=self._settings.timeout_s).result()
        if found.errors and not found.valid:
            error = found.errors[0]
            raise error if isinstance(error, KafkaException) else KafkaException(error)
        return sorted(group.group_id for group in found.valid)

    def _committed(self, admin: AdminClient, group: str) -> dict[Place, int]:
        asked = admin.list_consumer_group_offsets(
            [ConsumerGroupTopicPartitions(group, self._asked(group))],
            request_timeout=self._settings.timeout_s,
        )
        told = asked[group].result().topic_partitions or []
        return {
            (one.topic, one.partition): one.offset
            for one in told
            if one.offset > OFFSET_INVALID and not one.topic.startswith(_INTERNAL) and not one.error
        }

    def _asked(self, group: str) -> list[TopicPartition] | None:  # noqa: ARG002
        """The partitions whose offsets are asked for; None: all that the group has."""
        return None

    def _ends(self, admin: AdminClient, places: Iterable[Place], end: Any) -> dict[Place, int]:  # noqa: ANN401
        asked = {TopicPartition(*place): end for place in places}
        if not asked:
            return {}
        futures = admin.list_offsets(asked, request_timeout=self._settings.timeout_s)
        found = {}
        for one, future in futures.items():
            try:
                found[one.topic, one.partition] = future.result().offset
            except KafkaException as error:
                if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                    raise
        return found

    def _members(self, admin: AdminClient, group: str) -> int | None:
        """None: not told."""
        asked = admin.describe_consumer_groups([group], request_timeout=self._settings.timeout_s)
        try:
            return len(asked[group].result().members)
        except KafkaException:
            return None

    def _explained(self, error: KafkaError) -> Exception:
        where, user, code = self._address.where, self._address.user, error.code()
        if code in _LOCKED_OUT:
            return wrong_credentials(where, user)
        if code in _FORBIDDEN:
            return not_permitted(where, user, "describe groups and topics")
        if code in _SILENT:
            return hangs(where, self._settings.timeout_s)
        if code in _AWAY:
            return CollectorFault(
                Fault.REFUSED,
                f"{where} cannot be reached: look whether it runs, and whether host and port are "
                "right",
            )
        return CollectorFault(Fault.ANSWER, f"{where}: {error.str()}")


def reading(
    topic: str,
    group: str,
    partitions: Mapping[int, Partition],
    heads: Mapping[tuple[str, int, int], float],
    members: int | None,
    now: float,
) -> QueueReading:
    """One group on one topic.

    Args:
        topic: its name.
        group: its name.
        partitions: by number.
        heads: when messages were put, epoch seconds, by topic, partition and offset.
        members: consumers of the group; None: not told.
        now: epoch seconds.
    """
    waiting = {number: one for number, one in partitions.items() if one.lag}
    put_at = [heads.get((topic, number, one.next)) for number, one in waiting.items()]
    known = [at for at in put_at if at is not None]
    age_s = None
    if len(known) == len(waiting):
        age_s = max(now - min(known), 0.0) if known else 0.0
    return QueueReading(
        f"{topic}/{group}",
        backlog=sum(one.lag for one in partitions.values()),
        in_total=sum(one.high for one in partitions.values()),
        out_total=sum(one.next for one in partitions.values()),
        consumers=members,
        oldest_age_s=age_s,
        oldest_age_method=AgeMethod.NONE if age_s is None else AgeMethod.HEAD,
    )
