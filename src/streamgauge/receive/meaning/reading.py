"""What one series means: which table its numbers go to, with which tags. Asked once a series."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

from streamgauge.receive.influx.keys import canonical
from streamgauge.receive.influx.series import DEFAULTS, MESSAGES_TAGS, QUEUE_TAGS
from streamgauge.receive.meaning import names
from streamgauge.receive.meaning.names import Known, Target
from streamgauge.receive.meaning.rules import MapRule, find_rule
from streamgauge.receive.measured import Form, Series

_FEW, _MANY = 64, 4096
"""What is remembered of series before: the buckets of a histogram come one after the other, senders
by turns."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A series as it is understood."""

    target: Target
    form: Form
    words: tuple[str, ...]
    """Values of MESSAGES_TAGS or of QUEUE_TAGS; of points, measurement and all tags."""
    factor: float
    """What its numbers are multiplied with: to seconds, to bytes, or as a rule says."""
    identity: int
    """64 bits of its name and labels as they came, the same in every process."""
    teller: int
    """64 bits of its sender and of what it counts: see `Known.counted_as`."""
    upper: float
    """Of a classic histogram's bucket (`le`); NaN: it is none."""
    family: int
    """64 bits of a classic histogram's name and labels without `le`."""
    is_strange: bool
    """Nobody said what it is: neither its name nor a rule."""
    rule: MapRule | None = None


class _Labels:
    """Labels by their names, dotted or as Prometheus writes them; what was asked for is gone."""

    def __init__(self, labels: dict[str, str]) -> None:
        self.rest = labels

    def find(self, name: str) -> str:
        return self.rest.get(name, "") or self.rest.get(names.underscored(name), "")

    def pop(self, name: str) -> str:
        plain = names.underscored(name)
        found = self.rest.pop(name, "")
        return found or (self.rest.pop(plain, "") if plain != name else "")

    def pop_first(self, wanted: Sequence[str]) -> str:
        return next((self.pop(name) for name in wanted if self.find(name)), "")

    def tags(self) -> str:
        return canonical(sorted(self.rest.items()), is_plain=False)


@dataclass(frozen=True, slots=True)
class Manner:
    """How the series of a body are to be read."""

    db: str
    """The name space, part of a series' identity."""
    is_histogram: bool = False
    """Whether its points have buckets of their own."""
    is_line: bool = False
    """Whether it was line protocol: then only rules give it a meaning."""


def read_series(series: Series, rules: Sequence[MapRule], manner: Manner) -> Reading:
    """Understand a series.

    Args:
        series: as its sender tells it.
        rules: the `[[map]]`s; the first that fits decides.
        manner: of its body.
    """
    given = dict(series.labels)
    rule = find_rule(rules, series.name, given) if rules else None
    labels = rule.applied(given) if rule else dict(given)
    known, unit, upper = _known(series, rule, labels, manner)
    form = _form(series, rule, known, manner)
    target = known.target if known else Target.POINT
    if (rule and rule.is_dropped) or (known is None and _is_told_by_buckets(series, manner)):
        target = Target.DROPPED
    elif known and not _can_be(series.name, known.target, form, manner, upper, rule):
        target = Target.POINT
    stage = known.stage if known else ""
    if target is Target.LATENCY and known and known.is_convention and not stage:
        stage = _stage_of_operation(_Labels(labels))
        target = target if stage else Target.POINT
    if target in {Target.POINT, Target.DROPPED}:
        words, sender, upper = _point_words(series, labels), "", math.nan
    elif target in names.QUEUE_COLUMNS:
        words, sender = _queue_words(_Labels(labels), known), ""
    else:
        labels.pop("le" if not math.isnan(upper) else "", None)
        words, sender = _messages_words(tuple(labels.items()), known, stage)
    counted_as = (known.counted_as if known else "") or stage
    factor = names.factor_of(target, series.unit or unit)
    return Reading(
        target=target,
        form=form,
        words=words,
        factor=factor if rule is None or rule.scale is None else rule.scale,
        identity=hash64(manner.db, series.name, *_parts(series)),
        teller=_teller(manner.db, sender, counted_as),
        upper=upper,
        family=_family(manner.db, series.name, tuple(_parts(series, "le"))),
        is_strange=target is Target.POINT
        and known is None
        and rule is None
        and names.looks_like_ours(series.name),
        rule=rule,
    )


def hash64(*parts: str) -> int:
    """64 bits of some texts, the same in every process."""
    text = "\0".join(parts).encode(errors="surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "little")


@lru_cache(_MANY)
def _teller(db: str, sender: str, counted_as: str) -> int:
    return hash64(db, sender, counted_as)


@lru_cache(_FEW)
def _family(db: str, name: str, parts: tuple[str, ...]) -> int:
    return hash64("family", db, name, *parts)


def _parts(series: Series, but: str = "") -> list[str]:
    return [part for pair in series.labels if pair[0] != but for part in pair]


def _known(
    series: Series, rule: MapRule | None, labels: dict[str, str], manner: Manner
) -> tuple[Known | None, str, float]:
    """What the name stands for, the unit it tells, and the bucket's bound."""
    name, upper = series.name, math.nan
    if name.endswith("_bucket") and "le" in labels:
        name, upper = name.removesuffix("_bucket"), _bound(labels["le"])
    if rule and rule.to:
        return Known(names.OURS[rule.to]), names.unit_of_name(name), upper
    found = None if manner.is_line else names.find_known(name)
    return (found[0], found[1], upper) if found else (None, "", math.nan)


def _is_told_by_buckets(series: Series, manner: Manner) -> bool:
    """Whether it is the count or the sum of a classic histogram whose buckets are understood."""
    base = names.family_name(series.name)
    if base == series.name or series.name.endswith("_bucket") or manner.is_line:
        return False
    found = names.find_known(base)
    return found is not None and found[0].target in names.HISTOGRAMS


def _bound(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _form(series: Series, rule: MapRule | None, known: Known | None, manner: Manner) -> Form:
    """Remote write and line protocol tell no types: there the name says what rises, or a rule."""
    if rule and rule.form is not None:
        return rule.form
    if manner.is_line and known and known.target in names.RISING:
        return Form.DELTA
    if rule and rule.to and known and known.target in names.RISING and series.form is Form.GAUGE:
        return Form.CUMULATIVE
    rises = series.name.endswith(("_total", "_bucket"))
    return Form.CUMULATIVE if rises and series.form is Form.GAUGE else series.form


def _can_be(
    name: str, target: Target, form: Form, manner: Manner, upper: float, rule: MapRule | None
) -> bool:
    """Whether numbers told like that can be it."""
    has_buckets = manner.is_histogram or not math.isnan(upper)
    if target in names.HISTOGRAMS:
        if has_buckets:
            return form is not Form.GAUGE
        return rule is not None and form is Form.GAUGE and names.family_name(name) == name
    if has_buckets:
        return False
    if target in names.RISING:
        return form is not Form.GAUGE
    return form is not Form.DELTA


def _stage_of_operation(labels: _Labels) -> str:
    told = next(filter(None, map(labels.find, names.OPERATION_LABELS)), "")
    return names.OPERATIONS.get(told, "")


def _point_words(series: Series, labels: dict[str, str]) -> tuple[str, ...]:
    return series.name, canonical(sorted(labels.items()), is_plain=False)


@lru_cache(_FEW)
def _messages_words(
    told: tuple[tuple[str, str], ...], known: Known | None, stage: str
) -> tuple[tuple[str, ...], str]:
    """Values of MESSAGES_TAGS, and who sends it."""
    labels = _Labels(dict(told))
    found = {name: labels.pop(name) for name in MESSAGES_TAGS[:7]}
    if known and known.is_convention:
        _add_conventions(labels, found)
    found["stage"] = found["stage"] or stage
    service = labels.find("service.name") or labels.find("job")
    router = labels.pop_first(names.ROUTER_LABELS) or labels.pop_first(names.ROUTER_FALLBACKS)
    version = labels.pop_first(names.VERSION_LABELS)
    flow = [value or DEFAULTS.get(name, "") for name, value in found.items()]
    return (*flow, router, version, labels.tags()), f"{service}\0{router}"


def _add_conventions(labels: _Labels, found: dict[str, str]) -> None:
    for label, tag in names.CONVENTION_TAGS.items():
        found[tag] = found[tag] or labels.pop(label)
    error = labels.pop(names.ERROR_LABEL)
    if error:
        found["outcome"] = found["outcome"] or "error"
        found["reason"] = found["reason"] or error


def _queue_words(labels: _Labels, known: Known | None) -> tuple[str, ...]:
    del known
    found = [labels.pop(name) for name in QUEUE_TAGS[:4]]
    found[0] = found[0] or labels.pop("messaging.destination.name")
    router = labels.pop_first(names.ROUTER_LABELS)
    return (*found, router, labels.tags())
