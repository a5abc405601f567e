"""Asks the guard and the quotas for columns, whatever format they came in.

The line protocol does the same on its own arrays (`influx.admitting`), before there are columns.
Python runs once for each distinct series that is refused; all else are sums over arrays.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import cast

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from streamgauge.model.batch import Parsed, RejectedLine
from streamgauge.model.refusal import RefusalReason
from streamgauge.receive.guard import Series, SeriesGuard
from streamgauge.receive.quotas import Admission, Usage

MAX_TOLD = 100
_IDENTITY_SEED = 5
_TENANT_TAG = re.compile(r"(?:^|,)tenant=((?:\\.|[^,\\])*)")
_KEY_LIMIT = 2**62
_TABLES = ("messages", "queue", "points", "durations")


@dataclass(frozen=True, slots=True)
class SeriesRows:
    """Which series the rows of a table are of, where its receiver knows that."""

    rows: NDArray[np.int32]
    """[n_rows] number of each row's series."""
    identity: NDArray[np.uint64]
    """[n_series] by number: a hash of each, the same in every process."""


class _Distinct:
    """The distinct series of a table; arrays are [n_series]. Texts are made when asked for."""

    def __init__(
        self,
        name: str,
        table: pa.Table,
        of: NDArray[np.int64],
        identity: NDArray[np.uint64] | None = None,
    ) -> None:
        self._name, self._table = name, table
        self.of = of
        """[n_rows] index into the series."""
        self._identity = identity

    @property
    def identity(self) -> NDArray[np.uint64]:
        """A hash of each."""
        if self._identity is None:
            self._identity = self.texts.hash(_IDENTITY_SEED).to_numpy()
        return self._identity

    @cached_property
    def texts(self) -> pl.Series:
        """Measurement and tags, as they are shown."""
        return _show(self._name, self._table, self._first)["text"]

    @cached_property
    def tenants(self) -> list[str]:
        """Whose they are."""
        return self.tenants_of(np.arange(len(self._first)))

    def tenants_of(self, at: NDArray[np.int64]) -> list[str]:
        """Whose the series at these positions are."""
        rows = self._first.take(pa.array(at))
        if self._name != "points":
            return cast("list[str]", self._table.column("tenant").take(rows).to_pylist())
        found = (
            _TENANT_TAG.search(tags) for tags in self._table.column("tags").take(rows).to_pylist()
        )
        return [one[1] if one else "" for one in found]

    def tags_of(self, at: NDArray[np.int64]) -> list[str]:
        """The tags of the series at these positions, as line protocol."""
        shown = _show(self._name, self._table, self._first.take(pa.array(at)))
        return [text.partition(",")[2] for text in shown["text"].to_list()]

    @cached_property
    def _first(self) -> pa.Array:
        """A row of each."""
        return pa.array(np.unique(self.of, return_index=True)[1])


def gated(
    parsed: Parsed,
    guard: SeriesGuard | None,
    admission: Admission | None,
    body_bytes: int,
    refused_rows: dict[str, NDArray[np.bool_]] | None = None,
    known: Mapping[str, SeriesRows] | None = None,
) -> Parsed:
    """The same without the rows that may not come in, which are counted and told as refused.

    Args:
        parsed: all rows of one body.
        guard: refuses rows of series that it does not let in.
        admission: of this body through the quotas.
        body_bytes: unzipped; each row is charged its share.
        refused_rows: filled by table with which of its rows [n_rows] are refused, where any are.
        known: by table which series its rows are of; else that is found out by their tags.
    """
    if guard is None and admission is None:
        return parsed
    kept: dict[str, pa.Table] = {}
    refused: list[RejectedLine] = []
    counts: Counter[tuple[str, str]] = Counter()
    bytes_a_row = body_bytes / max(parsed.batch.row_count, 1)
    for name in _TABLES:
        table = getattr(parsed.batch, name)
        if table is None or not table.num_rows:
            continue
        series = _known(name, table, known[name]) if known else _distinct(name, table)
        reasons = _by_guard(guard, series)
        reasons |= _by_quotas(admission, series, reasons, bytes_a_row)
        if reasons:
            is_out = np.isin(series.of, np.array(list(reasons)))
            kept[name] = table.filter(pa.array(~is_out))
            if name == "messages" and parsed.batch.hops is not None:
                kept["hops"] = parsed.batch.hops.filter(pa.array(~is_out))
            if refused_rows is not None:
                refused_rows[name] = is_out
            _tell(series, reasons, is_out, counts, refused)
    if not counts:
        return parsed
    return replace(
        parsed,
        batch=replace(parsed.batch, **kept),
        rejected_count=parsed.rejected_count + counts.total(),
        rejected=[*parsed.rejected, *refused][:MAX_TOLD],
        rejected_by=dict(Counter(parsed.rejected_by) + counts),
    )


def _known(name: str, table: pa.Table, told: SeriesRows) -> _Distinct:
    occurs = np.zeros(len(told.identity), bool)
    occurs[told.rows] = True
    position = np.cumsum(occurs) - 1
    return _Distinct(name, table, position[told.rows], told.identity[occurs])


def _tags(table: pa.Table) -> dict[str, pa.DictionaryArray]:
    """Columns that tell series apart."""
    return {
        field.name: table.column(field.name).combine_chunks()
        for field in table.schema
        if pa.types.is_dictionary(field.type) and field.name not in {"db", "type", "field"}
    }


def _distinct(name: str, table: pa.Table) -> _Distinct:
    key, size = np.zeros(table.num_rows, np.int64), 1
    for column in _tags(table).values():
        count = max(len(column.dictionary), 1)
        if size * count >= _KEY_LIMIT:
            values, key = np.unique(key, return_inverse=True)
            size = len(values)
        key, size = key * count + column.indices.to_numpy(), size * count
    _, of = np.unique(key, return_inverse=True)
    return _Distinct(name, table, of.astype(np.int64))


def _show(name: str, table: pa.Table, at: pa.Array) -> pl.DataFrame:
    """The text of the series of these rows."""
    columns = _tags(table)
    words = {
        tag: pl.Series(tag, column.take(at).cast(pa.string())) for tag, column in columns.items()
    }
    frame = pl.DataFrame(words)
    pairs = [
        pl.when(pl.col(tag) != "").then(pl.concat_str(pl.lit(f"{tag}="), tag)).otherwise(None)
        for tag in frame.columns
        if tag not in {"measurement", "tags"}
    ]
    bare = [pl.when(pl.col("tags") != "").then("tags").otherwise(None)]
    measurement = pl.col("measurement") if name == "points" else pl.lit(name)
    told = pl.concat_str(measurement, *pairs, *bare, separator=",", ignore_nulls=True)
    return frame.select(told.alias("text"))


def _by_guard(guard: SeriesGuard | None, series: _Distinct) -> dict[int, tuple[RefusalReason, str]]:
    if guard is None:
        return {}

    found = guard.refusals(Series(series.identity, series.tenants_of, series.tags_of))
    return {at: (RefusalReason.SERIES, reason) for at, reason in found.items()}


def _by_quotas(
    admission: Admission | None,
    series: _Distinct,
    refused: dict[int, tuple[RefusalReason, str]],
    bytes_a_row: float,
) -> dict[int, tuple[RefusalReason, str]]:
    if admission is None:
        return {}
    names, tenant = np.unique(np.array(series.tenants, object), return_inverse=True)
    is_in = np.ones(len(series.tenants), bool)
    is_in[list(refused)] = False
    out: dict[int, tuple[RefusalReason, str]] = {}
    if admission.limits_series:
        for code, name in enumerate(names.tolist()):
            mine = np.flatnonzero((tenant == code) & is_in)
            late = mine[~admission.admit_series(name, series.identity[mine])]
            is_in[late] = False
            reason = RefusalReason.ACTIVE_SERIES
            out |= {at: (reason, admission.text(reason, name)) for at in late.tolist()}
    rows = np.bincount(tenant[series.of[is_in[series.of]]], minlength=len(names))
    usage = Usage(names.tolist(), rows, (rows * bytes_a_row).astype(np.int64))
    over = admission.admit(usage)
    for code, name in enumerate(names.tolist()):
        if name in over and rows[code]:
            mine = np.flatnonzero((tenant == code) & is_in)
            out |= dict.fromkeys(mine.tolist(), (over[name].reason, over[name].text))
    return out


def _tell(
    series: _Distinct,
    reasons: dict[int, tuple[RefusalReason, str]],
    is_out: NDArray[np.bool_],
    counts: Counter[tuple[str, str]],
    refused: list[RejectedLine],
) -> None:
    """Add the rows that are out to what is counted and told."""
    rows = np.bincount(series.of[is_out], minlength=len(series.tenants))
    for at, (reason, _) in reasons.items():
        counts[reason.value, series.tenants[at]] += int(rows[at])
    for row in np.flatnonzero(is_out)[: MAX_TOLD - len(refused)].tolist():
        at = int(series.of[row])
        reason, text = reasons[at]
        line = series.texts[at][:256]
        refused.append(RejectedLine(row + 1, line, text, series.tenants[at], reason.value))
