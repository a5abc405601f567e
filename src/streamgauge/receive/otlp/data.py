"""The data of a metric, and the data of all metrics of a body side by side."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from streamgauge.model.errors import PayloadError
from streamgauge.receive.measured import Codes
from streamgauge.receive.otlp import points, wire
from streamgauge.receive.otlp.known import Context
from streamgauge.receive.otlp.points import Found, Offsets

MAX_POINTS = 250_000
"""Of one body; also of the resources, scopes and metrics in it. A collector sends 8,192 at once."""
_TEMPORALITY, _MONOTONIC = 0x10, 0x18


class Data:
    """Of one metric: where its points stand, and what holds for all of them."""

    def __init__(self) -> None:
        self.temporality, self.is_monotonic = 0, False
        self.count = 0
        """Points."""
        self._starts: list[int] = []
        self._stops: list[int] = []
        self._before: list[Found] = []

    def places(self) -> Found:
        """Where each point begins and ends, [n] in their order."""
        self._flush()
        if len(self._before) == 1:
            return self._before[0]
        if not self._before:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        starts, stops = zip(*self._before, strict=True)
        return np.concatenate(starts), np.concatenate(stops)

    def read(self, body: bytes, at: int, end: int, room: int) -> None:
        """One message of data.

        Raises:
            PayloadError: it cannot be read, or has more than `room` points.
        """
        if end - at >= points.MIN_BYTES and (found := points.find_alike(body, at, end, room)):
            self._flush()
            self._before += found
            self.count += sum(len(starts) for starts, _ in found)
            at = int(found[-1][1][-1])
        starts, stops, at = points.follow(body, at, end, room + 1 - self.count)
        self._starts += starts
        self._stops += stops
        self.count += len(starts)
        self._check(room)
        for tag, begin, stop in wire.fields(body, at, end):
            if tag == points.POINT:
                self._starts.append(begin)
                self._stops.append(stop)
                self.count += 1
                self._check(room)
            elif tag == _TEMPORALITY:
                self.temporality = wire.varint(body, begin, stop)[0]
            elif tag == _MONOTONIC:
                self.is_monotonic = bool(wire.varint(body, begin, stop)[0])

    def _flush(self) -> None:
        if self._starts:
            found = np.array(self._starts, np.int64), np.array(self._stops, np.int64)
            self._before.append(found)
            self._starts, self._stops = [], []

    def _check(self, room: int) -> None:
        if self.count > room:
            raise PayloadError(
                f"more than {MAX_POINTS:,} data points in one request: send fewer at once"
            )


class Stretch(NamedTuple):
    """Points of one metric that follow each other."""

    context: Context
    first_ordinal: int
    """Of the body's points of all kinds, 0 for the first."""
    starts: Offsets
    stops: Offsets


@dataclass(frozen=True, slots=True)
class Placed:
    """Points in the order of the body; arrays are [n]."""

    starts: Offsets
    stops: Offsets
    ordinals: Offsets
    of: Codes
    """Index into `contexts`."""
    contexts: list[Context]

    def context(self, at: int) -> Context:
        """Of the point at this position."""
        return self.contexts[int(self.of[at])]


@dataclass(slots=True)
class Places:
    """Points of one kind, gathered from metric to metric."""

    stretches: list[Stretch] = field(default_factory=list)

    def placed(self) -> Placed:
        """All of them."""
        told = self.stretches
        counts = np.array([len(one.starts) for one in told], np.int64)
        first = np.array([one.first_ordinal for one in told], np.int64)
        first -= np.cumsum(counts) - counts
        of = np.repeat(np.arange(len(told), dtype=np.int32), counts)
        nothing = [np.zeros(0, np.int64)]
        return Placed(
            np.concatenate(nothing + [one.starts for one in told]),
            np.concatenate(nothing + [one.stops for one in told]),
            np.arange(len(of)) + first[of],
            of,
            [one.context for one in told],
        )
