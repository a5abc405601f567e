"""OTLP read naively: protobuf's own library, one point after the other, nothing remembered."""

from __future__ import annotations

import base64
import json
import math
from itertools import pairwise
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from streamgauge.receive.measured import Form, Measured, Series

DROPPED = ("telemetry.", "process.", "os.", "container.", "webengine.", "host.", "cloud.", "k8s.")
KEPT = {
    "host.name",
    "cloud.region",
    "k8s.cluster.name",
    "k8s.namespace.name",
    "k8s.deployment.name",
    "k8s.pod.name",
}
HOUR_NS = 3_600_000_000_000


class Refuse(Exception):
    """One point."""


def read(body: bytes, received_at_ns: int) -> tuple[list[Any], list[Any], list[Any], int]:
    """Numbers, series that ended, histograms (each sorted), and how many points are refused."""
    request = ExportMetricsServiceRequest.FromString(body)
    numbers: list[Any] = []
    ended: list[Any] = []
    histograms: list[Any] = []
    refused = 0
    for of_resource in request.resource_metrics:
        for of_scope in of_resource.scope_metrics:
            for metric in of_scope.metrics:
                kind = metric.WhichOneof("data")
                if kind is None:
                    continue
                data = getattr(metric, kind)
                for point in data.data_points:
                    try:
                        _point(
                            point, kind, data, metric, of_resource, of_scope, received_at_ns,
                            numbers, ended, histograms,
                        )  # fmt: skip
                    except Refuse:
                        refused += 1
    return sorted(numbers, key=repr), sorted(ended, key=repr), sorted(histograms, key=repr), refused


def _point(  # noqa: C901
    point: Any,
    kind: str,
    data: Any,
    metric: Any,
    of_resource: Any,
    of_scope: Any,
    received_at_ns: int,
    numbers: list[Any],
    ended: list[Any],
    histograms: list[Any],
) -> None:
    if kind == "gauge":
        form = Form.GAUGE
    elif kind == "summary":
        form = Form.CUMULATIVE
    else:
        if data.aggregation_temporality not in {1, 2}:
            if kind in {"histogram", "exponential_histogram"} and point.flags & 1:
                return
            raise Refuse
        form = Form.DELTA if data.aggregation_temporality == 1 else Form.CUMULATIVE
        if kind == "sum" and form is Form.CUMULATIVE and not data.is_monotonic:
            form = Form.GAUGE
    has_no_value = bool(point.flags & 1)
    if has_no_value and kind not in {"gauge", "sum"}:
        return
    labels = _labels(point, of_resource, of_scope)
    time_ns = point.time_unix_nano
    if not metric.name or not 0 < time_ns <= received_at_ns + HOUR_NS:
        raise Refuse
    start_ns = point.start_time_unix_nano if point.start_time_unix_nano <= time_ns else 0
    series = Series(metric.name, labels, form, metric.unit)
    if kind in {"gauge", "sum"}:
        if has_no_value:
            ended.append((series, time_ns))
            return
        which = point.WhichOneof("value")
        value = float(getattr(point, which)) if which else math.nan
        if not math.isfinite(value):
            raise Refuse
        numbers.append((series, time_ns, start_ns, value))
    elif kind == "summary":
        _summary(point, series, time_ns, start_ns, numbers)
    else:
        cells = _explicit(point) if kind == "histogram" else _exponential(point)
        if sum(weight for _, _, weight in cells) != float(point.count):
            raise Refuse
        total = repr(point.sum) if point.HasField("sum") else "nan"
        near = [(_near(lower), _near(upper), weight) for lower, upper, weight in cells]
        histograms.append((series, time_ns, start_ns, float(point.count), total, near))


def _summary(point: Any, series: Series, time_ns: int, start_ns: int, numbers: list[Any]) -> None:
    name, labels, form, unit = series.name, series.labels, series.form, series.unit
    told = [(Series(f"{name}_count", labels, form, unit), float(point.count))]
    if math.isfinite(point.sum):
        told.append((Series(f"{name}_sum", labels, form, unit), point.sum))
    for at in point.quantile_values:
        if math.isfinite(at.value):
            quantile = repr(at.quantile).removesuffix(".0")
            with_it = tuple(sorted({**dict(labels), "quantile": quantile}.items()))
            told.append((Series(name, with_it, Form.GAUGE, unit), at.value))
    numbers += [(one, time_ns, start_ns, value) for one, value in told]


def _labels(point: Any, of_resource: Any, of_scope: Any) -> tuple[tuple[str, str], ...]:
    groups = (of_resource.resource.attributes, of_scope.scope.attributes, point.attributes)
    for group in groups:
        if len(group) > 128:
            raise Refuse
    resource, scope, own = ({one.key: text(one.value) for one in group} for group in groups)
    labels = {
        key: value for key, value in resource.items() if key in KEPT or not key.startswith(DROPPED)
    }
    if resource.get("process.pid") and not labels.get("service.instance.id"):
        parts = [resource.get("host.name"), resource["process.pid"]]
        labels["service.instance.id"] = ":".join(part for part in parts if part)
    if of_scope.scope.name:
        labels["otel.scope.name"] = of_scope.scope.name
    if of_scope.scope.version:
        labels["otel.scope.version"] = of_scope.scope.version
    merged = {**labels, **scope, **own}
    return tuple(sorted((key, value) for key, value in merged.items() if key and value))


def text(value: Any) -> str:
    """An attribute's value."""
    plain = _plain(value)
    if isinstance(plain, bool):
        return "true" if plain else "false"
    if isinstance(plain, list | dict):
        return json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
    return plain if isinstance(plain, str) else repr(plain)


def _plain(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_plain(one) for one in value.array_value.values]
    if kind == "kvlist_value":
        return {one.key: _plain(one.value) for one in value.kvlist_value.values}
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    return getattr(value, kind) if kind and kind != "string_value_strindex" else ""


def _explicit(point: Any) -> list[tuple[float, float, float]]:
    counts = [float(one) for one in point.bucket_counts]
    bounds = list(point.explicit_bounds)
    if not counts and not bounds:
        counts = [float(point.count)]
    borders = [-math.inf, *bounds, math.inf]
    rises = all(one < other for one, other in pairwise(borders))
    if len(counts) != len(bounds) + 1 or len(counts) > 10_000 or not rises:
        raise Refuse
    return [
        (lower, upper, weight)
        for (lower, upper), weight in zip(pairwise(borders), counts, strict=True)
    ]


def _exponential(point: Any) -> list[tuple[float, float, float]]:
    if not -10 <= point.scale <= 20 or not 0 <= point.zero_threshold < math.inf:
        raise Refuse

    def border(index: int) -> float:
        exponent = index * 2.0**-point.scale
        return math.inf if exponent >= 1024 else max(2.0**exponent, 0.0)

    def cells(buckets: Any) -> list[tuple[float, float, float]]:
        return [
            (border(index), max(border(index + 1), 5e-324), float(count))
            for index, count in enumerate(buckets.bucket_counts, buckets.offset)
            if count
        ]

    above, below = cells(point.positive), cells(point.negative)
    if any(math.isinf(lower) for lower, _, _ in above + below):
        raise Refuse
    found = [(-upper, -lower, count) for lower, upper, count in reversed(below)]
    if point.zero_count:
        found.append((-point.zero_threshold, point.zero_threshold, float(point.zero_count)))
    return found + above


def as_read(measured: Measured) -> tuple[list[Any], list[Any], list[Any]]:
    """What a decoder made, in the shape of `read`."""
    numbers, shapes = measured.numbers, measured.histograms
    told = [
        (numbers.series[of], time, start, value)
        for of, time, start, value in zip(
            numbers.of.tolist(), numbers.time_ns.tolist(), numbers.start_ns.tolist(),
            numbers.value.tolist(), strict=True,
        )
    ]  # fmt: skip
    ended = [
        (numbers.series[of], time)
        for of, time in zip(numbers.ended.tolist(), numbers.ended_ns.tolist(), strict=True)
    ]
    histograms = []
    for at, of in enumerate(shapes.of.tolist()):
        begin, end = shapes.cells[at : at + 2].tolist()
        cells = [
            (_near(lower), _near(upper), weight)
            for lower, upper, weight in zip(
                shapes.lower[begin:end].tolist(), shapes.upper[begin:end].tolist(),
                shapes.weight[begin:end].tolist(), strict=True,
            )
        ]  # fmt: skip
        histograms.append(
            (
                shapes.series[of], int(shapes.time_ns[at]), int(shapes.start_ns[at]),
                float(shapes.count[at]), repr(float(shapes.sum[at])), cells,
            )
        )  # fmt: skip
    return sorted(told, key=repr), sorted(ended, key=repr), sorted(histograms, key=repr)


def _near(border: float) -> float:
    """Borders are powers: the last digit may differ."""
    return float(f"{border:.12g}")
