"""The columns of hops and of the messages they count, from the values of their lines.

Missing words and the names of routers are what the line protocol makes of them
(`influx.series`). A latency below zero, as clocks that disagree make them, is unknown.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from streamgauge.model.refusal import RefusalReason
from streamgauge.receive.influx.measurements import COUNT_REASON, MAX_COUNT
from streamgauge.receive.influx.series import DEFAULTS, ROUTER_TAGS, VERSION_TAGS
from streamgauge.receive.messages.faults import Faults
from streamgauge.receive.messages.redaction import Redaction
from streamgauge.receive.schema import constant_tag, tag_array

FLOW_KEYS = ("tenant", "source", "integration", "pipeline", "stage", "outcome", "reason")
NUMBER_KEYS = ("latency_s", "latency_ms", "queue_s", "queue_ms", "bytes", "count")
TEXT_KEYS = ("id", "time", *FLOW_KEYS, *ROUTER_TAGS, *VERSION_TAGS, "error")
MAX_ID_BYTES = 256
MAX_NAME_CHARACTERS = 1024
BYTES_REASON = "bytes must be a whole number, 0 or more"
_MAX_EXACT = 2.0**53

Floats = NDArray[np.float64]
Codes = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Numbers:
    """[n_rows] each."""

    latency_s: pa.Array
    queue_s: pa.Array
    """Null where not known."""
    bytes: NDArray[np.uint64]
    count: NDArray[np.uint64]


def read_names(
    frame: pl.DataFrame, faults: Faults, redaction: Redaction
) -> dict[str, pa.DictionaryArray]:
    """The tags of the flow, and `router` and `version`."""
    given = {key: (key,) for key in FLOW_KEYS} | {"router": ROUTER_TAGS, "version": VERSION_TAGS}
    names: dict[str, pa.DictionaryArray] = {}
    for name, keys in given.items():
        default = DEFAULTS.get(name, "")
        told = [key for key in keys if frame.get_column(key).null_count() < frame.height]
        if not told:
            names[name] = constant_tag(default, frame.height)
            continue
        codes, words = _coded(frame, told, default)
        _check_words(name, codes, words, faults)
        if name == "reason":
            words = redaction.words(words, name)
        names[name] = tag_array(*_merged(codes, words))
    return names


def _coded(frame: pl.DataFrame, keys: list[str], default: str) -> tuple[Codes, list[str]]:
    """The first of some keys that a row has, else the default: codes [n_rows] of words."""
    codes = np.zeros(frame.height, np.int32)
    words = [default]
    for key in keys:
        tag = frame.get_column(key).to_arrow().dictionary_encode()
        new = tag.dictionary.to_pylist()
        if len(keys) == 1 and not tag.null_count and "" not in new:
            return tag.indices.to_numpy(), new
        found = pc.fill_null(tag.indices, -1).to_numpy() + np.int32(len(words))
        is_told = found >= len(words)
        words += new
        if "" in new:
            is_told &= found != len(words) - len(new) + new.index("")
        np.copyto(codes, found, where=is_told & (codes == 0))
    return codes, words


def _merged(codes: Codes, words: list[str]) -> tuple[Codes, list[str]]:
    """The same with each word once."""
    if len(set(words)) == len(words):
        return codes, words
    places = {word: place for place, word in enumerate(dict.fromkeys(words))}
    return np.array([places[word] for word in words], np.int32)[codes], list(places)


def encoded(words: pa.Array) -> pa.DictionaryArray:
    """A tag column."""
    tag = words.dictionary_encode()
    return pa.DictionaryArray.from_arrays(
        tag.indices.cast(pa.int32()), tag.dictionary.cast(pa.string())
    )


def _check_words(name: str, codes: Codes, words: list[str], faults: Faults) -> None:
    joined = "\0".join(["", *words])
    is_clean = joined.count("\0") == len(words) and "\0{" not in joined and "\0[" not in joined
    if is_clean and max(map(len, words)) <= MAX_NAME_CHARACTERS:
        return  # seen of all at once: a body may have thousands of them
    wrong = {code: why for code, word in enumerate(words) if (why := _wrong_word(word))}
    for text in set(wrong.values()):
        chosen = [code for code, why in wrong.items() if why == text]
        faults.add(np.isin(codes, chosen), RefusalReason.SYNTAX, f"{name} {text}")


def _wrong_word(word: str) -> str:
    if len(word) > MAX_NAME_CHARACTERS:
        return f"has more than {MAX_NAME_CHARACTERS} characters"
    if "\0" in word:
        return "has a NUL character"
    return "must be text" if word[:1] in ("{", "[") else ""


def read_ids(frame: pl.DataFrame, faults: Faults, redaction: Redaction) -> pa.Array:
    """[n_rows] text; empty where none is given."""
    column = frame.get_column("id")
    if redaction.has_field("id"):
        column = redaction.of(column, "id")
    ids = pc.fill_null(column.to_arrow(), "")
    is_long = pc.greater(pc.binary_length(ids), MAX_ID_BYTES).to_numpy(zero_copy_only=False)
    faults.add(is_long, RefusalReason.SYNTAX, f"id has more than {MAX_ID_BYTES} bytes")
    return ids.cast(pa.string())


def read_numbers(frame: pl.DataFrame, faults: Faults) -> Numbers:
    """The numbers of each row; those that are none are faults of it."""
    values = {key: _floats(frame, key, faults) for key in NUMBER_KEYS}
    size, is_bad_size = _wholes(values["bytes"], frame.height, 0, _MAX_EXACT)
    count, is_bad_count = _wholes(values["count"], frame.height, 1, float(MAX_COUNT))
    faults.add(is_bad_size, RefusalReason.SYNTAX, BYTES_REASON)
    faults.add(is_bad_count, RefusalReason.COUNT, COUNT_REASON)
    return Numbers(
        latency_s=_seconds(values["latency_s"], values["latency_ms"], frame.height),
        queue_s=_seconds(values["queue_s"], values["queue_ms"], frame.height),
        bytes=size,
        count=count,
    )


def _floats(frame: pl.DataFrame, key: str, faults: Faults) -> Floats | None:
    """NaN where not given; None if no row has it."""
    given = frame.get_column(key)
    if given.null_count() == frame.height:
        return None
    numbers = given
    if given.dtype != pl.Float64():
        numbers = given.cast(pl.Float64, strict=False)
        is_wrong = given.is_not_null() & ~numbers.is_finite().fill_null(value=False)
        faults.add(is_wrong.to_numpy(), RefusalReason.SYNTAX, _no_number(key, given))
    found: Floats = numbers.to_arrow().to_numpy(zero_copy_only=False)
    return found


def _no_number(key: str, given: pl.Series) -> Callable[[int], str]:
    return lambda row: f"{key} must be a number, not {str(given[row])[:40]!r}"


def _seconds(seconds: Floats | None, milliseconds: Floats | None, row_count: int) -> pa.Array:
    """A duration; seconds win where a row has both spellings. Null where it is not known."""
    if milliseconds is not None:
        scaled = milliseconds * 1e-3
        seconds = scaled if seconds is None else np.where(np.isnan(seconds), scaled, seconds)
    if seconds is None:
        return pa.nulls(row_count, pa.float64())
    return pa.array(seconds, pa.float64(), mask=~(seconds >= 0))


def _wholes(
    values: Floats | None, row_count: int, missing: int, most: float
) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """Whole numbers [n_rows] from 0 to `most`, and where there is another one."""
    if values is None:
        return np.full(row_count, missing, np.uint64), np.zeros(row_count, bool)
    is_given = ~np.isnan(values)
    is_good = is_given & (values >= 0) & (values <= most) & (np.floor(values) == values)
    return np.where(is_good, values, float(missing)).astype(np.uint64), is_given & ~is_good
