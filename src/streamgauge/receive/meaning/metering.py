"""Keeps a body of metrics as what it means.

Its one caller is a receiver of metrics, whatever format it speaks, in a worker thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from streamgauge.model.batch import Batch, Parsed, RejectedLine
from streamgauge.receive.gating import gated
from streamgauge.receive.influx.keys import canonical
from streamgauge.receive.intake import Intake, Origin, Taken
from streamgauge.receive.measured import Measured, Series
from streamgauge.receive.quotas import Admission
from streamgauge.receive.schema import (
    NO_MESSAGES,
    NO_POINTS,
    NO_QUEUE,
    POINTS_SCHEMA,
    constant_tag,
    nullable,
    tag_array,
)


@dataclass(frozen=True, slots=True)
class MeaningSettings:
    """How metrics are understood, and where counters are remembered."""

    folder: Path | None = None
    """Where what counters stood at survives restarts; None: in memory alone."""
    fsync: bool = False
    """Whether that survives a power cut, as the journal's own setting says."""


class Metering:
    """The one way of metrics to the store. Threads may share it."""

    def __init__(self, intake: Intake, settings: MeaningSettings | None = None) -> None:
        self.intake = intake
        self.settings = settings or MeaningSettings()

    def take(
        self,
        origin: Origin,
        body: bytes,
        measured: Measured,
        *,
        db: str,
        rejected: Sequence[RejectedLine] = (),
        rejected_count: int = 0,
    ) -> Taken:
        """Understand and keep one body. Blocks (disk): call it in a thread.

        Args:
            origin: whose it is. Where a body may come again as it is and mean something new (a
                scraped text), its `idempotency_key` must name what is the same for a retry only.
            body: unzipped; only its hash and its size are used.
            measured: what it says.
            db: the name space that every row is marked with.
            rejected: points that could not be read, at most 100 of them.
            rejected_count: all of these.

        Returns:
            What became of it: `parsed.line_count` are points, those that were refused too.

        Raises:
            OverQuota, Overloaded, StoreError: see `Intake.take`; nothing was kept.
        """

        def read(admission: Admission | None) -> Parsed:
            parsed = Parsed(
                Batch(NO_MESSAGES, NO_QUEUE, _points(measured, db)),
                line_count=measured.point_count + rejected_count,
                rejected_count=rejected_count,
                rejected=list(rejected),
                rejected_by={("syntax", ""): rejected_count} if rejected_count else {},
            )
            return gated(parsed, self.intake.gates.guard, admission, len(body))

        return self.intake.take(origin, body, read)


def _points(measured: Measured, db: str) -> pa.Table:
    numbers = measured.numbers
    size = len(numbers.of)
    if not size:
        return NO_POINTS
    names = [series.name for series in numbers.series]
    return pa.Table.from_arrays(
        [
            pa.array(numbers.time_ns),
            constant_tag(db, size),
            tag_array(numbers.of, names),
            tag_array(numbers.of, [_tags(series) for series in numbers.series]),
            constant_tag("value", size),
            constant_tag("f", size),
            nullable(numbers.value.astype(np.float64)),
            pa.nulls(size, pa.string()),
        ],
        schema=POINTS_SCHEMA,
    )


def _tags(series: Series) -> str:
    return canonical(list(series.labels), is_plain=False)
