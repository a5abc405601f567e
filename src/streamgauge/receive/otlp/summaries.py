"""A point of a summary: as Prometheus writes one, three kinds of series with one number each.

`NAME_count` and `NAME_sum` count up, `NAME` with the label `quantile` is a state.

Source: opentelemetry/proto/metrics/v1/metrics.proto, SummaryDataPoint; Prometheus, "Metric types".
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import IntEnum

from streamgauge.receive.measured import Form
from streamgauge.receive.otlp import wire
from streamgauge.receive.otlp.cells import NO_RECORDED_VALUE
from streamgauge.receive.otlp.known import Known, Measuring
from streamgauge.receive.otlp.numbers import Point

QUANTILE = "quantile"


class _Tag(IntEnum):
    START = 0x11
    TIME = 0x19
    COUNT = 0x21
    SUM = 0x29
    QUANTILE = 0x32
    ATTRIBUTE = 0x3A
    FLAGS = 0x40


class _AtQuantile(IntEnum):
    QUANTILE = 0x09
    VALUE = 0x11


@dataclass(slots=True)
class _Told:
    """What a point says."""

    start_ns: int = 0
    time_ns: int = 0
    count: int = 0
    sum: float = 0.0
    has_value: bool = True
    attributes: list[bytes] = field(default_factory=list)
    quantiles: list[tuple[str, float]] = field(default_factory=list)

    def take(self, tag: int, body: bytes, begin: int, stop: int) -> None:
        match tag:
            case _Tag.START:
                self.start_ns = wire.unsigned(body, begin)
            case _Tag.TIME:
                self.time_ns = wire.unsigned(body, begin)
            case _Tag.COUNT:
                self.count = wire.unsigned(body, begin)
            case _Tag.SUM:
                self.sum = wire.double(body, begin)
            case _Tag.QUANTILE:
                self.quantiles.append(_quantile(body, begin, stop))
            case _Tag.ATTRIBUTE:
                self.attributes.append(wire.framed(body[begin:stop], tag))
            case _Tag.FLAGS:
                self.has_value = not wire.varint(body, begin, stop)[0] & NO_RECORDED_VALUE
            case _:
                pass


def read_summary(body: bytes, at: int, end: int, measuring: Measuring, known: Known) -> list[Point]:
    """What one point in `body[at:end]` says; empty where it says that there is nothing.

    Raises:
        PayloadError: it cannot be read.
    """
    told = _Told()
    for field_at in wire.fields(body, at, end):
        told.take(field_at[0], body, *field_at[1:])
    attributes = b"".join(told.attributes)

    def point(suffix: str, form: Form, value: float, quantile: str = "") -> Point:
        context = known.context(measuring._replace(name=measuring.name + suffix, form=form))
        number = known.number(context, attributes, {QUANTILE: quantile} if quantile else None)
        return Point(number, told.start_ns, told.time_ns, value)

    if not told.has_value:
        return []
    found = [point("_count", Form.CUMULATIVE, float(told.count))]
    if math.isfinite(told.sum):
        found.append(point("_sum", Form.CUMULATIVE, told.sum))
    found += [
        point("", Form.GAUGE, value, name) for name, value in told.quantiles if math.isfinite(value)
    ]
    return found


def _quantile(body: bytes, at: int, end: int) -> tuple[str, float]:
    quantile = value = 0.0
    for tag, begin, _ in wire.fields(body, at, end):
        if tag == _AtQuantile.QUANTILE:
            quantile = wire.double(body, begin)
        elif tag == _AtQuantile.VALUE:
            value = wire.double(body, begin)
    return repr(quantile).removesuffix(".0"), value
