"""What is the same in body after body is read once: attributes, and the series they make.

A point's attributes are looked up by their very bytes, within what stands around them (resource,
scope, metric). A sender that writes them in another order has a second entry and the same series.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamgauge.receive.measured import Codes, Form, Roster, Series
from streamgauge.receive.otlp import attributes, wire
from streamgauge.receive.otlp.attributes import Pair
from streamgauge.receive.otlp.index import Entry, Index, cut

MAX_ENTRIES = 65_536
"""Series and attributes known together, long ones counting more; then all are forgotten. A series
takes about 800 bytes."""
_ENTRY_BYTES = 256
_MAX_KEY_BYTES = 4_096
"""Longer ones are read each time."""
_FEW = 256
"""So many points are looked up one by one: sooner than all at once."""
_WAITING = 64
"""So many entries wait for the index, or an eighth of those in it."""
UNKNOWN = -1
"""In the place of a number."""
_FIRST_UNKEPT = -2
"""From here on downwards numbers stand for what is refused."""


class Unkept(NamedTuple):
    """Stands for the series of points that are refused, whatever they measure."""

    name: str
    reason: str


class Measuring(NamedTuple):
    """What all points of a metric have in common."""

    resource: bytes
    scope: bytes
    name: str
    unit: str
    form: Form
    refused: str = ""
    """Why none of its points is kept; empty: they are."""


@dataclass(slots=True)
class Context:
    """A metric within its scope and resource, and its series by the bytes of their attributes."""

    measuring: Measuring
    base: Mapping[str, str] | str
    """Labels of resource and scope; or why they cannot be had."""
    number: int
    """Among the contexts of its generation."""
    series: dict[bytes, int] = field(default_factory=dict)
    """Numbers of series."""


class Known:
    """One generation. Threads may share it.

    Once it is full it keeps what it knows and remembers of new series only that they are one: a
    body in which everything is new must not fill the memory.
    """

    def __init__(self, max_entries: int = MAX_ENTRIES) -> None:
        self._max_entries = max_entries
        self._pairs: dict[bytes, Pair] = {}
        self._contexts: dict[Measuring, Context] = {}
        self._bases: dict[tuple[bytes, bytes], Mapping[str, str] | str] = {}
        self._numbers: dict[Series | Unkept, int] = {}
        self._unkept: list[Unkept] = []
        self._index = Index()
        self._waiting: list[Entry] = []
        self._lock = threading.Lock()
        self.roster = Roster()
        """Series by number."""
        self.entry_count = 0

    @property
    def is_full(self) -> bool:
        """Whether it is time for a new one."""
        return self.entry_count > self._max_entries

    def context(self, measuring: Measuring) -> Context:
        """Of a metric."""
        found = self._contexts.get(measuring)
        if found is None:
            with self._lock:
                base = self._base(measuring.resource, measuring.scope)
                made = Context(measuring, base, len(self._contexts))
                found = self._contexts.setdefault(measuring, made)
                self._grow(len(measuring.resource) + len(measuring.scope) + len(measuring.name))
        return found

    def number(
        self, context: Context, encoded: bytes, extra: Mapping[str, str] | None = None
    ) -> int:
        """The number of a point's series.

        Args:
            context: its metric.
            encoded: its attributes, each with tag and length, as they stand in the body.
            extra: labels that win over them.

        Raises:
            PayloadError: they cannot be read.
        """
        found = None if extra else context.series.get(encoded)
        if found is not None:
            return found
        with self._lock:
            made = self._make(context, encoded, extra or {})
            number = self._number(made)
            is_new = encoded not in context.series
            if is_new and not extra and len(encoded) <= _MAX_KEY_BYTES and not self.is_full:
                context.series[encoded] = number
                self._waiting.append(Entry(encoded, context.number, number))
                self._grow(len(encoded))
        return number

    def refusing(self, context: Context, reason: str) -> int:
        """The number of what points of a metric belong to that are refused for this reason."""
        with self._lock:
            return self._number(Unkept(context.measuring.name, reason))

    @staticmethod
    def is_readable(context: Context, encoded: bytes, tag: int) -> bool:
        """Whether bytes are whole attributes of that tag, and nothing else."""
        return encoded in context.series or wire.is_list_of(encoded, tag)

    def find(
        self,
        body: bytes,
        contexts: Sequence[Context],
        of: Codes,
        begin: NDArray[np.int64],
        end: NDArray[np.int64],
    ) -> Codes:
        """The numbers of the series of many points [n]; UNKNOWN where they are not known.

        Args:
            body: with their attributes, each with tag and length.
            contexts: their metrics.
            of: [n] index into these.
            begin: [n] where the attributes stand; in order, and no two overlap.
            end: [n] where they end.
        """
        found = np.full(len(of), UNKNOWN, np.int32)
        if len(of) > _FEW:
            owners = np.array([context.number for context in contexts], np.int32)
            found = self._index_now().find(cut(body, begin, end), owners[of])
        rest = np.flatnonzero(found == UNKNOWN)
        told = zip(of[rest].tolist(), begin[rest].tolist(), end[rest].tolist(), strict=True)
        found[rest] = [contexts[one].series.get(body[at:stop], UNKNOWN) for one, at, stop in told]
        return found

    def _index_now(self) -> Index:
        if len(self._waiting) > max(_WAITING, len(self._index) // 8):
            with self._lock:
                self._index, self._waiting = Index(self._waiting, self._index), []
        return self._index

    def member(self, number: int) -> Series | Unkept:
        """What a number stands for."""
        return self.roster[number] if number >= 0 else self._unkept[_FIRST_UNKEPT - number]

    def _number(self, one: Series | Unkept) -> int:
        found = self._numbers.get(one)
        if found is None:
            if isinstance(one, Unkept):
                self._unkept.append(one)
                found = _FIRST_UNKEPT - len(self._unkept) + 1
            else:
                found = self.roster.add(one)
            self._numbers[one] = found
        return found

    def _make(self, context: Context, encoded: bytes, extra: Mapping[str, str]) -> Series | Unkept:
        measuring, base = context.measuring, context.base
        if measuring.refused or isinstance(base, str):
            return Unkept(measuring.name, measuring.refused or str(base))
        own = self._attributes(encoded)
        if isinstance(own, str):
            return Unkept(measuring.name, own)
        merged = {**base, **own, **extra}
        labels = tuple(sorted((key, value) for key, value in merged.items() if key and value))
        return Series(measuring.name, labels, measuring.form, measuring.unit)

    def _base(self, resource: bytes, scope: bytes) -> Mapping[str, str] | str:
        found = self._bases.get((resource, scope))
        if found is None:
            found = self._bases[resource, scope] = self._read_base(resource, scope)
            self._grow(len(resource) + len(scope))
        return found

    def _read_base(self, resource: bytes, scope: bytes) -> Mapping[str, str] | str:
        """Labels of a Resource message and an InstrumentationScope message."""
        of_resource = self._attributes(_only(resource, 0x0A))
        of_scope = self._attributes(_only(scope, 0x1A))
        if isinstance(of_resource, str):
            return of_resource
        if isinstance(of_scope, str):
            return of_scope
        named = {}
        for tag, at, stop in wire.fields(scope, 0, len(scope)):
            if tag == 0x0A:
                named["otel.scope.name"] = wire.text(scope, at, stop)
            elif tag == 0x12:
                named["otel.scope.version"] = wire.text(scope, at, stop)
        return {**attributes.kept_of_resource(of_resource), **named, **of_scope}

    def _attributes(self, encoded: bytes) -> dict[str, str] | str:
        """Keys and values; or why they are too much."""
        if len(encoded) > attributes.MAX_BYTES:
            return f"its attributes have {len(encoded):,} bytes, limit {attributes.MAX_BYTES:,}"
        found: dict[str, str] = {}
        for count, (_, at, stop) in enumerate(wire.fields(encoded, 0, len(encoded))):
            if count == attributes.MAX_COUNT:
                return f"it has more than {attributes.MAX_COUNT} attributes"
            key, value = self._pair(encoded[at:stop])
            found[key] = value
        return found

    def _pair(self, encoded: bytes) -> Pair:
        found = self._pairs.get(encoded)
        if found is None:
            found = attributes.read_pair(encoded)
            if len(encoded) <= _MAX_KEY_BYTES and not self.is_full:
                self._pairs[encoded] = found
                self._grow(len(encoded))
        return found

    def _grow(self, key_bytes: int) -> None:
        self.entry_count += 1 + key_bytes // _ENTRY_BYTES


def _only(message: bytes, wanted: int) -> bytes:
    """The fields of one tag, each with its tag and length."""
    return b"".join(
        wire.framed(message[at:stop], wanted)
        for tag, at, stop in wire.fields(message, 0, len(message))
        if tag == wanted
    )


class Memory:
    """Hands out the current generation; one that has grown too large makes room for a new one."""

    def __init__(self, max_entries: int = MAX_ENTRIES) -> None:
        self._known, self._max_entries = Known(max_entries), max_entries

    def known(self) -> Known:
        """For one body, which keeps to it."""
        if self._known.is_full:
            self._known = Known(self._max_entries)
        return self._known
