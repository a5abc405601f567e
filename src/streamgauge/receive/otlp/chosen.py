"""Which points of a body are kept, and the distinct series they belong to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from streamgauge.model.refusal import RefusalReason
from streamgauge.receive.measured import Codes, Series
from streamgauge.receive.otlp.known import Known, Unkept
from streamgauge.receive.otlp.refused import Refused, stamp_reason


@dataclass(frozen=True, slots=True)
class Chosen:
    """The points that are kept."""

    at: NDArray[np.int64]
    """[n_kept] their places."""
    series: list[Series]
    """Distinct."""
    of: Codes
    """[n_kept] index into `series`."""


def choose(
    numbers: Codes,
    known: Known,
    ordinals: NDArray[np.int64],
    time_ns: NDArray[np.uint64],
    refused: Refused,
    is_bad: NDArray[np.bool_],
    why: Callable[[int], str],
) -> Chosen:
    """Keep what may be kept, and tell of the rest. Arrays are [n_points].

    Args:
        numbers: of what each point belongs to.
        known: has these numbers.
        ordinals: places in the body, over points of all kinds.
        time_ns: as it was sent.
        refused: told of what is not kept.
        is_bad: refused for a reason of their own.
        why: that reason, by place.
    """
    is_late = refused.stamps(time_ns)
    is_out = is_late | is_bad
    if known.unkept:
        is_out |= np.isin(numbers, known.unkept)
    if not is_out.any():
        return Chosen(np.arange(len(numbers)), *_distinct(numbers, known))
    for at in np.flatnonzero(is_out).tolist():
        one, ordinal = known.members[numbers[at]], int(ordinals[at])
        if isinstance(one, Unkept):
            refused.add(ordinal, one, one.reason)
        elif is_late[at]:
            refused.add(ordinal, one, stamp_reason(int(time_ns[at])), RefusalReason.STAMP)
        else:
            refused.add(ordinal, one, why(at))
    at_kept = np.flatnonzero(~is_out)
    return Chosen(at_kept, *_distinct(numbers[at_kept], known))


def _distinct(numbers: Codes, known: Known) -> tuple[list[Series], Codes]:
    """The series that occur, none of them unkept; and which of them each point belongs to."""
    if not len(numbers):
        return [], numbers
    occurs = np.zeros(int(numbers.max()) + 1, bool)
    occurs[numbers] = True
    place = np.cumsum(occurs, dtype=np.int32) - np.int32(1)
    found = map(known.members.__getitem__, np.flatnonzero(occurs).tolist())
    return cast("list[Series]", list(found)), place[numbers]


def known_starts(start_ns: NDArray[np.uint64], time_ns: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Start times; 0 for one that is after its point, and says nothing therefore."""
    return np.where(start_ns <= time_ns, start_ns, np.uint64(0)).astype(np.int64)
