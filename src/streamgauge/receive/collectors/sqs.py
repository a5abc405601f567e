"""Amazon SQS: every queue of a region that the credentials can see.

Depths are asked from SQS itself. The age of the oldest message is CloudWatch's: some minutes late,
and paid for by the metric; what is older than it should be is not told. Without CloudWatch the age
is told as far as the backlog alone tells it.

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/
API_GetQueueAttributes.html; sqs-available-cloudwatch-metrics.html in the developer's guide.
"""

from __future__ import annotations

import asyncio
import errno
import json
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)

from streamgauge.model.gatherer import AgeMethod, Fault, QueueReading
from streamgauge.receive.collectors.address import read_secret
from streamgauge.receive.collectors.collector import CollectorSettings
from streamgauge.receive.collectors.faults import (
    CollectorFault,
    hangs,
    not_permitted,
    wrong_credentials,
)

ASKED_AT_ONCE = 10
"""Queues whose attributes are asked for at the same time."""
METRICS_A_CALL = 500
LATE = timedelta(minutes=10)
"""CloudWatch tells minutes within so long; what is older says that nobody uses the queue, for which
it stops telling after six hours, or that it is late."""
ATTRIBUTES = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
    "RedrivePolicy",
)
_GONE = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")
_LOCKED_OUT = (
    "InvalidClientTokenId",
    "ExpiredToken",
    "ExpiredTokenException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
    "InvalidAccessKeyId",
    "AuthFailure",
)
_FORBIDDEN = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")


def make(settings: CollectorSettings) -> SqsCollector:
    """A collector that is not connected yet."""
    return SqsCollector(settings)


class SqsCollector:
    """One region."""

    kind = "sqs"

    def __init__(self, settings: CollectorSettings) -> None:
        self._settings = settings
        self._stack = AsyncExitStack()
        self._sqs: Any = None
        self._watch: Any = None
        self._at_once = asyncio.Semaphore(ASKED_AT_ONCE)

    @property
    def where(self) -> str:
        """For sentences."""
        options = self._settings.options
        return options["endpoint"] or f"SQS in {options['region'] or 'the default region'}"

    async def open(self) -> None:
        """Make the clients; nothing is reached before the first read."""
        options, timeout_s = self._settings.options, self._settings.timeout_s
        limits = {"connect_timeout": timeout_s, "read_timeout": timeout_s}
        given = {
            "region_name": options["region"] or None,
            "endpoint_url": options["endpoint"] or None,
            "config": AioConfig(retries={"max_attempts": 1}, **limits),
            **_keys(options),
        }
        session = get_session()
        try:
            self._sqs = await self._stack.enter_async_context(session.create_client("sqs", **given))
            if options["cloudwatch"]:
                watch = session.create_client("cloudwatch", **given)
                self._watch = await self._stack.enter_async_context(watch)
        except (BotoCoreError, ValueError) as error:
            raise self._explained(error) from error

    async def close(self) -> None:
        """Let go of the connections."""
        stack, self._stack = self._stack, AsyncExitStack()
        self._sqs = self._watch = None
        await stack.aclose()

    async def read(self) -> Sequence[QueueReading]:
        """All queues."""
        if self._sqs is None:
            raise ConnectionResetError
        try:
            urls = {url.rpartition("/")[2]: url for url in await self._urls()}
            wanted = [name for name in urls if self._settings.naming.takes(name)]
            found = await asyncio.gather(*(self._attributes(urls[name]) for name in wanted))
            told = {name: one for name, one in zip(wanted, found, strict=True) if one is not None}
            ages = await self._ages(list(told)) if self._watch is not None else {}
        except (BotoCoreError, ClientError) as error:
            raise self._explained(error) from error
        dead = _dead_letters(told)
        return [
            reading(name, one, ages.get(name), is_dead_letter=name in dead)
            for name, one in told.items()
        ]

    async def _urls(self) -> list[str]:
        pages = self._sqs.get_paginator("list_queues").paginate(PaginationConfig={"PageSize": 1000})
        return [url async for page in pages for url in page.get("QueueUrls", ())]

    async def _attributes(self, url: str) -> Mapping[str, str] | None:
        """None: it has just gone."""
        async with self._at_once:
            try:
                answer = await self._sqs.get_queue_attributes(
                    QueueUrl=url, AttributeNames=list(ATTRIBUTES)
                )
            except ClientError as error:
                if _code(error) in _GONE:
                    return None
                raise
        attributes: Mapping[str, str] = answer.get("Attributes", {})
        return attributes

    async def _ages(self, names: Sequence[str]) -> dict[str, float]:
        """By queue: the newest age of the oldest message, seconds."""
        now = datetime.now(UTC)
        found: dict[str, float] = {}
        for first in range(0, len(names), METRICS_A_CALL):
            some = names[first : first + METRICS_A_CALL]
            answer = await self._watch.get_metric_data(
                MetricDataQueries=[_age_query(at, name) for at, name in enumerate(some)],
                StartTime=now - LATE,
                EndTime=now,
                ScanBy="TimestampDescending",
            )
            results = answer["MetricDataResults"]
            found |= {
                some[int(one["Id"][1:])]: one["Values"][0] for one in results if one["Values"]
            }
        return found

    def _explained(self, error: Exception) -> Exception:
        user = "the keys that are configured" if self._settings.options["access_key_file"] else ""
        match error:
            case NoCredentialsError():
                return CollectorFault(
                    Fault.CREDENTIALS,
                    f"{self.where}: no credentials are found: set access_key_file and "
                    "secret_key_file, or give this machine a role",
                )
            case ConnectTimeoutError() | ReadTimeoutError():
                return hangs(self.where, self._settings.timeout_s)
            case EndpointConnectionError():
                return ConnectionRefusedError(errno.ECONNREFUSED, str(error))
            case ConnectionClosedError():
                return ConnectionResetError()
            case ClientError():
                return _refused(error, self.where, user)
        return error


def _refused(error: Exception, where: str, user: str) -> Exception:
    """The words for what the service says."""
    code = _code(error)
    if code in _LOCKED_OUT:
        return wrong_credentials(where, user)
    if code in _FORBIDDEN:
        actions = "sqs:ListQueues, sqs:GetQueueAttributes, cloudwatch:GetMetricData"
        return not_permitted(where, user, f"read queues ({actions})")
    return error


def reading(
    name: str,
    attributes: Mapping[str, str],
    age_s: float | None,
    *,
    is_dead_letter: bool,
) -> QueueReading:
    """One queue, as its attributes tell it.

    Args:
        name: of the queue.
        attributes: as SQS gives them, numbers as text.
        age_s: of the oldest message some minutes ago, as CloudWatch tells it; None: not told.
        is_dead_letter: whether another queue puts here what it gives up.
    """
    backlog = _number(attributes, "ApproximateNumberOfMessages")
    delayed = _number(attributes, "ApproximateNumberOfMessagesDelayed")
    tags = {"delayed": f"{delayed:.0f}"} if delayed else {}
    if is_dead_letter:
        tags["dead_letters"] = "true"
    if backlog == 0:
        age_s = 0.0
    return QueueReading(
        name,
        backlog=backlog,
        in_flight=_number(attributes, "ApproximateNumberOfMessagesNotVisible"),
        oldest_age_s=age_s,
        oldest_age_method=AgeMethod.NONE if age_s is None else AgeMethod.BROKER,
        tags=tags,
    )


def _age_query(at: int, name: str) -> dict[str, Any]:
    metric = {
        "Namespace": "AWS/SQS",
        "MetricName": "ApproximateAgeOfOldestMessage",
        "Dimensions": [{"Name": "QueueName", "Value": name}],
    }
    return {"Id": f"q{at}", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Maximum"}}


def _dead_letters(told: Mapping[str, Mapping[str, str]]) -> set[str]:
    """Names of queues that others put into what they give up."""
    policies = (one.get("RedrivePolicy") for one in told.values())
    arns = (json.loads(policy).get("deadLetterTargetArn", "") for policy in policies if policy)
    return {str(arn).rpartition(":")[2] for arn in arns}


def _number(attributes: Mapping[str, str], name: str) -> float | None:
    value = attributes.get(name)
    return None if value is None else float(value)


def _keys(options: Mapping[str, Any]) -> dict[str, str]:
    if not options["access_key_file"]:
        return {}
    keys = {
        "aws_access_key_id": read_secret(options["access_key_file"]),
        "aws_secret_access_key": read_secret(options["secret_key_file"]),
    }
    if options["session_token_file"]:
        keys["aws_session_token"] = read_secret(options["session_token_file"])
    return keys


def _code(error: Any) -> str:  # noqa: ANN401 - a library without types
    return str(error.response.get("Error", {}).get("Code", ""))
