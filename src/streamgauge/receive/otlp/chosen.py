"""Which points of a body are kept, and the distinct series they belong to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamgauge.model.refusal import RefusalReason
from streamgauge.receive.measured import Codes, Series
from streamgauge.receive.otlp.known import Unkept
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
    series: Sequence[Series | Unkept],
    ordinals: NDArray[np.int64],
    time_ns: NDArray[np.uint64],
    refused: Refused,
    is_bad: NDArray[np.bool_],
    why: Callable[[int], str],
) -> Chosen:
    """Keep what may be kept, and tell of the rest. Arrays are [n_points].

    Args:
        series: of each point; those of one series are the same object.
        ordinals: places in the body, over points of all kinds.
        time_ns: as it was sent.
        refused: told of what is not kept.
        is_bad: refused for a reason of their own.
        why: that reason, by place.
    """
    distinct, of = _by_identity(series)
    is_unkept = np.array([isinstance(one, Unkept) for one in distinct], bool)[of]
    is_late = refused.stamps(time_ns)
    is_out = is_unkept | is_late | is_bad
    if not is_out.any():
        return Chosen(np.arange(len(of)), [one for one in distinct if isinstance(one, Series)], of)
    for at in np.flatnonzero(is_out).tolist():
        one, ordinal = series[at], int(ordinals[at])
        if isinstance(one, Unkept):
            refused.add(ordinal, one, one.reason)
        elif is_late[at]:
            refused.add(ordinal, one, stamp_reason(int(time_ns[at])), RefusalReason.STAMP)
        else:
            refused.add(ordinal, one, why(at))
    at_kept = np.flatnonzero(~is_out)
    kept = [series[at] for at in at_kept.tolist()]
    distinct, of = _by_identity(kept)
    return Chosen(at_kept, [one for one in distinct if isinstance(one, Series)], of)


def _by_identity(series: Sequence[Series | Unkept]) -> tuple[list[Series | Unkept], Codes]:
    names = np.fromiter(map(id, series), np.int64, len(series))
    _, first, of = np.unique(names, return_index=True, return_inverse=True)
    return [series[at] for at in first.tolist()], of.astype(np.int32)


def known_starts(start_ns: NDArray[np.uint64], time_ns: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Start times; 0 for one that is after its point, and says nothing therefore."""
    return np.where(start_ns <= time_ns, start_ns, np.uint64(0)).astype(np.int64)
