"""Google Pub/Sub: what Cloud Monitoring tells, by a gRPC server that speaks its MetricService."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from google.cloud.monitoring_v3 import (
    ListTimeSeriesRequest,
    ListTimeSeriesResponse,
    Point,
    TimeInterval,
    TimeSeries,
    TypedValue,
)
from google.protobuf.timestamp_pb2 import Timestamp
from tests.receive.collectors.conftest import settings_of

from streamgauge.model.gatherer import AgeMethod, Fault
from streamgauge.receive.collectors.pubsub import Sum
from streamgauge.testing.collecting import Bench, bench_of

_METHOD = "/google.monitoring.v3.MetricService/ListTimeSeries"
_PREFIX = 'metric.type = "pubsub.googleapis.com/subscription/'
PAGE = 2


@dataclass
class Monitoring(grpc.GenericRpcHandler):
    """Answers ListTimeSeries, some series a page."""

    told: dict[str, dict[str, list[tuple[float, float]]]] = field(default_factory=dict)
    """Points (seconds ago, value) by metric and subscription."""
    error: grpc.StatusCode | None = None
    asked: list[Any] = field(default_factory=list)
    base: float = field(default_factory=time.time)

    def service(self, details: Any) -> grpc.RpcMethodHandler | None:
        if details.method != _METHOD:
            return None
        return grpc.unary_unary_rpc_method_handler(
            self._list,
            request_deserializer=ListTimeSeriesRequest.deserialize,
            response_serializer=ListTimeSeriesResponse.serialize,
        )

    async def _list(self, request: Any, context: Any) -> ListTimeSeriesResponse:
        self.asked.append(request)
        if self.error is grpc.StatusCode.DEADLINE_EXCEEDED:
            await asyncio.Event().wait()
        if self.error:
            await context.abort(self.error, "no")
        metric = request.filter.removeprefix(_PREFIX).removesuffix('"')
        first = int(request.page_token or 0)
        series = [self._series(name, points) for name, points in self.told.get(metric, {}).items()]
        more = str(first + PAGE) if first + PAGE < len(series) else ""
        return ListTimeSeriesResponse(
            time_series=series[first : first + PAGE], next_page_token=more
        )

    def _series(self, name: str, points: list[tuple[float, float]]) -> TimeSeries:
        return TimeSeries(
            resource={"type": "pubsub_subscription", "labels": {"subscription_id": name}},
            points=[
                Point(
                    interval=TimeInterval(end_time=Timestamp(seconds=int(self.base - ago_s))),
                    value=TypedValue(double_value=value),
                )
                for ago_s, value in points
            ],
        )


def bench(address: str, **more: Any) -> Bench:
    options = {"project": "acme-prod", "credentials_file": "", "endpoint": address}
    return bench_of(settings_of("pubsub", "Pub/Sub of project acme-prod", **options, **more))


@asynccontextmanager
async def served(monitoring: Monitoring) -> AsyncIterator[str]:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((monitoring,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


def looked(monitoring: Monitoring, **more: Any) -> Bench:
    """What one look finds."""

    async def run() -> Bench:
        async with served(monitoring) as address:
            found = bench(address, every_s=60.0, **more)
            async with found.running():
                await found.until(lambda bench: bench.health.reads_total)
            return found

    return asyncio.run(run())


def rows(found: Bench) -> Mapping[str, dict[str, Any]]:
    return {row["queue"]: row for row in found.rows}


def test_every_subscription_with_the_time_of_its_points() -> None:
    names = ("mail", "ga4", "s3", "idle", "gone")
    ago_s = {"mail": 100, "ga4": 130, "s3": 160, "idle": 100, "gone": 400}
    values = {"mail": 17.0, "ga4": 4.0, "s3": 250.0, "idle": 0.0, "gone": 9.0}
    monitoring = Monitoring(
        {
            "num_undelivered_messages": {
                name: [(ago_s[name] + 60, 999.0), (ago_s[name], values[name])] for name in names
            },
            "oldest_unacked_message_age": {"mail": [(100, 42.0)], "s3": [(160, 3600.0)]},
        }
    )
    found = rows(looked(monitoring))
    assert {name: row["backlog"] for name, row in found.items()} == {
        name: values[name] for name in names if name != "gone"
    }, "its last point is older than Google's delay: not known"
    assert found["mail"]["oldest_age_s"] == 42
    assert found["ga4"]["oldest_age_s"] is None
    at = {name: round(monitoring.base) - round(row["time_ns"] / 1e9) for name, row in found.items()}
    assert at == {name: pytest.approx(ago_s[name], abs=1) for name in found}
    request = monitoring.asked[0]
    assert request.name == "projects/acme-prod"
    assert {*request.aggregation.group_by_fields} == {"resource.label.subscription_id"}


def test_what_was_acknowledged_and_given_up_adds_up() -> None:
    async def run() -> None:
        monitoring = Monitoring(
            {
                "num_undelivered_messages": {"mail": [(90, 5.0)]},
                "ack_message_count": {"mail": [(150, 40.0), (90, 60.0)]},
                "dead_letter_message_count": {"mail": [(90, 2.0)]},
            }
        )
        async with served(monitoring) as address:
            found = bench(address)
            async with found.running():
                await found.until(lambda bench: bench.last("mail"))
                first = found.last("mail")
                assert first is not None
                assert first["out_total"] == 0, "the first look tells where it begins"
                monitoring.told["ack_message_count"]["mail"] += [(30, 25.0)]
                monitoring.told["dead_letter_message_count"]["mail"] += [(30, 3.0)]
                await found.until(lambda bench: bench.last("mail")["out_total"] == 25)  # type: ignore[index]
                await found.until(
                    lambda bench: bench.last("mail/dead-letters")["in_total"] == 3  # type: ignore[index]
                )
            ages = {one.queue: one.oldest_age_method for one in found.health.queues}
            assert ages["mail"] is not AgeMethod.BROKER

    asyncio.run(run())


@pytest.mark.parametrize(
    ("code", "fault", "said"),
    [
        (grpc.StatusCode.UNAUTHENTICATED, Fault.CREDENTIALS, "does not accept the credentials"),
        (grpc.StatusCode.PERMISSION_DENIED, Fault.PERMISSION, "Monitoring Viewer"),
        (grpc.StatusCode.NOT_FOUND, Fault.GONE, "check `project`"),
        (grpc.StatusCode.UNAVAILABLE, Fault.REFUSED, "look whether it runs"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, Fault.HANGS, "does not answer within 1 s"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_what_goes_wrong_is_said(code: grpc.StatusCode, fault: Fault, said: str) -> None:
    health = looked(Monitoring(error=code), timeout_s=1.0).health
    assert health.fault is fault
    assert said in health.last_error


@pytest.mark.parametrize(
    ("looks", "total"),
    [
        pytest.param([{60: 5.0}], 0, id="the first look is where it begins"),
        pytest.param([{60: 5.0}, {60: 5.0, 120: 7.0}], 7, id="what is new is added once"),
        pytest.param([{60: 5.0}, {}, {120: 7.0}], 7, id="a look without points"),
        pytest.param([{}, {60: 5.0}], 5, id="nothing was told at first"),
    ],
)
def test_sums(looks: list[dict[float, float]], total: float) -> None:
    found = Sum()
    assert [found.add(points) for points in looks][-1] == total
