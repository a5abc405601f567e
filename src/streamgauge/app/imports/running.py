"""Runs an import, scope by scope: read → spool → joined and sent → counted on both sides.

1. A scope (a file, or a day of a server's data) is read and waits on disk. Killed, it is read anew.
2. What the store holds of its days is asked before anything is sent.
3. Day by day its rows are joined and sent; each acknowledgement is noted. Killed, it goes on behind
   the last one, and a body that was on its way is known by its key.
4. The store is asked again; the difference must be what was sent.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, Protocol
from urllib.parse import unquote

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from streamgauge.app.imports.frames import Read, body_of, joined
from streamgauge.app.imports.progress import Counts, Meter, Progress, Step
from streamgauge.app.imports.sending import Target
from streamgauge.app.imports.spool import Spool
from streamgauge.model.batch import Batch
from streamgauge.receive.influx.parsing import parse

CHUNK_LINES = 10_000
MAX_BODY_BYTES = 8_000_000
MAX_REASONS = 5
_QUEUE_NUMBERS = ("backlog", "oldest_age_s", "in_total", "out_total", "consumers", "in_flight")


class Source(Protocol):
    """Where history comes from."""

    def scopes(self) -> list[list[Any]]:
        """What is read one after the other, as JSON; asked once, and kept."""
        ...

    def read(self, scope: list[Any]) -> Iterator[Read]:
        """The pieces of a scope."""
        ...

    def count(self, scope: list[Any]) -> int | None:
        """Values of a scope by the source's own count; None: what was read is the count."""
        ...


def run(source: Source, target: Target, progress: Progress) -> None:
    """Bring in what is not there yet.

    Raises:
        ConfigError: something given is wrong.
        StoreError: source, disk or target refused; run again, it goes on.
    """
    if not progress.scopes:
        progress.scopes = source.scopes()
        progress.save()
    meter = Meter(len(progress.scopes), progress.scope)
    spool = Spool(progress.folder / "spool")
    while progress.scope < len(progress.scopes):
        scope = progress.scopes[progress.scope]
        if not progress.step.is_read:
            _read(source, scope, spool, progress, target, meter)
        _send(spool, progress, target, meter)
        _check(progress, target)
        progress.scope += 1
        progress.step = Step()
        progress.save()
        spool.clear()
        meter.next_scope()


def _read(
    source: Source,
    scope: list[Any],
    spool: Spool,
    progress: Progress,
    target: Target,
    meter: Meter,
) -> None:
    spool.clear()
    days: Counter[int] = Counter()
    values, unreadable, reasons = 0, 0, list(progress.tally.reasons)
    for piece in source.read(scope):
        days.update(spool.add(piece.frame))
        values += piece.values
        unreadable += piece.unreadable
        reasons += piece.reasons[: MAX_REASONS - len(reasons)]
        meter.add("reading", len(piece.frame), piece.done_ratio / 2)
    own = source.count(scope)
    tally, step = progress.tally, progress.step
    tally.read_values += values
    tally.source_values += values if own is None else own
    tally.unreadable += unreadable
    tally.reasons = reasons
    step.days = {str(day): days[day] for day in sorted(days)}
    if days:
        step.before = _stored(progress, target) or {}
    step.is_read = True
    progress.save()


def _send(spool: Spool, progress: Progress, target: Target, meter: Meter) -> None:
    number = 0
    row_count, behind = sum(progress.step.days.values()), 0.0
    for day, rows in progress.step.days.items():
        for part in spool.parts(int(day), rows):
            lines, lost = joined(part)
            for chunk in _chunks(lines):
                number += 1
                behind += len(part) * len(chunk) / len(lines)
                if number > progress.step.chunk:
                    _send_chunk(chunk, number, lost, progress, target)
                    meter.add("sending", len(chunk), 0.5 + 0.5 * behind / row_count)
                lost = 0  # of a whole part, noted with its first body


def _chunks(lines: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Rows of one database, few enough for a body."""
    for part in lines.partition_by("db", maintain_order=True):
        size = part.select(pl.col("series").str.len_bytes() + pl.col("fields").str.len_bytes() + 22)
        line_bytes = max(float(size.to_series().max() or 1), 1.0)  # type: ignore[arg-type]
        step = max(min(CHUNK_LINES, int(MAX_BODY_BYTES / line_bytes)), 1)
        yield from part.iter_slices(step)


def _send_chunk(
    chunk: pl.DataFrame, number: int, overwritten: int, progress: Progress, target: Target
) -> None:
    db, body, tally = chunk["db"][0], body_of(chunk), progress.tally
    own = parse(body, precision="", db="", received_at_ns=int(time.time() * 1e9))
    answer = target.write(db, body, own.line_count)
    tally.sent_lines += own.line_count
    tally.refused_lines += answer.refused
    tally.accepted_lines += own.line_count - answer.refused
    tally.overwritten += overwritten
    if answer.refused and len(tally.reasons) < MAX_REASONS:
        tally.reasons.append(answer.reason)
    if answer.refused != own.rejected_count:
        tally.uncounted.append(f"{answer.refused} lines of a body were refused by the receiver")
        tally.uncounted = tally.uncounted[:MAX_REASONS]
    for name, count in _counts(db, own.batch).items():
        progress.step.expected[name] = progress.step.expected.get(name, 0) + count
    progress.step.chunk = number
    progress.save()


def _counts(db: str, batch: Batch) -> Counts:
    """What the store's sums must have more, as it names them."""
    counts: Counts = {}
    name = _stored_db(db)
    if batch.messages.num_rows:
        counts["messages"] = int(pc.sum(batch.messages["count"]).as_py())
    if batch.queue.num_rows:
        columns = [batch.queue[column] for column in _QUEUE_NUMBERS]
        counts[f"{name} queue"] = sum(len(one) - one.null_count for one in columns)
    kinds = pc.is_in(batch.points["type"].cast(pa.string()), pa.array(["f", "i", "u"]))
    numbers = batch.points.filter(kinds)
    if numbers.num_rows:
        for pair in numbers["measurement"].combine_chunks().value_counts().to_pylist():
            measurement = f"{name} {pair['values']}"
            counts[measurement] = counts.get(measurement, 0) + int(pair["counts"])
    return counts


def _stored_db(db: str) -> str:
    """A write's query as the store names it."""
    name, _, policy = db.partition("&rp=")
    return unquote(name) if policy in {"", "autogen"} else f"{unquote(name)}/{unquote(policy)}"


def _check(progress: Progress, target: Target) -> None:
    """What the store has more than before."""
    step, tally = progress.step, progress.tally
    if not step.days:
        return
    after = _stored(progress, target)
    for name, count in step.expected.items():
        tally.expected[name] = tally.expected.get(name, 0) + count
        if after is not None:
            more = after.get(name, 0) - step.before.get(name, 0)
            tally.stored[name] = tally.stored.get(name, 0) + more


def _stored(progress: Progress, target: Target) -> Counts | None:
    days = [max(int(day), 0) for day in progress.step.days]
    found = target.stored(days[0], days[-1])
    if found is None:
        progress.tally.uncounted = ["the receiver is older, and cannot say what it stored"]
    return found
