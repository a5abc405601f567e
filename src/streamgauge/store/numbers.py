"""What the store tells about itself on `/metrics`."""

from __future__ import annotations

from streamgauge.store.journal.journal import Journal
from streamgauge.store.writer.feed import FeedBuffer
from streamgauge.store.writer.setaside import SetAside
from streamgauge.store.writer.writer import Writer


def numbers(
    journal: Journal, writer: Writer, feed: FeedBuffer, aside: SetAside
) -> dict[str, float]:
    """Gauges, and counters, whose names end in `_total`."""
    bodies, lines = journal.pending()
    return {
        "journal_bytes": float(journal.files.size_bytes),
        "journal_waiting_bytes": float(journal.waiting_bytes),
        "journal_max_bytes": float(journal.max_bytes),
        "journal_files": float(journal.files.count),
        "journal_damaged_bytes": float(journal.damage.found_bytes),
        "waiting_bodies": float(bodies),
        "waiting_lines": float(lines),
        "inserted_lines_total": float(writer.inserted_lines),
        "segments_total": float(writer.segment_count),
        "engine_errors_total": float(writer.error_count),
        "set_aside_rows_total": float(aside.row_count),
        "is_stalled": float(bool(writer.problem)),
        "retry_keys": float(len(journal.keys)),
        "feed_rows": float(feed.row_count),
    }
