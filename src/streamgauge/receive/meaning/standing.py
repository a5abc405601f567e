"""All that is remembered of counters and histograms between two bodies, and its log."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
import structlog
from numpy.typing import NDArray

from streamgauge.model.errors import StoreError
from streamgauge.receive.meaning.buckets import BUCKET, Families, Kept, Sample
from streamgauge.receive.meaning.counters import STANDING, Counters
from streamgauge.receive.meaning.levels import Before
from streamgauge.receive.meaning.log import CounterLog, Moved
from streamgauge.receive.meaning.shapes import Shape, Shapes

log = structlog.get_logger(__name__)

MAX_TELLERS = 200_000
Ints = NDArray[np.int64]


@dataclass(slots=True)
class Change:
    """What a body is about to move on."""

    slots: list[Ints] = field(default_factory=list)
    standings: list[NDArray[np.void]] = field(default_factory=list)
    shapes: dict[int, Shape] = field(default_factory=dict)
    families: dict[int, Kept] = field(default_factory=dict)
    """Classic histograms that come in pieces, as they were before."""
    before: list[Before] = field(default_factory=list)
    """Where levels stood that were moved on, the first ones first."""
    buckets: list[Sample] = field(default_factory=list)
    levels: NDArray[np.void] = field(default_factory=lambda: np.zeros(0, BUCKET))
    """BUCKET of those families whose buckets came all at once."""
    refused: set[int] = field(default_factory=set)
    """Histograms that stay where they were."""
    tellers: list[int] = field(default_factory=list)
    """Those that were not known."""

    def without(self, slots: Ints, shapes: set[int]) -> None:
        """Do not move these on: what they say was refused."""
        if len(slots):
            kept = [~np.isin(one, slots) for one in self.slots]
            self.slots = [one[is_kept] for one, is_kept in zip(self.slots, kept, strict=True)]
            self.standings = [
                one[is_kept] for one, is_kept in zip(self.standings, kept, strict=True)
            ]
        for key in shapes:
            self.shapes.pop(key, None)
        self.refused |= shapes
        if shapes:
            self.buckets = [one for one in self.buckets if one[0] not in shapes]
            gone = np.isin(self.levels["family"], np.array(list(shapes), np.uint64))
            self.levels = self.levels[~gone]

    def moved(self) -> Moved:
        """As it is written down."""
        buckets = self.levels
        if self.buckets:
            buckets = np.concatenate([np.array(self.buckets, BUCKET), self.levels])
        return Moved(
            _joined(self.standings),
            list(self.shapes.items()),
            buckets,
            np.array(self.tellers, np.uint64),
        )


def _joined(standings: list[NDArray[np.void]]) -> NDArray[np.void]:
    """Side by side; nearly always there is one of them, and joining records is slow."""
    if len(standings) == 1:
        return standings[0]
    return np.concatenate([np.zeros(0, STANDING), *standings])


class Standing:
    """Not thread-safe: `Metering` has a lock."""

    def __init__(self, log: CounterLog | None = None) -> None:
        self.counters, self.shapes, self.families = Counters(), Shapes(), Families()
        self.tellers: dict[int, None] = {}
        """Senders that count what their histograms tell too."""
        self._log = log
        self._undo: Callable[[], None] = lambda: None
        self.is_open = log is None

    def open(self, knows: Callable[[bytes], bool]) -> None:
        """Go on where a former process ended.

        Args:
            knows: whether the journal keeps a body of that retry key.

        Raises:
            StoreError: the disk refused, or the journal is not open.
        """
        if self._log is not None:
            for moved in self._log.read_back(knows):
                self._restore(moved)
            self._log.begin_anew(self._everything())
        self.is_open = True

    def _restore(self, moved: Moved) -> None:
        self.counters.restore(moved.standings)
        for key, shape in moved.shapes:
            self.shapes.put(key, shape)
        self.families.restore(moved.buckets)
        self._remember(moved.tellers.tolist())

    def _everything(self) -> Moved:
        return Moved(
            self.counters.dump(),
            self.shapes.items(),
            self.families.dump(),
            np.array(list(self.tellers), np.uint64),
        )

    def move(self, key: bytes | None, change: Change) -> None:
        """Write down what a body moves on, and move it.

        Args:
            key: of the body; None: it counts whatever becomes of it.
            change: what is moved.

        Raises:
            StoreError: the disk refused; nothing is moved.
        """
        moved = change.moved()
        if self._log is not None and not moved.is_empty:
            self._log.append(key, moved)
        slots = np.concatenate([np.zeros(0, np.int64), *change.slots])
        before = self.counters.standing(slots)
        shapes = {one: self.shapes.find(one) for one in change.shapes}

        def undo() -> None:
            self.counters.put(slots, before)
            for which, shape in shapes.items():
                self.shapes.put(which, shape)
            for one in change.tellers:
                self.tellers.pop(one, None)
            if self._log is not None:
                self._log.take_back()

        self._undo = undo
        self.counters.put(slots, moved.standings)
        for shape_key, shape in change.shapes.items():
            self.shapes.put(shape_key, shape)
        if change.refused:
            self._put_back(change, change.refused)
        self._remember(change.tellers)

    def settle(self) -> None:
        """The body is kept."""
        self._undo = lambda: None
        if self._log is None:
            return
        self._log.keep()
        if self._log.is_long:
            try:
                self._log.begin_anew(self._everything())
            except StoreError as error:
                log.warning("the log of counters goes on as it is", reason=str(error))
                self._log.postpone()

    def take_back(self, change: Change) -> None:
        """The body is not kept: all stands where it stood."""
        self._put_back(change)
        undo, self._undo = self._undo, lambda: None
        undo()

    def _put_back(self, change: Change, only: set[int] | None = None) -> None:
        """Let classic histograms be what they were, all or some."""
        numbers = None
        if only is not None:
            were = [number for key, (_, number) in change.families.items() if key in only]
            numbers = np.append(self.families.numbers(list(only)), were).astype(np.int64)
        for before in reversed(change.before):
            self.families.levels.take_back(before, numbers)
        for key, kept in change.families.items():
            if only is None or key in only:
                self.families.put_back(key, kept)

    def make_room(self) -> None:
        """Before a body: forget what was told longest ago, if there is too much."""
        self.counters.make_room()
        self.families.make_room()

    def close(self) -> None:
        """Write down where all stands, and close the log."""
        if self._log is not None:
            if self.is_open:
                with suppress(StoreError):  # the log tells it too
                    self._log.begin_anew(self._everything())
            self._log.close()
        self.is_open = False

    def _remember(self, tellers: list[int]) -> None:
        self.tellers.update(dict.fromkeys(tellers))
        if len(self.tellers) > MAX_TELLERS:
            for old in list(self.tellers)[: MAX_TELLERS // 2]:
                del self.tellers[old]
