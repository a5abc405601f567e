"""The cardinality guard: how many series a tenant may bring up in an hour.

A message id sent as a tag makes every message a series of its own and would fill memory and disk
for everyone. Beyond the limit the lines of further new series are refused, and the reason names
the tag to blame. Series that are known go on, and so do other tenants.

What is known is kept as hashes in two generations, the older of which is forgotten when the newer
one is full: bounded, and a series that keeps coming is never forgotten.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from streamgauge.model.clock import Clock
from streamgauge.receive.hashes import Hashes, contains

GENERATION_SERIES = 1_000_000
MAX_TENANTS = 50_000
"""Tenants counted one by one in an hour; those beyond share one allowance."""
MAX_TOLD = 100
"""Tenants in one body that are told which tag is to blame."""
_FRONT_SLOTS = 1 << 18
_TAG_SEPARATOR = re.compile(r"(?<!\\),")


@dataclass(frozen=True, slots=True)
class Series:
    """Distinct series of a body."""

    identity: Hashes
    """A hash of each."""
    tenant: Callable[[NDArray[np.int64]], list[str]]
    """Tenants of the series at these positions."""
    tags: Callable[[NDArray[np.int64]], list[str]]
    """Their tags, as canonical line protocol."""


class SeriesGuard:
    """Keeps count of new series. Threads may share it."""

    def __init__(
        self,
        clock: Clock,
        max_new_per_tenant_hour: int,
        generation_series: int = GENERATION_SERIES,
        max_tenants: int = MAX_TENANTS,
    ) -> None:
        self._clock, self._limit = clock, max_new_per_tenant_hour
        self._known = _Known(generation_series)
        self._hour = -1
        self._max_tenants = max_tenants
        self._new_counts: dict[str | None, int] = {}
        """By tenant; None: those beyond `max_tenants` together."""
        self._worst_tag: dict[str | None, tuple[str, int]] = {}
        self._lock = threading.Lock()

    def refusals(self, series: Series) -> dict[int, str]:
        """Positions of the series that may not come in, and why. The others are known from now."""
        with self._lock:
            self._begin_hour()
            new = np.flatnonzero(~self._known.has(series.identity))
            if not len(new):
                return {}
            first = np.sort(new[np.unique(series.identity[new], return_index=True)[1]])
            refused, reasons = self._refuse(series, first)
            self._known.add(series.identity[first[~refused]])
            return _at_all(series.identity, new, first[refused], reasons)

    def known(self) -> Hashes:
        """What is known, those seen longest ago first; to be kept for the next process."""
        with self._lock:
            return self._known.all()

    def restore(self, hashes: Hashes) -> None:
        """These are known from a former process, and need no allowance: see `known`."""
        with self._lock:
            self._known.restore(hashes)

    @property
    def known_count(self) -> int:
        """Hashes held in memory."""
        return len(self._known)

    def _begin_hour(self) -> None:
        hour = int(self._clock.now() // 3600)
        if hour != self._hour:
            self._hour = hour
            self._new_counts.clear()
            self._worst_tag.clear()

    def _refuse(
        self, series: Series, new: NDArray[np.int64]
    ) -> tuple[NDArray[np.bool_], list[str]]:
        """Which of the new series are too many, and the reason for each of these, in order.

        A runaway tag may be the tenant itself, so nothing here is done for each tenant but looking
        up its account.
        """
        tenants = series.tenant(new)
        names, tenant = np.unique(np.array(tenants, object), return_inverse=True)
        accounts, of_tenant = _numbered(self._accounts(names.tolist()))
        account = of_tenant[tenant]
        counts = np.array([self._new_counts.get(name, 0) for name in accounts])
        rank = _rank_within(account)
        refused = rank >= np.maximum(self._limit - counts, 0)[account]
        added = np.bincount(account[~refused], minlength=len(accounts))
        self._new_counts.update(zip(accounts, (counts + added).tolist(), strict=True))
        reasons = {
            int(code): self._reason(accounts[code], series.tags(new[account == code]))
            for code in np.unique(account[refused])[:MAX_TOLD]
        }
        told = account[refused].tolist()
        return refused, [reasons.get(code) or self._other_reason() for code in told]

    def _accounts(self, tenants: list[str]) -> list[str | None]:
        """Where each of these distinct tenants is counted: by its name while there is room."""
        room = max(self._max_tenants - len(self._new_counts), 0)
        known = self._new_counts
        fresh = set(islice((name for name in tenants if name not in known), room))
        return [name if name in known or name in fresh else None for name in tenants]

    def _reason(self, account: str | None, tags: Sequence[str]) -> str:
        """Names the tag that varied most in any body of this hour: a later one may bring few."""
        found = most_varied_tag(tags)
        earlier = self._worst_tag.get(account, found)
        worst, value_count = max(earlier, found, key=lambda told: told[1])
        self._worst_tag[account] = worst, value_count
        if account is None:
            return (
                f"tag {worst} has {value_count:,} different values among the new series of one "
                f"body, and customers beyond the first {self._max_tenants:,} with new series in "
                f"an hour share {self._limit:,} of them: is {worst} an id? send it as a field"
            )
        return (
            f"tag {worst} of customer {account or '(none)'} has {value_count:,} different values "
            f"among the new series of one body, and a customer may have {self._limit:,} new "
            f"series an hour: send {worst} as a field instead"
        )

    def _other_reason(self) -> str:
        return (
            f"a customer may have {self._limit:,} new series an hour: send what varies from line "
            "to line as a field"
        )


def _numbered(accounts: list[str | None]) -> tuple[list[str | None], NDArray[np.int64]]:
    """The distinct ones, and for each the number of its own."""
    numbers: dict[str | None, int] = {}
    codes = [numbers.setdefault(account, len(numbers)) for account in accounts]
    return list(numbers), np.array(codes, np.int64)


def _rank_within(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many of the same group stand before each [n]."""
    order = np.argsort(groups, kind="stable")
    sizes = np.bincount(groups)
    first = np.repeat(np.cumsum(sizes) - sizes, sizes)
    rank = np.empty(len(groups), np.int64)
    rank[order] = np.arange(len(groups)) - first
    return rank


def _at_all(
    identity: Hashes, new: NDArray[np.int64], refused: NDArray[np.int64], reasons: list[str]
) -> dict[int, str]:
    """The reasons also for those positions that have the same series as a refused one."""
    if not len(refused):
        return {}
    order = np.argsort(identity[refused])
    hashes = identity[refused][order]
    out = new[np.isin(identity[new], hashes)]
    at = order[np.searchsorted(hashes, identity[out])]
    return {place: reasons[which] for place, which in zip(out.tolist(), at.tolist(), strict=True)}


def most_varied_tag(tags: Sequence[str]) -> tuple[str, int]:
    """The tag with most distinct values in these canonical tag sets, and how many it has."""
    values: dict[str, set[str]] = {}
    for line in tags:
        for pair in _TAG_SEPARATOR.split(line) if "\\" in line else line.split(","):
            name, _, value = pair.partition("=")
            values.setdefault(name, set()).add(value)
    if not values:
        return "(none)", 0
    worst = max(values, key=lambda name: len(values[name]))
    return worst, len(values[worst])


class _Known:
    """A bounded set of hashes that answers for whole arrays."""

    def __init__(self, generation_series: int) -> None:
        self._generation_series = generation_series
        self._front = np.zeros(_FRONT_SLOTS, np.uint64)
        self._newer: Hashes = np.zeros(0, np.uint64)
        self._older: Hashes = np.zeros(0, np.uint64)

    def __len__(self) -> int:
        return len(self._newer) + len(self._older)

    def all(self) -> Hashes:
        """All of them, the older generation first."""
        return np.concatenate([self._older, self._newer])

    def restore(self, hashes: Hashes) -> None:
        """Start with these, as `all` gave them; of too many the last ones."""
        for part in np.array_split(hashes[-2 * self._generation_series :], 2):
            self.add(part)

    def has(self, hashes: Hashes) -> NDArray[np.bool_]:
        """Which are in it; the front answers for nearly all in one step."""
        known: NDArray[np.bool_] = self._front[self._slots(hashes)] == hashes
        missing = np.flatnonzero(~known)
        if len(missing):
            asked = hashes[missing]
            in_newer, in_older = contains(self._newer, asked), contains(self._older, asked)
            known[missing] = in_newer | in_older
            self.add(asked[in_older & ~in_newer])
            self._front[self._slots(asked[in_newer])] = asked[in_newer]
        return known

    def add(self, hashes: Hashes) -> None:
        """Take them in; when that makes a generation full, the older one goes."""
        if not len(hashes):
            return
        hashes = np.unique(hashes)
        self._newer = np.insert(self._newer, np.searchsorted(self._newer, hashes), hashes)
        self._front[self._slots(hashes)] = hashes
        if len(self._newer) > self._generation_series:
            self._older, self._newer = self._newer, np.zeros(0, np.uint64)
            self._front[:] = 0

    @staticmethod
    def _slots(hashes: Hashes) -> NDArray[np.int64]:
        return (hashes & np.uint64(_FRONT_SLOTS - 1)).astype(np.int64)
