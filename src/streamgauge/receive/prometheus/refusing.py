"""Points of a body that are not kept: counted, and the first hundred told with a reason."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from streamgauge.model.batch import RejectedLine
from streamgauge.model.refusal import RefusalReason
from streamgauge.receive.influx.stamps import stamp_reason, stamps_refused
from streamgauge.receive.measured import Ints, Numbers, Series

MAX_TOLD = 100
MAX_LINE_CHARACTERS = 256
MAX_AHEAD_S = 3600.0
"""How far ahead of our clock a time stamp may be."""


@dataclass
class Refusals:
    """Of one body."""

    told: list[RejectedLine] = field(default_factory=list)
    count: int = 0

    def add(
        self,
        line: str,
        reason: str,
        reason_class: RefusalReason = RefusalReason.SYNTAX,
        *,
        at: int,
        count: int = 1,
        tenant: str = "",
    ) -> None:
        """Refuse some points.

        Args:
            line: what to show of them.
            reason: for people.
            reason_class: for the count by class.
            at: the first one's place in the body, from 0.
            count: how many.
            tenant: whose they are, as far as it is known.
        """
        self.count += count
        if count and len(self.told) < MAX_TOLD:
            shown = line[:MAX_LINE_CHARACTERS]
            self.told.append(RejectedLine(at + 1, shown, reason, tenant, reason_class))

    def add_stamp(self, series: Series, time_ns: int, at: int) -> None:
        """Refuse a point for its time stamp."""
        line = f"{shown(series)} {time_ns}"
        reason = stamp_reason(time_ns, MAX_AHEAD_S, is_given=True)
        self.add(
            line, reason, RefusalReason.STAMP, at=at, tenant=dict(series.labels).get("tenant", "")
        )


def shown(series: Series) -> str:
    """As Prometheus writes a series."""
    labels = ", ".join(f'{name}="{value}"' for name, value in series.labels)
    return f"{series.name}{{{labels}}}"


def without_bad_stamps(numbers: Numbers, received_at_ns: int, refusals: Refusals) -> Numbers:
    """The numbers whose time stamps are taken; the others are added to `refusals`."""
    is_out = stamps_refused(numbers.time_ns, received_at_ns, MAX_AHEAD_S)
    out = np.flatnonzero(is_out)
    if not len(out):
        return numbers
    for at in out[:MAX_TOLD].tolist():
        refusals.add_stamp(numbers.series[numbers.of[at]], int(numbers.time_ns[at]), at)
    refusals.count += max(len(out) - MAX_TOLD, 0)
    return only(numbers, ~is_out)


def only(numbers: Numbers, is_in: NDArray[np.bool_]) -> Numbers:
    """Some of the numbers; what ended stays as it is."""
    return replace(
        numbers,
        of=numbers.of[is_in],
        time_ns=numbers.time_ns[is_in],
        start_ns=numbers.start_ns[is_in],
        value=numbers.value[is_in],
    )


def nanoseconds(time_ms: Ints) -> Ints:
    """Of milliseconds; what does not fit becomes so late, or so early, that it is refused."""
    limit = 2**63 // 1_000_000 - 1
    return np.clip(time_ms, -limit, limit) * 1_000_000
