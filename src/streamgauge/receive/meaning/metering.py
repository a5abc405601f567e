"""Keeps a body of metrics as what it means.

Its callers are receivers of metrics, whatever format they speak, in worker threads. What counters
and histograms add depends on where they stood before, so that one body is kept after the other:
decoding is done outside, and here all but the last steps are too.

1. Each series is looked up (`shelf`); what is no rising number becomes columns at once (`draft`).
2. Under a lock: is the body known already? What do counters add (`rising`)? Which rows may come in
   (`gating`)? What is moved on goes to a log, then the body to the journal (`standing`, `log`).
3. What was not kept leaves everything as it stood.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from streamgauge.model.batch import Parsed, RejectedLine
from streamgauge.model.errors import StoreError
from streamgauge.receive import metrics
from streamgauge.receive.gating import gated
from streamgauge.receive.intake import Intake, Origin, Read, Taken
from streamgauge.receive.meaning.draft import Draft, draft_of
from streamgauge.receive.meaning.lines import LineSeries, new_names
from streamgauge.receive.meaning.lineturn import LineTurn
from streamgauge.receive.meaning.log import CounterLog
from streamgauge.receive.meaning.names import family_name
from streamgauge.receive.meaning.reading import Manner, Reading, read_series
from streamgauge.receive.meaning.rising import Rising
from streamgauge.receive.meaning.rules import MapRule, find_rule
from streamgauge.receive.meaning.shelf import Shelf
from streamgauge.receive.meaning.standing import Standing
from streamgauge.receive.meaning.strangers import Strangers
from streamgauge.receive.meaning.understood import Refused, Understood, plainly, with_risen
from streamgauge.receive.measured import Measured, Series
from streamgauge.receive.quotas import Admission


@dataclass(frozen=True, slots=True)
class MeaningSettings:
    """How metrics are understood, and where counters are remembered."""

    folder: Path | None = None
    """Where what counters stood at survives restarts; None: in memory alone."""
    fsync: bool = False
    """Whether that survives a power cut, as the journal's own setting says."""
    rules: Sequence[MapRule] = ()


class Metering:
    """The one way of metrics to the store. Threads may share it between `open` and `close`."""

    def __init__(self, intake: Intake, settings: MeaningSettings | None = None) -> None:
        self.intake = intake
        self.settings = settings or MeaningSettings()
        folder = self.settings.folder
        log = CounterLog(folder, fsync=self.settings.fsync) if folder else None
        self._standing = Standing(log)
        path = folder / "unmapped.json" if folder else None
        self.strangers = Strangers(intake.gates.clock, path, self.settings.rules)
        self._lines = LineSeries()
        self._line_names: set[str] = set()
        self._shelf = Shelf(self._read)
        self._lock = threading.Lock()

    def open(self) -> None:
        """Go on where a former process ended; the journal must be open.

        Raises:
            StoreError: the disk refused.
        """
        with self._lock:
            if not self._standing.is_open:
                self._standing.open(self.intake.sink.knows)
                self.strangers.load()

    def close(self) -> None:
        """Close the log; nothing is taken any more."""
        with self._lock:
            if self._standing.is_open:
                self.strangers.save()
            self._standing.close()

    def remembered(self) -> dict[str, int]:
        """How much is remembered from body to body, by the name of its gauge."""
        standing = self._standing
        names, series = self.strangers.counts
        return {
            "counters": len(standing.counters),
            "histograms": len(standing.shapes) + len(standing.families),
            "unmapped_names": names,
            "unmapped_series": series,
        }

    def take(
        self,
        origin: Origin,
        body: bytes,
        measured: Measured,
        *,
        db: str,
        rejected: Sequence[RejectedLine] = (),
        rejected_count: int = 0,
        is_baseline: bool = False,
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
            is_baseline: somebody else has counted up to it: it says where counters stand alone.

        Returns:
            What became of it: `parsed.line_count` are points, those that were refused too.

        Raises:
            OverQuota, Overloaded, StoreError: see `Intake.take`; nothing was kept, and counters
                stand where they stood.
        """
        now_ns = int(self.intake.gates.clock.now() * 1e9)
        draft = draft_of(measured, self._shelf_now(), db, now_ns)
        base = plainly(draft, Refused(rejected, rejected_count))
        origin, key = _keyed(origin, body)
        if not draft.counts:
            return self.intake.take(
                origin, body, lambda admission: self._gate(base, draft, admission, body)
            )
        # Who shows what it did with messages reports, also to one who asks.
        origin = replace(origin, is_collected=False)
        with self._lock:
            return self._take(origin, body, draft, base, key, is_baseline=is_baseline)

    def _take(
        self,
        origin: Origin,
        body: bytes,
        draft: Draft,
        base: Understood,
        key: bytes,
        *,
        is_baseline: bool,
    ) -> Taken:
        """Keep one after the other those bodies that counters are in."""
        if not self._standing.is_open:
            raise StoreError("what counters stood at is not read back yet", permanent=False)
        if self.intake.sink.knows(key):
            metrics.DUPLICATES.labels(origin.path).inc()
            return Taken(base.parsed, is_new=False)
        rising = Rising(draft.shelf, self._standing)

        def read(admission: Admission | None) -> Parsed:
            draft.rise(rising)
            if is_baseline:
                rising.count_nothing()
            parsed = self._gate(with_risen(base, draft, rising), draft, admission, body, rising)
            keeps = parsed.batch.row_count or parsed.rejected
            self._standing.move(key if keeps else None, rising.change)
            return parsed

        is_kept = False
        try:
            taken = self.intake.take(origin, body, read)
            is_kept = taken.is_new
        finally:
            if is_kept:
                self._standing.settle()
            else:
                self._standing.take_back(rising.change)
        return taken

    def take_lines(self, origin: Origin, body: bytes, read: Read) -> Taken:
        """As `Intake.take`, of a body of line protocol, whose points rules may give a meaning."""
        turn = LineTurn(self._standing, self._lock, self._lines)

        def mapped(admission: Admission | None) -> Parsed:
            parsed = read(admission)
            points = parsed.batch.points
            if not points.num_rows:
                return parsed
            self._note_lines(points)
            if not self.settings.rules:
                return parsed
            now_ns = int(self.intake.gates.clock.now() * 1e9)
            key = origin.retry_key(body, has_all_timestamps=parsed.has_all_timestamps)
            return turn.mapped(parsed, self._shelf_now(), now_ns, key)

        with turn:
            taken = self.intake.take(origin, body, mapped)
            turn.is_kept = taken.is_new
        return taken

    def _note_lines(self, points: pa.Table) -> None:
        """Remember what nobody understands among measurements that were not met before."""
        found = new_names(points, self._line_names)
        if not found:
            return
        measured, _ = self._lines.measured(points)
        for series in measured.numbers.series:
            is_found = any(series.name.startswith(name) for name in found)
            if is_found and not find_rule(self.settings.rules, series.name, dict(series.labels)):
                self.strangers.note(series.name, dict(series.labels), "line protocol")

    def _gate(
        self,
        understood: Understood,
        draft: Draft,
        admission: Admission | None,
        body: bytes,
        rising: Rising | None = None,
    ) -> Parsed:
        """Without the rows that may not come in; what they tell is not moved on."""
        is_out: dict[str, NDArray[np.bool_]] = {}
        parsed, known = understood.parsed, understood.series_rows(draft)
        kept = gated(parsed, self.intake.gates.guard, admission, len(body), is_out, known)
        if rising is not None:
            for name, gathered in (("messages", rising.messages), ("durations", rising.durations)):
                if name in is_out:
                    rising.change.without(*gathered.owners(is_out[name]))
        if kept.rejected_count > parsed.rejected_count and not kept.batch.row_count:
            return replace(kept, line_count=kept.rejected_count)
        return replace(kept, line_count=max(kept.line_count, kept.rejected_count))

    def _shelf_now(self) -> Shelf:
        if self._shelf.is_full:
            self._shelf = Shelf(self._read)
        return self._shelf

    def _read(self, series: Series, manner: Manner) -> Reading:
        reading = read_series(series, self.settings.rules, manner)
        if reading.is_strange and not manner.is_line:
            self.strangers.note(family_name(series.name), dict(series.labels), "metrics")
        return reading


def _keyed(origin: Origin, body: bytes) -> tuple[Origin, bytes]:
    """The origin with a key of its body, so that it is hashed once, and the retry key."""
    if not origin.idempotency_key:
        key = origin.retry_key(body, has_all_timestamps=True)
        origin = replace(origin, idempotency_key=key.hex() if key else uuid4().hex)
    return origin, origin.retry_key(b"", has_all_timestamps=True) or b""
