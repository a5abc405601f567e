"""Finishes, before an upgrade, what a crash left half inserted in tables that will be exchanged.

A segment begun before the crash is known to each table by its token. Migrations 0002 and 0003 fill
new tables and put them in the place of the old, which takes the tokens along: sent again after
that, the segment would count twice where it had arrived. So it is sent again before, under its
token, in the shape that the schema of migration 0001 had; what that does not have yet (extremes,
sums of the platform and of numeric fields, hours, days) the migrations make of it.

A later migration that exchanges tables needs the same, in its shape.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pyarrow as pa

from streamgauge.store import columns
from streamgauge.store.engine.engine import Engine
from streamgauge.store.journal.journal import Border, Entry, Journal
from streamgauge.store.journal.opening import has_journal, opened_journal
from streamgauge.store.journal.records import Body
from streamgauge.store.migrate import applied
from streamgauge.store.rollup.rollup import EXTREMES
from streamgauge.store.rollup.segment import Segment, build_segment
from streamgauge.store.settings import StoreSettings
from streamgauge.store.writer.attempts import Attempts
from streamgauge.store.writer.setaside import ASIDE, SetAside

FIRST, EXCHANGING = 1, 2
"""The schema that is written to, and the first migration that exchanges its tables."""
_LATER_TABLES = ("platform_minute", "point_minute", "router_hour")


def finish_begun(engine: Engine, journal: Journal, aside: SetAside) -> int:
    """Insert begun segments into the tables of migration 0001, if these are there; how many.

    Args:
        engine: Open, not migrated yet.
        journal: Open; is told what is done.
        aside: Takes what the engine never will.

    Raises:
        StoreError: the engine or the disk refused; nothing may be migrated.
    """
    numbers, count = applied(engine), 0
    if FIRST not in numbers or EXCHANGING in numbers:
        return 0
    while border := journal.known_border():
        entries = journal.bodies_of(border)
        if entries:
            _finish(engine, journal, aside, border, entries)
        journal.finish(border.last_seq)
        count += 1
    return count


def finish_in(data_dir: Path, engine: Engine, settings: StoreSettings, now: float) -> int:
    """The same for a data folder whose store is not open.

    Raises:
        StoreError: the engine or the disk refused; nothing may be migrated.
    """
    if not has_journal(data_dir):
        return 0
    journal = opened_journal(data_dir, settings, first_seq=1, now=now)
    try:
        return finish_begun(engine, journal, SetAside(data_dir / ASIDE))
    finally:
        journal.close()


def _finish(
    engine: Engine, journal: Journal, aside: SetAside, border: Border, entries: list[Entry]
) -> None:
    attempts = Attempts()
    attempts.is_patient = False
    made: list[tuple[Segment, dict[str, pa.Table]]] = []
    attempts.until_done(
        lambda: made.append(_built(journal, entries)),
        lambda reason: _set_aside(journal, aside, entries, reason),
    )
    for segment, tables in made:
        for name, rows in tables.items():
            attempts.until_done(
                partial(engine.insert, name, rows, border.token),
                partial(aside.keep_rows, name, segment.tables[name], border.token),
            )


def _built(journal: Journal, entries: list[Entry]) -> tuple[Segment, dict[str, pa.Table]]:
    """The segment as it is now, and its rows as they were."""
    bodies = [(entry.seq, journal.load(entry)) for entry in entries]
    segment = build_segment(bodies)
    return segment, as_first(segment, [body for _, body in bodies])


def as_first(segment: Segment, bodies: list[Body]) -> dict[str, pa.Table]:
    """A segment's rows in the shape of migration 0001."""
    tables = {name: rows for name, rows in segment.tables.items() if name not in _LATER_TABLES}
    if "messages" in tables:
        tables["messages"] = columns.join([body.messages for body in bodies], columns.MESSAGES)
        tables["minute"] = tables["minute"].drop_columns(list(EXTREMES))
    if "seen_minute" in tables:
        tables["seen_minute"] = tables["seen_minute"].drop_columns(["heard_ns"])
    return tables


def _set_aside(journal: Journal, aside: SetAside, entries: list[Entry], reason: str) -> None:
    for entry in entries:
        aside.keep_body(entry.seq, entry.line_count, journal.read(entry), reason)
