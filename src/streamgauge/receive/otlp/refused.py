"""Points that are not kept: how many, and the first hundred told with their reasons."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamgauge.model.batch import RejectedLine
from streamgauge.model.refusal import RefusalReason
from streamgauge.receive.influx.stamps import stamps_refused
from streamgauge.receive.measured import Series
from streamgauge.receive.otlp.known import Unkept

MAX_TOLD = 100
MAX_CHARACTERS = 256
MAX_AHEAD_S = 3_600.0
"""A point may be so far ahead of our clock, as a line may."""
NO_STAMP = "it has no time stamp: time_unix_nano is not set"


class Refused:
    """Of one body."""

    def __init__(self, received_at_ns: int) -> None:
        self.received_at_ns, self.count = received_at_ns, 0
        self._told: list[RejectedLine] = []

    @property
    def told(self) -> list[RejectedLine]:
        """The first of them, in the order of the body."""
        return sorted(self._told, key=lambda line: line.line_number)[:MAX_TOLD]

    def add(
        self,
        ordinal: int,
        series: Series | Unkept,
        reason: str,
        kind: RefusalReason = RefusalReason.SYNTAX,
    ) -> None:
        """One point; `ordinal` is 0 for the first of the body."""
        self.count += 1
        if len(self._told) < 4 * MAX_TOLD:
            labels = dict(series.labels) if isinstance(series, Series) else {}
            line = shown(series)
            tenant = labels.get("tenant", "")
            self._told.append(RejectedLine(ordinal + 1, line, reason, tenant, kind.value))

    def is_late(self, time_ns: int) -> bool:
        """Whether one time stamp is none, or beyond what is kept."""
        return bool(self.stamps(np.array([time_ns], np.uint64))[0])

    def stamps(self, time_ns: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Which time stamps are none, or beyond what is kept."""
        signed = time_ns.astype(np.int64)
        found: NDArray[np.bool_] = stamps_refused(signed, self.received_at_ns, MAX_AHEAD_S)
        found |= time_ns == 0
        return found


def stamp_reason(time_ns: int) -> str:
    """Why a time stamp is refused, for people."""
    if not time_ns:
        return NO_STAMP
    return (
        f"its time stamp {time_ns} ns is more than {MAX_AHEAD_S:g} s ahead of our clock: "
        "check the clock of the sender"
    )


def shown(series: Series | Unkept) -> str:
    """A series as people write it."""
    if isinstance(series, Unkept):
        return series.name[:MAX_CHARACTERS]
    labels = ",".join(f'{key}="{value[:MAX_CHARACTERS]}"' for key, value in series.labels)
    return f"{series.name}{{{labels}}}"[:MAX_CHARACTERS]
