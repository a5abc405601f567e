"""What the queues before some integrations report each minute, with backlogs that grow."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bench.fleet.faults import QUEUED
from bench.fleet.plan import START_MINUTE, Plan
from bench.fleet.truth import FaultKind, Truth

Floats = NDArray[np.float64]
_PER_MINUTE = 6000.0
_MINUTE_NS = 60_000_000_000
_EVERY_MINUTES = 5


class Queues:
    """One queue for each of the integrations that have one; arrays are [queues, minutes]."""

    def __init__(self, plan: Plan, truth: Truth) -> None:
        rng = plan.random(8)
        shape = (len(QUEUED), plan.minutes)
        put_in = rng.poisson(_PER_MINUTE, shape).astype(float)
        growth = np.zeros(shape)
        self._is_seen = np.ones(plan.minutes, bool)
        for fault in truth.faults:
            if fault.kind is FaultKind.BACKLOG and fault.integration is not None:
                growth[fault.integration, fault.start : fault.end] = 0.3 * _PER_MINUTE
            if fault.kind is FaultKind.BLIND:
                self._is_seen[fault.start : fault.end] = False
        waiting = np.zeros(shape)
        for minute in range(1, plan.minutes):  # over minutes once, all queues together
            drained = np.where(growth[:, minute] > 0.0, 0.0, 2.0 * _PER_MINUTE)
            before = waiting[:, minute - 1]
            waiting[:, minute] = np.maximum(before + growth[:, minute] - drained, 0.0)
        self._backlog = np.round(waiting + rng.poisson(20.0, shape))
        self._in_total = np.cumsum(put_in, axis=1)
        self._out_total = self._in_total - self._backlog
        self._age = self._backlog / _PER_MINUTE * 60.0

    def alive_ns(self, minute: int) -> int:
        """When the platform last said anything at all in a minute; 0: nothing of it was heard."""
        stamp = (START_MINUTE + minute) * _MINUTE_NS + 55_000_000_000
        return stamp if self._is_seen[minute] else 0

    def table(self, first: int, last: int) -> pa.Table:
        """QUEUES_COLUMNS of minutes of the run."""
        minutes = np.arange(first, last)[self._is_seen[first:last]]
        minutes = minutes[minutes % _EVERY_MINUTES == 0]
        queue = np.repeat(np.arange(len(QUEUED), dtype=np.int32), len(minutes))
        minute = np.tile(minutes, len(QUEUED))
        nothing = pa.DictionaryArray.from_arrays(np.zeros(len(queue), np.int32), pa.array([""]))
        names = pa.DictionaryArray.from_arrays(queue, pa.array([f"to-{q}" for q in QUEUED]))
        to = pa.DictionaryArray.from_arrays(queue, pa.array(list(QUEUED)))
        at = (queue, minute)
        stamp = (minute.astype(np.int64) + START_MINUTE) * _MINUTE_NS
        return pa.table(
            {
                "minute": pa.array(minute.astype(np.int64) + START_MINUTE),
                "queue": names,
                "pipeline": nothing,
                "integration": to,
                "tenant": nothing,
                "backlog": pa.array(self._backlog[at]),
                "oldest_age_s": pa.array(self._age[at]),
                "in_total": pa.array(self._in_total[at]),
                "out_total": pa.array(self._out_total[at]),
                "consumers": pa.array(np.full(len(queue), 4.0)),
                "last_ns": pa.array(stamp + 50_000_000_000),
            }
        )
