"""The examples of docs/collectors.md, run as they stand there but for the port."""

from __future__ import annotations

import asyncio
import re
import subprocess
import tomllib
from pathlib import Path

import nats
import pytest
from tests.services import Service, program

from streamgauge.app.configuration import Configuration
from streamgauge.app.gather.collecting import collector_settings
from streamgauge.testing.collecting import Bench, bench_of

pytestmark = pytest.mark.broker
TEXT = (Path(__file__).parents[3] / "docs/collectors.md").read_text()


def example(title: str, ports: dict[str, int], number: int = 0) -> Bench:
    """Run the shell of a section, then its collector, once it sees a queue."""
    section = re.split(rf"^## {title}$", TEXT, flags=re.MULTILINE)[1].split("\n## ")[0]
    for known, port in ports.items():
        section = re.sub(rf"\b{known}\b", str(port), section)
    for shell in re.findall(r"```sh\n(.*?)```", section, re.DOTALL)[:1] if not number else []:
        lines = [line for line in shell.replace("\\\n", "").splitlines() if ":8686" not in line]
        subprocess.run(["sh", "-ec", "\n".join(lines)], check=True, capture_output=True)
    tables = re.findall(r"```toml\n(.*?)```", section, re.DOTALL)
    (queue,) = Configuration(**tomllib.loads(tables[number])).queue
    return bench_of(collector_settings(queue.model_copy(update={"every": 0.3})))


async def _until_seen(bench: Bench, queues: set[str]) -> None:
    async with bench.running():
        await bench.until(lambda b: {row["queue"] for row in b.rows} >= queues)


def seen(bench: Bench, *queues: str) -> dict[str, dict[str, object]]:
    """The newest row of each queue, once all of them are seen."""
    asyncio.run(_until_seen(bench, set(queues)))
    assert not bench.health.unseen
    return {row["queue"]: row for row in bench.rows}


def test_redis(redis_server: Service) -> None:
    program("redis-cli")
    rows = seen(example("Redis", {"6379": redis_server.port}), "orders/mail", "jobs")
    assert rows["orders/mail"]["backlog"] == 1
    assert rows["jobs"]["backlog"] == 3


def test_postgresql(postgresql_server: Service) -> None:
    program("psql")
    rows = seen(example("PostgreSQL", {"5432": postgresql_server.port}), "jobs")
    assert rows["jobs"]["backlog"] == 1
    assert rows["jobs"]["oldest_age_s"] is not None


def test_nats(nats_server: Service) -> None:
    async def fill() -> None:
        client = await nats.connect(f"nats://127.0.0.1:{nats_server.port}")
        js = client.jetstream()
        await js.add_stream(name="EVENTS", subjects=["events.>"])
        await js.pull_subscribe("", durable="ga4", stream="EVENTS")
        await js.publish("events.acme", b"hello")
        await client.close()

    asyncio.run(fill())
    rows = seen(example("NATS JetStream", {"4222": nats_server.port}), "EVENTS/ga4")
    assert (rows["EVENTS/ga4"]["integration"], rows["EVENTS/ga4"]["backlog"]) == ("ga4", 1)


@pytest.mark.parametrize(("title", "kind"), [("Kafka", "kafka"), ("Amazon SQS", "sqs")])
def test_the_clouds_examples_are_accepted(title: str, kind: str) -> None:
    assert example(title, {}).health.kind == kind


def test_the_example_of_pubsub_is_accepted() -> None:
    assert example("Google Pub/Sub", {}).health.address == "Pub/Sub of project acme-prod"
