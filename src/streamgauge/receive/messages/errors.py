"""What went wrong, by row: the text redacted, its pattern, and the fingerprint of its kind."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from streamgauge.model.words import FAILED
from streamgauge.receive.messages.columns import encoded
from streamgauge.receive.messages.fingerprints import fingerprint, pattern_of
from streamgauge.receive.messages.redaction import Redaction, RedactRule, applied
from streamgauge.receive.schema import constant_tag, tag_array

MAX_ERROR_CHARACTERS = 2000


@dataclass(frozen=True, slots=True)
class Errors:
    """[n_rows] each, as HOPS_COLUMNS has them."""

    error: pa.Array
    pattern: pa.DictionaryArray
    fingerprint: NDArray[np.uint64]


def read_errors(
    texts: pl.Series, names: dict[str, pa.DictionaryArray], redaction: Redaction
) -> Errors:
    """Redact the texts and group those of messages that failed.

    Args:
        texts: [n_rows] as they came; null or empty where nothing is told.
        names: `integration`, `reason` and `outcome` of each row.
        redaction: taken out of texts before anything else is done with them.
    """
    row_count = len(texts)
    told = texts.to_arrow()
    rows = np.flatnonzero(_is_told(told))
    if not len(rows):
        nothing = np.zeros(row_count, np.uint64)
        return Errors(pa.nulls(row_count, pa.string()), constant_tag("", row_count), nothing)
    distinct = told.take(pa.array(rows)).dictionary_encode()
    clean = _cleaned(distinct.dictionary, redaction)
    text_of_row = np.full(row_count, -1)
    text_of_row[rows] = distinct.indices.to_numpy()
    failed = rows[_is_failed(names["outcome"])[rows]]
    patterns = encoded(clean.get_column("pattern").to_arrow())
    code = patterns.indices.to_numpy()[text_of_row[failed]]
    pattern_of_row = np.zeros(row_count, np.int32)
    pattern_of_row[failed] = code + 1
    words = patterns.dictionary.to_pylist()
    fingerprints = np.zeros(row_count, np.uint64)
    fingerprints[failed] = _fingerprints(failed, code, words, names)
    errors = clean.get_column("error").to_arrow().cast(pa.string())
    return Errors(
        errors.take(pa.array(text_of_row, mask=text_of_row < 0)),
        tag_array(pattern_of_row, ["", *words]),
        fingerprints,
    )


def _is_told(texts: pa.Array) -> NDArray[np.bool_]:
    if texts.null_count == len(texts):
        return np.zeros(len(texts), bool)
    is_told = pc.fill_null(pc.not_equal(texts, ""), False)
    found: NDArray[np.bool_] = is_told.to_numpy(zero_copy_only=False)
    return found


def _cleaned(texts: pa.Array, redaction: Redaction) -> pl.DataFrame:
    """`error` and `pattern` of distinct texts."""
    # In this thread: the pool's threads would compile the expressions again for each body.
    column = pl.Series(values=texts)
    rules = redaction.rules_for(column.to_list(), "error")
    frame = pl.DataFrame({"error": column}).select_seq(_clean_text(rules))
    has_quotes = pc.any(pc.match_substring(texts, '"')).as_py()
    return frame.with_columns_seq(_pattern(has_quotes))


@lru_cache(64)
def _clean_text(rules: tuple[RedactRule, ...]) -> pl.Expr:
    error = applied(pl.col("error"), rules)
    return error.str.replace_all("\0", "\ufffd", literal=True).str.slice(0, MAX_ERROR_CHARACTERS)


@lru_cache(2)
def _pattern(has_quotes: bool) -> pl.Expr:
    return pattern_of(pl.col("error"), has_quotes=has_quotes).alias("pattern")


def _is_failed(outcome: pa.DictionaryArray) -> NDArray[np.bool_]:
    is_failed = np.array([word in FAILED for word in outcome.dictionary.to_pylist()], bool)
    found: NDArray[np.bool_] = is_failed[outcome.indices.to_numpy()]
    return found


def _fingerprints(
    rows: NDArray[np.int64],
    pattern: NDArray[np.int32],
    words: list[str],
    names: dict[str, pa.DictionaryArray],
) -> NDArray[np.uint64]:
    """[n_rows], each kind hashed once.

    Args:
        rows: [n] of which messages.
        pattern: [n] index into the words.
        words: the patterns.
        names: `integration` and `reason` of all messages.
    """
    integration, reason = names["integration"], names["reason"]
    integrations, reasons = integration.dictionary.to_pylist(), reason.dictionary.to_pylist()
    key = pattern.astype(np.int64)
    for tag in (reason, integration):
        key = key * len(tag.dictionary) + tag.indices.to_numpy()[rows]
    kinds, first, kind_of_row = np.unique(key, return_index=True, return_inverse=True)
    del kinds
    prints = [
        fingerprint(integrations[at_integration], reasons[at_reason], words[at_pattern])
        for at_integration, at_reason, at_pattern in zip(
            integration.indices.to_numpy()[rows[first]].tolist(),
            reason.indices.to_numpy()[rows[first]].tolist(),
            pattern[first].tolist(),
            strict=True,
        )
    ]
    return np.array(prints, np.uint64)[kind_of_row]
