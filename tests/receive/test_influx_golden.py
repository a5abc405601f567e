"""Bodies and what comes of them, checked in: `golden/<case>.in` and `<case>.out.json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from streamgauge.model.batch import MESSAGES_COLUMNS, POINTS_COLUMNS, QUEUE_COLUMNS
from streamgauge.receive.influx import parse
from streamgauge.receive.schema import MESSAGES_SCHEMA, POINTS_SCHEMA, QUEUE_SCHEMA

GOLDEN = Path(__file__).parent / "golden"
NOW_NS = 1_700_000_000_000_000_000


def answer(case: str) -> dict[str, Any]:
    """What the parser makes of a case; absent columns are left out to keep the files readable."""
    _, _, precision = case.partition("_")
    body = (GOLDEN / f"{case}.in").read_bytes()
    parsed = parse(body, precision=precision, db="", received_at_ns=NOW_NS)
    tables = {
        name: [
            {column: value for column, value in row.items() if value not in (None, "")}
            for row in getattr(parsed.batch, name).to_pylist()
        ]
        for name in ("messages", "queue", "points")
    }
    rejected = [[line.line_number, line.line, line.reason] for line in parsed.rejected]
    return {
        "line_count": parsed.line_count,
        "has_all_timestamps": parsed.has_all_timestamps,
        **{name: rows for name, rows in tables.items() if rows},
        "rejected": rejected,
    }


@pytest.mark.parametrize("case", sorted(path.stem for path in GOLDEN.glob("*.in")))
def test_golden(case: str) -> None:
    expected = json.loads((GOLDEN / f"{case}.out.json").read_text())
    assert answer(case) == expected


def test_tables_have_the_columns_of_the_model() -> None:
    body = b'messages count=1 5\nqueue backlog=1 5\nm f="x" 5'
    batch = parse(body, precision="ns", db="d", received_at_ns=NOW_NS).batch
    assert batch.messages.schema == MESSAGES_SCHEMA
    assert batch.queue.schema == QUEUE_SCHEMA
    assert batch.points.schema == POINTS_SCHEMA
    assert batch.messages.column_names == list(MESSAGES_COLUMNS)
    assert batch.queue.column_names == list(QUEUE_COLUMNS)
    assert batch.points.column_names == list(POINTS_COLUMNS)
    assert batch.messages["db"].to_pylist() == ["d"]
