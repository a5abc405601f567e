"""A sequence whose items are made when somebody asks for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar, overload

T = TypeVar("T")
_KEPT = 4096


class Lazy(Sequence[T], Generic[T]):
    """Items by number, from 0 on, which are always the same; the last few thousand are kept."""

    def __init__(self, count: Callable[[], int], item: Callable[[int], T]) -> None:
        self._count, self._item = count, item
        self._kept: dict[int, T] = {}

    def __len__(self) -> int:
        """How many there are now."""
        return self._count()

    @overload
    def __getitem__(self, at: int) -> T: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[T]: ...
    def __getitem__(self, at: int | slice) -> T | Sequence[T]:
        """One item, or a list of some."""
        if isinstance(at, slice):
            return [self._item(one) for one in range(*at.indices(len(self)))]
        kept = self._kept.get(at)
        if kept is not None:
            return kept
        if not -len(self) <= at < len(self):
            raise IndexError(at)
        if len(self._kept) >= _KEPT:
            self._kept.clear()
        number = int(at) % len(self)
        kept = self._kept[number] = self._item(number)
        return kept
