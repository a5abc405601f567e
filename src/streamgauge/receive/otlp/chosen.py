"""Which points of a body are kept, and the series they belong to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamgauge.model.refusal import RefusalReason
from streamgauge.receive.measured import Codes
from streamgauge.receive.otlp.known import Known, Unkept
from streamgauge.receive.otlp.refused import Refused, stamp_reason


@dataclass(frozen=True, slots=True)
class Chosen:
    """The points that are kept."""

    at: NDArray[np.int64]
    """[n_kept] their places."""
    of: Codes
    """[n_kept] numbers of their series."""


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
    is_out = is_late | is_bad | (numbers < 0)
    if not is_out.any():
        return Chosen(np.arange(len(numbers)), numbers)
    for at in np.flatnonzero(is_out).tolist():
        one, ordinal = known.member(int(numbers[at])), int(ordinals[at])
        if isinstance(one, Unkept):
            refused.add(ordinal, one, one.reason)
        elif is_late[at]:
            refused.add(ordinal, one, stamp_reason(int(time_ns[at])), RefusalReason.STAMP)
        else:
            refused.add(ordinal, one, why(at))
    at_kept = np.flatnonzero(~is_out)
    return Chosen(at_kept, numbers[at_kept])


def known_starts(start_ns: NDArray[np.uint64], time_ns: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Start times; 0 for one that is after its point, and says nothing therefore."""
    return np.where(start_ns <= time_ns, start_ns, np.uint64(0)).astype(np.int64)
