"""Remembers series over bodies, so that the labels of each are read once.

A series is known by the very bytes of its labels. Two generations of a table make it a bounded
cache that forgets what was not met for longest: when the younger one is full, it becomes the older,
and what is met again moves up. A body keeps the table that it began with, which may grow by that
body beyond its bounds. Threads share it; at worst one of them reads a series again.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from streamgauge.model.refusal import RefusalReason
from streamgauge.receive.measured import Roster, Series
from streamgauge.receive.prometheus import wire
from streamgauge.receive.prometheus.forms import Families
from streamgauge.receive.prometheus.trail import Trail

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


@dataclass(eq=False, slots=True)
class Table:
    """One generation."""

    numbers: dict[bytes, int] = field(default_factory=dict)
    """Key → place in the roster."""
    roster: Roster = field(default_factory=Roster)
    trail: Trail = field(default_factory=Trail)
    """How they came, by their places."""
    size: int = 0


class KnownSeries:
    """Keys → series. The same object is given for a series as long as it is known."""

    def __init__(self, families: Families, max_bytes: int = MAX_BYTES) -> None:
        self._families, self._max_bytes = families, max_bytes
        self._young, self._old = Table(), Table()
        self._pairs: dict[bytes, tuple[str, str]] = {}
        self._pair_bytes = 0
        self._lock = threading.Lock()

    def table(self) -> Table:
        """What one body looks its series up in, from its beginning to its end."""
        with self._lock:
            if self._young.size > self._max_bytes:
                self._old, self._young = self._young, Table()
            return self._young

    def find(self, table: Table, key: bytes) -> int:
        """The number of a key's series in this table; -1: it is not known."""
        found = table.numbers.get(key, -1)
        if found < 0:
            old = self._old
            place = old.numbers.get(key, -1)
            if place >= 0:
                return self.add(table, key, old.roster[place])
        return found

    def add(self, table: Table, key: bytes, series: Series) -> int:
        """Know a series from now on; its number."""
        with self._lock:
            found = table.numbers.get(key, -1)
            if found < 0:
                found = table.roster.add(series)
                table.numbers[key] = found
                table.size += len(key) + _SERIES_BYTES
            return found

    def forget(self) -> None:
        """Read every series again: what is known of types has changed.

        A body that is being read goes on with the table that it has, which nobody gets any more.
        """
        with self._lock:
            self._young, self._old = Table(), Table()

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
