"""Errors that are alike, counted and shown together.

Those that came with a text are counted by fingerprint (`error_minute`). What the minutes count
beyond them came without one, by the line protocol or OTLP: one more group for each integration and
reason. So every error is in exactly one group.
"""

# ruff: noqa: S608 - callers' values are bound by the engine; the text holds only our own.
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from streamgauge.model.errors import PayloadError
from streamgauge.model.journeys import ErrorGroup, ErrorSample
from streamgauge.model.views import Filters
from streamgauge.store.engine.engine import Engine
from streamgauge.store.levels import ERRORS, MESSAGES, MINUTE, NS_A_HOUR, NS_A_SECOND
from streamgauge.store.queries.rows import FAILED_SQL, conditions_of, parameters_of
from streamgauge.store.queries.span import Span

MAX_LIMIT = 1000
MAX_TENANTS = 20
MAX_SAMPLES = 6
SORTS = {
    "count": "n DESC, last DESC",
    "tenants": "tenants DESC, n DESC",
    "last_seen": "last DESC, n DESC",
    "first_seen": "first DESC, n DESC",
}
"""Most messages, most customers, the newest error, the group that began last: each first."""
_GROUP = "integration, reason, fingerprint"
_SAMPLE_LABELS = ("tenant", "source", "pipeline")
_NEVER = f"{2**63 - 1}, {-(2**63)}"


def errors(
    engine: Engine, from_s: float, to_s: float, sort: str, limit: int, filters: Filters
) -> list[ErrorGroup]:
    """Groups of the `error`, `dropped` and `expired` messages of a range.

    Whole minutes are counted, all that the range touches, as long as sums by the minute are kept.

    Raises:
        PayloadError: an unknown `sort`, or a limit out of range.
        StoreError: the engine refused.
    """
    _check(sort, limit)
    span = Span.of(from_s, to_s)
    groups = engine.query(
        f"SELECT {_GROUP}, any(pattern) AS pattern, sum(of_tenant) AS n, min(first) AS first, "
        "max(last) AS last, count() AS tenants, "
        f"groupArraySorted({MAX_TENANTS})((-toInt64(of_tenant), tenant)) AS most "
        f"FROM {_told(span, filters)} "
        f"GROUP BY {_GROUP} ORDER BY {SORTS[sort]}, {_GROUP} LIMIT {limit}",
        parameters_of(filters),
    ).to_pylist()
    samples = _samples(engine, span, groups, filters)
    return [_group_of(row, samples.get(row["fingerprint"], ())) for row in groups]


def _check(sort: str, limit: int) -> None:
    if sort not in SORTS:
        raise PayloadError(f"unknown sort {sort!r}: accepted are {', '.join(SORTS)}")
    if not 1 <= limit <= MAX_LIMIT:
        raise PayloadError(f"limit: {limit}, accepted are 1 to {MAX_LIMIT}")


def _told(span: Span, filters: Filters) -> str:
    """A subquery: one row a group and tenant. Without a text: fingerprint 0."""
    first, end = span.touched_minutes
    where = f"WHERE minute >= {first} AND minute < {end}{conditions_of(filters)}"
    bounds = "min(first_ns) AS first, max(last_ns) AS last"
    with_text = (
        f"SELECT {_GROUP}, tenant, any(pattern) AS pattern, sum(count) AS of_tenant, {bounds} "
        f"FROM {ERRORS} {where} GROUP BY {_GROUP}, tenant"
    )
    labels = "integration, reason, tenant"
    each = (
        f"SELECT {labels}, toInt64(count) AS more, first_ns, last_ns "
        f"FROM {MESSAGES.table(MINUTE)} {where} AND outcome IN ({FAILED_SQL}) UNION ALL "
        f"SELECT {labels}, -toInt64(count), {_NEVER} FROM {ERRORS} {where}"
    )
    return (
        f"({with_text} UNION ALL "
        "SELECT integration, reason, toUInt64(0) AS fingerprint, tenant, '' AS pattern, "
        f"toUInt64(greatest(sum(more), 0)) AS of_tenant, {bounds} "
        f"FROM ({each}) GROUP BY {labels} HAVING sum(more) > 0)"
    )


def _samples(
    engine: Engine, span: Span, groups: Sequence[Mapping[str, Any]], filters: Filters
) -> dict[int, list[ErrorSample]]:
    """A few of each fingerprint, of as many customers as possible, the newest first."""
    prints = sorted({row["fingerprint"] for row in groups} - {0})
    if not prints:
        return {}
    hours = f"hour >= {span.from_ns // NS_A_HOUR} AND hour <= {span.to_ns // NS_A_HOUR}"
    first, end = (minute * MINUTE.unit_ns for minute in span.touched_minutes)
    rows = engine.query(
        "SELECT fingerprint, tenant, told.1 AS at_ns, told.2 AS id, told.3 AS text, "
        "row_number() OVER (PARTITION BY fingerprint, tenant ORDER BY at_ns DESC, id) AS place "
        f"FROM error_samples ARRAY JOIN samples AS told WHERE {hours} "
        f"AND fingerprint IN ({', '.join(map(str, prints))}) "
        f"AND at_ns >= {first} AND at_ns < {end}{conditions_of(filters, _SAMPLE_LABELS)} "
        f"ORDER BY place, at_ns DESC, id LIMIT {MAX_SAMPLES} BY fingerprint",
        parameters_of(filters),
    ).to_pylist()
    found: dict[int, list[ErrorSample]] = {}
    for row in sorted(rows, key=lambda row: -row["at_ns"]):
        sample = ErrorSample(row["id"], row["tenant"], row["at_ns"] / NS_A_SECOND, row["text"])
        found.setdefault(row["fingerprint"], []).append(sample)
    return found


def _group_of(row: Mapping[str, Any], samples: Sequence[ErrorSample]) -> ErrorGroup:
    return ErrorGroup(
        fingerprint=f"{row['fingerprint']:016x}" if row["fingerprint"] else "",
        integration=row["integration"],
        reason=row["reason"],
        pattern=row["pattern"],
        count=int(row["n"]),
        first_at=row["first"] / NS_A_SECOND,
        last_at=row["last"] / NS_A_SECOND,
        tenant_count=int(row["tenants"]),
        tenants=tuple((one["2"], -one["1"]) for one in row["most"]),
        samples=tuple(samples),
    )
