"""Google Pub/Sub: every subscription of a project, as Cloud Monitoring tells it.

Points come a minute apart and are told one to three minutes late; each keeps its own time. A
subscription of which the last point is older than that is left out: it is not known. What was
acknowledged and what was given up are told by the minute, and are added up from the first look on.

Source: https://cloud.google.com/monitoring/api/metrics_gcp_p_z#gcp-pubsub (names, kinds, delays).
"""

from __future__ import annotations

import errno
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.api_core.exceptions import (
    DeadlineExceeded,
    Forbidden,
    GoogleAPICallError,
    NotFound,
    ServiceUnavailable,
    Unauthenticated,
)
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
from google.cloud.monitoring_v3 import (
    Aggregation,
    ListTimeSeriesRequest,
    MetricServiceAsyncClient,
    TimeInterval,
    TimeSeries,
)
from google.cloud.monitoring_v3.services.metric_service.transports import (
    MetricServiceGrpcAsyncIOTransport,
)
from google.oauth2 import service_account
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from streamgauge.model.gatherer import AgeMethod, Fault, QueueReading
from streamgauge.receive.collectors.collector import CollectorSettings
from streamgauge.receive.collectors.faults import (
    CollectorFault,
    hangs,
    not_permitted,
    wrong_credentials,
)

WINDOW_S = 600.0
"""Asked for; the newest point of it counts, if it is not older than `STALE_S`."""
STALE_S = 300.0
"""Two minutes above the longest delay that is documented."""
_PREFIX = "pubsub.googleapis.com/subscription/"
GAUGES = {
    "num_undelivered_messages": "backlog",
    "oldest_unacked_message_age": "oldest_age_s",
    "num_outstanding_messages": "in_flight",
}
ACKED, PUSHED, DEAD_LETTERS = "ack_message_count", "push_request_count", "dead_letter_message_count"
COUNTERS = (ACKED, PUSHED, DEAD_LETTERS)
_READ_SCOPE = ("https://www.googleapis.com/auth/monitoring.read",)


def make(settings: CollectorSettings) -> PubsubCollector:
    """A collector that is not connected yet."""
    return PubsubCollector(settings)


class PubsubCollector:
    """One project."""

    kind = "pubsub"

    def __init__(self, settings: CollectorSettings) -> None:
        self._settings = settings
        self._project: str = settings.options["project"]
        self._client: MetricServiceAsyncClient | None = None
        self._sums: dict[tuple[str, str], Sum] = {}
        """By metric and subscription; they outlive a connection."""

    @property
    def where(self) -> str:
        """For sentences."""
        return f"Cloud Monitoring of project {self._project}"

    async def open(self) -> None:
        """Make the client; nothing is reached before the first read."""
        options = self._settings.options
        try:
            if options["endpoint"]:
                channel = grpc.aio.insecure_channel(options["endpoint"])
                transport = MetricServiceGrpcAsyncIOTransport(channel=channel)
                self._client = MetricServiceAsyncClient(transport=transport)
            elif options["credentials_file"]:
                credentials = service_account.Credentials.from_service_account_file(  # type: ignore[no-untyped-call]
                    options["credentials_file"], scopes=_READ_SCOPE
                )
                self._client = MetricServiceAsyncClient(credentials=credentials)
            else:
                self._client = MetricServiceAsyncClient()
        except (OSError, ValueError, DefaultCredentialsError) as error:
            raise self._without_credentials() from error

    async def close(self) -> None:
        """Let go of the channel."""
        client, self._client = self._client, None
        if client is not None:
            await client.transport.close()  # type: ignore[no-untyped-call]

    async def read(self) -> Sequence[QueueReading]:
        """All subscriptions that Cloud Monitoring told of lately."""
        now = time.time()
        found: dict[str, Told] = {}
        try:
            for metric in (*GAUGES, *COUNTERS):
                async for series in await self._list(metric, now):
                    self._take(found, metric, series, now)
        except (GoogleAPICallError, GoogleAuthError) as error:
            raise self._explained(error) from error
        return [one for name, told in found.items() for one in told.readings(name)]

    def _take(self, found: dict[str, Told], metric: str, series: TimeSeries, now: float) -> None:
        name = series.resource.labels["subscription_id"]
        told = found.setdefault(name, Told())
        points = {_ended_at(point): _number(point) for point in series.points}
        if metric in GAUGES:
            told.take(GAUGES[metric], points, now)
            return
        total = self._sums.setdefault((metric, name), Sum()).add(points)
        if metric == DEAD_LETTERS:
            told.given_up = total
        else:
            told.out_total = (told.out_total or 0.0) + total

    async def _list(self, metric: str, now: float) -> Any:  # noqa: ANN401 - a pager without a type
        if self._client is None:
            raise ConnectionResetError
        request = ListTimeSeriesRequest(
            name=f"projects/{self._project}",
            filter=f'metric.type = "{_PREFIX}{metric}"',
            interval=TimeInterval(start_time=_stamp(now - WINDOW_S), end_time=_stamp(now)),
            aggregation=_summed(metric),
            page_size=10_000,
        )
        timeout_s = self._settings.timeout_s
        return await self._client.list_time_series(request, timeout=timeout_s, retry=None)

    def _explained(self, error: Exception) -> Exception:
        user = "the service account" if self._settings.options["credentials_file"] else ""
        match error:
            case Unauthenticated() | GoogleAuthError():
                return wrong_credentials(self.where, user)
            case Forbidden():
                return not_permitted(self.where, user, "read metrics (role Monitoring Viewer)")
            case NotFound():
                text = f"{self.where}: there is no such project: check `project`"
                return CollectorFault(Fault.GONE, text)
            case DeadlineExceeded():
                return hangs(self.where, self._settings.timeout_s)
            case ServiceUnavailable():
                return ConnectionRefusedError(errno.ECONNREFUSED, str(error))
        return error

    def _without_credentials(self) -> CollectorFault:
        return CollectorFault(
            Fault.CREDENTIALS,
            f"{self.where}: no credentials can be read: set credentials_file to a service "
            "account's key, or give this machine a service account",
        )


@dataclass(slots=True)
class Sum:
    """What came by the minute, added up once."""

    total: float = 0.0
    until: float | None = None
    """Epoch seconds of the newest point in it."""

    def add(self, points: Mapping[float, float]) -> float:
        """The sum with those points that are new; the first look only tells where it begins."""
        if self.until is not None:
            self.total += sum(value for at, value in points.items() if at > self.until)
        self.until = max([*points, self.until or 0.0])
        return self.total


@dataclass(slots=True)
class Told:
    """What is told of one subscription."""

    values: dict[str, float] = field(default_factory=dict)
    """By column of a reading."""
    at: float = 0.0
    """Epoch seconds of the newest of them."""
    out_total: float | None = None
    given_up: float | None = None

    def take(self, column: str, points: Mapping[float, float], now: float) -> None:
        """Take the newest point, unless it is too old."""
        at = max(points, default=0.0)
        if now - at <= STALE_S:
            self.values[column] = points[at]
            self.at = max(self.at, at)

    def readings(self, name: str) -> list[QueueReading]:
        """The subscription, and what it gave up, as queues; nothing while nothing is known."""
        if not self.values:
            return []
        has_age = "oldest_age_s" in self.values
        method = AgeMethod.BROKER if has_age else AgeMethod.NONE
        known = QueueReading(
            name,
            backlog=self.values.get("backlog"),
            oldest_age_s=self.values.get("oldest_age_s"),
            in_flight=self.values.get("in_flight"),
            out_total=self.out_total,
            at=self.at,
            oldest_age_method=method,
        )
        if self.given_up is None:
            return [known]
        return [known, QueueReading(f"{name}/dead-letters", in_total=self.given_up, at=self.at)]


def _summed(metric: str) -> Aggregation:
    """One series a subscription and a point a minute, whatever else the metric tells apart."""
    aligner = Aggregation.Aligner.ALIGN_MEAN if metric in GAUGES else Aggregation.Aligner.ALIGN_SUM
    reducer = (
        Aggregation.Reducer.REDUCE_MAX
        if metric == "oldest_unacked_message_age"
        else Aggregation.Reducer.REDUCE_SUM
    )
    return Aggregation(
        alignment_period=Duration(seconds=60),
        per_series_aligner=aligner,
        cross_series_reducer=reducer,
        group_by_fields=["resource.label.subscription_id"],
    )


def _number(point: Any) -> float:  # noqa: ANN401 - a protobuf without a type
    value = point.value
    return float(value.double_value or value.int64_value)


def _ended_at(point: Any) -> float:  # noqa: ANN401
    return float(point.interval.end_time.timestamp())


def _stamp(at: float) -> Timestamp:
    return Timestamp(seconds=int(at), nanos=int(at % 1 * 1e9))
