"""Remembers series over bodies, so that the labels of each are read once.

A series is known by the very bytes of its labels. Two generations of a table make it a bounded
cache that forgets what was not met for longest: when the younger one is full, it becomes the older,
and what is met again moves up. Threads share it; at worst one of them reads a series again.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from streamgauge.model.refusal import RefusalReason
from streamgauge.receive.measured import Series
from streamgauge.receive.prometheus import wire
from streamgauge.receive.prometheus.forms import Families

MAX_BYTES = 64_000_000
"""Of one generation of two, some 88,000 series of usual size."""
_SERIES_BYTES, _PAIR_BYTES = 500, 250
"""What Python takes for one, about, beside the bytes of its labels."""
MAX_LABELS = 128
MAX_LABEL_BYTES = 16_384
"""Of all labels of a series. Source for both: several times what Prometheus's own receivers
(Mimir: 30 labels, 2,048 bytes a value) take."""

_NAME = "__name__"


class BadSeries(Exception):
    """The labels of a series cannot be used; says why, and of which class that is."""

    def __init__(self, text: str, reason: RefusalReason = RefusalReason.SYNTAX) -> None:
        super().__init__(text)
        self.reason = reason


def checked(labels: Sequence[bytes]) -> list[bytes]:
    """The labels, where so many and so large ones are taken.

    Raises:
        BadSeries: they are not.
    """
    if len(labels) > MAX_LABELS:
        raise BadSeries(f"{len(labels):,} labels; at most {MAX_LABELS} are taken")
    found = list(labels)
    size = sum(map(len, found))
    if size > MAX_LABEL_BYTES:
        raise BadSeries(f"labels of {size:,} bytes; at most {MAX_LABEL_BYTES:,} are taken")
    return found


@dataclass(slots=True)
class _Table:
    series: dict[bytes, Series]
    size: int = 0


class KnownSeries:
    """Keys → series. The same object is given for a series as long as it is known."""

    def __init__(self, families: Families, max_bytes: int = MAX_BYTES) -> None:
        self._families, self._max_bytes = families, max_bytes
        self._young, self._old = _Table({}), _Table({})
        self._pairs: dict[bytes, tuple[str, str]] = {}
        self._pair_bytes = 0
        self._lock = threading.Lock()
        self.epoch = 0
        """Which knowledge of types the series that are known were read by."""

    def young(self) -> dict[bytes, Series]:
        """The table to look up in first. To be read only, and for one body only."""
        return self._young.series

    def find(self, key: bytes) -> Series | None:
        """The series of a key, if it is known."""
        epoch = self.epoch
        found = self._young.series.get(key)
        if found is None:
            found = self._old.series.get(key)
            if found is not None:
                self.add(key, found, epoch)
        return found

    def add(self, key: bytes, series: Series, epoch: int) -> None:
        """Know a series from now on, unless types have changed since it was read in `epoch`."""
        with self._lock:
            if epoch != self.epoch or key in self._young.series:
                return
            self._young.series[key] = series
            self._young.size += len(key) + _SERIES_BYTES
            if self._young.size > self._max_bytes:
                self._old, self._young = self._young, _Table({})

    def forget(self) -> None:
        """Read every series again: what is known of types has changed."""
        with self._lock:
            self._young, self._old = _Table({}), _Table({})
            self.epoch += 1

    def read(self, labels: list[bytes]) -> Series:
        """The series of these labels, each as protobuf has it.

        Raises:
            BadSeries: the labels are no proper ones.
            DecodeError: they are not protobuf.
        """
        pairs = sorted(pair for pair in map(self._pair, labels) if pair[1])
        words = dict(pairs)
        name = words.pop(_NAME, "")
        if len(words) + bool(name) != len(pairs):
            raise BadSeries("a label stands twice")
        if not name or "" in words:
            raise BadSeries("no metric name" if not name else "a label without a name")
        form, unit = self._families.form_and_unit(name)
        return Series(name, tuple(pair for pair in pairs if pair[0] != _NAME), form, unit)

    def _pair(self, label: bytes) -> tuple[str, str]:
        """Name and value; the same object for the same label, as most series share most of them."""
        pair = self._pairs.get(label)
        if pair is None:
            message = wire.Label.FromString(label)
            try:
                pair = message.name.decode(), message.value.decode()
            except UnicodeDecodeError:
                raise BadSeries("a label is not UTF-8", RefusalReason.ENCODING) from None
            self._remember(label, pair)
        return pair

    def _remember(self, label: bytes, pair: tuple[str, str]) -> None:
        with self._lock:
            self._pair_bytes += len(label) + _PAIR_BYTES
            if self._pair_bytes > self._max_bytes:
                self._pairs, self._pair_bytes = {}, 0
            self._pairs[label] = pair
