"""What a target shows → numbers: Prometheus's text format 0.0.4, and OpenMetrics 1.0.

The reading is the `prometheus_client` library's. It is made for well-meant texts, so it is given no
line that is too long, and so much processor time and no more.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/ and
https://prometheus.io/docs/specs/om/open_metrics_spec/
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from streamgauge.model.errors import PayloadError
from streamgauge.receive.measured import Form, Numbers, Series
from streamgauge.receive.prometheus.forms import COUNTING, Family, family_of, form_by_name

ACCEPT = (
    "application/openmetrics-text;version=1.0.0,"
    "text/plain;version=0.0.4;q=0.5,text/plain;q=0.3,*/*;q=0.1"
)
MAX_LINE_CHARACTERS = 16_384
"""The library takes time by the square of a line's length."""
MAX_CPU_S = 5.0
"""Of one text; a line of usual length takes it 10 to 20 us."""

_OPEN_METRICS = "application/openmetrics-text"
_CREATED = "_created"
_OF_A_VALUE = ("le", "quantile")
"""Labels that tell series of one histogram or summary apart."""

Labels = tuple[tuple[str, str], ...]
Known = Mapping[tuple[str, Labels], Series]
"""Series of the text before, by name and labels."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a target showed."""

    numbers: Numbers
    known: Known = field(default_factory=dict)
    """Its series, for the next time."""


@dataclass(slots=True)
class _Sample:
    series: Series
    value: float
    time_ns: int
    family: Family | None


def read_exposition(
    text: str,
    content_type: str,
    at_ns: int,
    labels: Mapping[str, str],
    before: Known | None = None,
) -> Shown:
    """Read one text.

    Args:
        text: all of it.
        content_type: as the target names it.
        at_ns: the time of samples that bring none.
        labels: added to every series; a label that the target gives by the same name becomes
            `exported_…`, as in Prometheus.
        before: `Shown.known` of the last time; the same objects stand for the same series.

    Raises:
        PayloadError: it is neither of the formats.
    """
    samples: list[_Sample] = []
    known: dict[tuple[str, Labels], Series] = {}
    try:
        for metric in _families(text, content_type):
            family = family_of(metric.type, metric.unit)
            for sample in metric.samples:
                if sample.value is None:  # a native histogram, which has no number
                    continue
                name = str(sample.name)
                key = name, _merged(sample.labels, labels)
                form, unit = _form_and_unit(name, name[len(metric.name) :], family)
                series = (before or {}).get(key)
                if series is None or series.form is not form:
                    series = Series(*key, form, unit)
                known[key] = series
                stamp = _nanoseconds(sample.timestamp, at_ns)
                samples.append(_Sample(series, float(sample.value), stamp, family))
    except PayloadError:
        raise
    except Exception as error:  # whatever the library stumbles over
        why = " ".join(str(error).split())[:200] or type(error).__name__
        raise PayloadError(f"neither Prometheus's text format nor OpenMetrics: {why}") from error
    return Shown(_numbers(samples), known)


def _families(text: str, content_type: str) -> Iterable[Any]:
    if content_type.partition(";")[0].strip().lower() == _OPEN_METRICS:
        from prometheus_client.openmetrics.parser import text_fd_to_metric_families as open_metrics

        return cast("Iterable[Any]", open_metrics(_Lines(text)))  # type: ignore[no-untyped-call]
    from prometheus_client.parser import text_fd_to_metric_families as plain

    return plain(_Lines(text))  # type: ignore[arg-type] # it iterates over the lines alone


class _Lines:
    """The lines of a text with their ends, as long as there is time."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __iter__(self) -> Iterator[str]:
        began_s, at, text = time.thread_time(), 0, self._text
        while at < len(text):
            end = text.find("\n", at) + 1 or len(text)
            if end - at > MAX_LINE_CHARACTERS:
                raise PayloadError(f"a line of more than {MAX_LINE_CHARACTERS:,} characters")
            if time.thread_time() - began_s > MAX_CPU_S:
                raise PayloadError(f"it takes more than {MAX_CPU_S:g} s to read: show fewer series")
            yield text[at:end]
            at = end


def _merged(own: Mapping[str, str], added: Mapping[str, str]) -> Labels:
    told = {(f"exported_{name}" if name in added else name): own[name] for name in own}
    return tuple(sorted((name, text) for name, text in {**told, **added}.items() if text))


def _form_and_unit(name: str, ending: str, family: Family | None) -> tuple[Form, str]:
    form = family.form(ending) if family else None
    if family is None or form is None:
        return form_by_name(name) if family is None else Form.GAUGE, ""
    return form, family.unit_of(ending)


def _nanoseconds(stamp: Any, at_ns: int) -> int:  # noqa: ANN401 - a number or a Timestamp
    if stamp is None:
        return at_ns
    seconds = float(stamp)
    return int(max(min(seconds, 9e9), -9e9) * 1000) * 1_000_000


def _numbers(samples: list[_Sample]) -> Numbers:
    """Arrays of them; times of creation become the beginnings of what they belong to."""
    created = {
        (one.series.name.removesuffix(_CREATED), one.series.labels): int(one.value * 1e9)
        for one in samples
        if one.series.name.endswith(_CREATED) and 0 <= one.value < 9e9
    }
    starts = [created.get(_counted(one.series), 0) for one in samples] if created else []
    used = {_counted(one.series) for one, start in zip(samples, starts, strict=False) if start}
    kept = [at for at, one in enumerate(samples) if not _tells_creation(one.series, used)]
    found = [samples[at] for at in kept]
    return Numbers(
        series=[one.series for one in found],
        of=np.arange(len(found), dtype=np.int32),
        time_ns=np.array([one.time_ns for one in found], np.int64),
        start_ns=np.array([starts[at] if starts else 0 for at in kept], np.int64),
        value=np.array([one.value for one in found], np.float64),
    )


def _counted(series: Series) -> tuple[str, Labels]:
    """Name and labels that a time of creation would have."""
    if series.form is not Form.CUMULATIVE:
        return "", ()
    ending = next((end for end in COUNTING if series.name.endswith(end)), "")
    labels = tuple(pair for pair in series.labels if pair[0] not in _OF_A_VALUE)
    return series.name.removesuffix(ending), labels


def _tells_creation(series: Series, used: set[tuple[str, Labels]]) -> bool:
    name = series.name.removesuffix(_CREATED)
    return name != series.name and (name, series.labels) in used
