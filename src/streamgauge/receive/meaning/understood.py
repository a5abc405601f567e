"""A body as it is understood: its tables, and which series their rows are of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from streamgauge.model.batch import Batch, Parsed, RejectedLine
from streamgauge.model.refusal import RefusalReason
from streamgauge.receive.gating import MAX_TOLD, SeriesRows
from streamgauge.receive.influx.keys import canonical
from streamgauge.receive.influx.stamps import stamp_reason
from streamgauge.receive.meaning.draft import MAX_AHEAD_S, Draft, Told
from streamgauge.receive.meaning.rising import Rising
from streamgauge.receive.meaning.shelf import Rows
from streamgauge.receive.meaning.tables import messages_tables
from streamgauge.receive.measured import Series
from streamgauge.receive.schema import NO_MESSAGES, POINTS_SCHEMA, constant_tag


@dataclass(frozen=True, slots=True)
class Refused:
    """What a decoder could not read."""

    lines: Sequence[RejectedLine]
    """At most 100 of them."""
    count: int

    def counted(self) -> Counter[tuple[str, str]]:
        """All of them by class and tenant, as far as is known."""
        syntax = RefusalReason.SYNTAX.value
        found = Counter((one.reason_class or syntax, one.tenant) for one in self.lines)
        rest = self.count - found.total()
        if rest > 0:
            found[(*found, (syntax, ""))[0]] += rest
        return found


@dataclass(frozen=True, slots=True)
class Understood:
    """One body."""

    parsed: Parsed
    rows: Mapping[str, Rows]
    """By table: on the shelf, of each row's series."""

    def series_rows(self, draft: Draft) -> dict[str, SeriesRows]:
        """As the guard and the quotas ask for them."""
        identity = draft.shelf.at["identity"]
        return {name: SeriesRows(rows, identity) for name, rows in self.rows.items()}


def plainly(draft: Draft, refused: Refused) -> Understood:
    """All but messages and durations."""
    lines, by = list(refused.lines), refused.counted()
    late = np.flatnonzero(draft.is_late)
    by[RefusalReason.STAMP.value, ""] += len(late)
    lines.extend(_late_line(draft, place) for place in late[: MAX_TOLD - len(lines)].tolist())
    queue, points = draft.queue(), draft.points()
    parsed = Parsed(
        Batch(NO_MESSAGES, queue.table, points.table),
        line_count=len(draft.is_late) + draft.ended_count + refused.count,
        rejected_count=len(late) + refused.count,
        rejected=lines,
        rejected_by={key: count for key, count in by.items() if count},
    )
    return Understood(parsed, {"queue": queue.rows, "points": points.rows})


def _late_line(draft: Draft, place: int) -> RejectedLine:
    count = len(draft.numbers.rows)
    rows = draft.numbers.rows if place < count else draft.histogram_rows
    series = draft.shelf.series(int(rows[place if place < count else place - count]))
    reason = stamp_reason(int(draft.stamps[place]), MAX_AHEAD_S, is_given=True)
    text = f"{series.name},{_tags(series)}"[:256]
    return RejectedLine(place + 1, text, reason, "", RefusalReason.STAMP.value)


def with_risen(base: Understood, draft: Draft, rising: Rising) -> Understood:
    """With what counters and histograms add."""
    messages, durations = rising.messages.counted(), rising.durations.counted()
    told, beside = messages_tables(draft.shelf, draft.db, [messages, durations])
    batch = replace(base.parsed.batch, messages=told)
    if beside.num_rows:
        batch = replace(batch, durations=beside)
    rows = {**base.rows, "messages": messages.rows, "durations": durations.rows}
    if not batch.row_count and not base.parsed.rejected:
        heard = _heard(draft)
        batch, rows["points"] = replace(batch, points=heard.table), heard.rows
    return Understood(replace(base.parsed, batch=batch), rows)


def _heard(draft: Draft) -> Told:
    """One point, so that a body of which nothing rose is known to have been heard.

    Without it a platform on which nothing happens would look like one of which we hear nothing.
    """
    found = draft.newest()
    if found is None:
        return draft.points()
    row, time_ns, field, value = found
    series = draft.shelf.series(row)
    columns = [
        pa.array([time_ns], pa.int64()),
        constant_tag(draft.db, 1),
        constant_tag(series.name, 1),
        constant_tag(_tags(series), 1),
        constant_tag(field, 1),
        constant_tag("f", 1),
        pa.array([value], pa.float64()),
        pa.nulls(1, pa.string()),
    ]
    return Told(pa.Table.from_arrays(columns, schema=POINTS_SCHEMA), np.array([row], np.int32))


def _tags(series: Series) -> str:
    return canonical(list(series.labels), is_plain=False)
