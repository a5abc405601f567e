"""Amazon SQS: every count is exact, on moto's server; ages are CloudWatch's."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer
from tests.receive.collectors.conftest import settings_of

from streamgauge.model.gatherer import AgeMethod, Fault
from streamgauge.receive.collectors.naming import Naming
from streamgauge.receive.collectors.sqs import reading
from streamgauge.testing.collecting import Bench, bench_of

pytestmark = pytest.mark.broker

KEY, SECRET = "AKIDSTREAMGAUGE", "never-to-be-said-31b7"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """The address of a service that speaks SQS and CloudWatch."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@pytest.fixture
def client(endpoint: str) -> Iterator[Any]:
    """An account without queues."""
    found = boto3.client(
        "sqs",
        endpoint_url=endpoint,
        region_name="eu-west-1",
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
    )
    for url in found.list_queues().get("QueueUrls", []):
        found.delete_queue(QueueUrl=url)
    yield found
    found.close()


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, str]:
    """Files with credentials."""
    (tmp_path / "id").write_text(KEY + "\n")
    (tmp_path / "secret").write_text(SECRET + "\n")
    return {"access_key_file": str(tmp_path / "id"), "secret_key_file": str(tmp_path / "secret")}


def bench(endpoint: str, keys: dict[str, str], **more: Any) -> Bench:
    options = {"region": "eu-west-1", "session_token_file": "", "cloudwatch": False} | keys
    return bench_of(settings_of("sqs", endpoint, endpoint=endpoint, **(options | more)))


def test_every_queue_of_the_region_is_read(
    client: Any, endpoint: str, keys: dict[str, str]
) -> None:
    dead = client.create_queue(QueueName="orders-dead")["QueueUrl"]
    arn = client.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]
    policy = json.dumps({"deadLetterTargetArn": arn["QueueArn"], "maxReceiveCount": 3})
    orders = client.create_queue(QueueName="orders", Attributes={"RedrivePolicy": policy})
    client.create_queue(QueueName="acme.fifo", Attributes={"FifoQueue": "true"})
    for number in range(7):
        client.send_message(QueueUrl=orders["QueueUrl"], MessageBody=str(number))
    client.send_message(QueueUrl=orders["QueueUrl"], MessageBody="later", DelaySeconds=600)
    client.receive_message(QueueUrl=orders["QueueUrl"], MaxNumberOfMessages=2)
    client.send_message(QueueUrl=dead, MessageBody="given up")

    found = bench(endpoint, keys).look()
    rows = {row["queue"]: (row["backlog"], row["in_flight"], row["tags"]) for row in found.rows}
    assert rows == {
        "orders": (5, 2, "delayed=1"),
        "orders-dead": (1, 0, "dead_letters=true"),
        "acme.fifo": (0, 0, ""),
    }
    assert found.last("acme.fifo")["oldest_age_s"] == 0  # type: ignore[index]
    assert found.last("orders")["oldest_age_s"] is None  # type: ignore[index]
    assert SECRET not in repr(found.health)


def test_more_queues_than_a_page_holds(client: Any, endpoint: str, keys: dict[str, str]) -> None:
    for number in range(25):
        client.create_queue(QueueName=f"q-{number}")
    naming = Naming(include=("q-1*",))
    assert len(bench(endpoint, keys, naming=naming).look().rows) == 11


def test_ages_are_asked_of_cloudwatch(client: Any, endpoint: str, keys: dict[str, str]) -> None:
    url = client.create_queue(QueueName="orders")["QueueUrl"]
    client.send_message(QueueUrl=url, MessageBody="1")
    found = bench(endpoint, keys, cloudwatch=True).look()
    row = found.last("orders")
    assert row is not None
    assert (row["backlog"], row["oldest_age_s"]) == (1, None), "moto has no such metric: unknown"


@pytest.mark.parametrize(
    ("backlog", "age_s", "told", "method"),
    [
        pytest.param("3", 42.0, 42.0, AgeMethod.BROKER, id="told by CloudWatch"),
        pytest.param("3", None, None, AgeMethod.NONE, id="not told"),
        pytest.param("0", 42.0, 0.0, AgeMethod.BROKER, id="of a queue that is empty by now"),
    ],
)
def test_the_age_of_the_oldest_message(
    backlog: str, age_s: float | None, told: float | None, method: AgeMethod
) -> None:
    attributes = {"ApproximateNumberOfMessages": backlog}
    found = reading("orders", attributes, age_s, is_dead_letter=False)
    assert (found.oldest_age_s, found.oldest_age_method) == (told, method)
    assert found.in_flight is None


def test_a_service_that_hangs_or_is_not_there(keys: dict[str, str]) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        refused = bench(endpoint, keys, timeout_s=2.0).look().health
        deaf.listen()
        hanging = bench(endpoint, keys, timeout_s=1.0).look().health
    assert (refused.fault, hanging.fault) == (Fault.REFUSED, Fault.HANGS)
    assert "look whether it runs" in refused.last_error
    assert "does not answer within 1 s" in hanging.last_error


def test_a_secret_that_cannot_be_read(endpoint: str, keys: dict[str, str]) -> None:
    health = bench(endpoint, keys | {"secret_key_file": "/nowhere/secret"}).look().health
    assert health.fault is Fault.CREDENTIALS
    assert "/nowhere/secret cannot be read" in health.last_error
