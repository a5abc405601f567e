"""Which failing customers of one integration have one cause: one onset, and one reason."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from streamgauge.detect.arrays import Ints
from streamgauge.detect.error_words import is_customers_own
from streamgauge.detect.failing import Failing
from streamgauge.detect.levels import Levels, Names
from streamgauge.detect.reasons import Reasons

SAME_ONSET_S = 3600.0
_LEAST_TOGETHER, _LEAST_OF_OWN = 2, 3
"""Customers that make an incident of their integration."""


class Kin:
    """Compares failing deliveries."""

    def __init__(
        self,
        open_: Mapping[int, Failing],
        well: Mapping[int, Failing],
        levels: Levels,
        reasons: Reasons,
    ) -> None:
        self._open, self._well = open_, well
        self._levels, self._reasons = levels, reasons
        self._reasons_of: dict[int, str] = {}

    def together(self, members: list[int], one: int) -> list[int]:
        """Those that began within an hour of one, and fail for no other reason."""
        since, why = self._open[one].since, self._reason(one)
        return [
            m
            for m in members
            if abs(self._open[m].since - since) <= SAME_ONSET_S
            and (m == one or not why or self._reason(m) in {"", why})
        ]

    def is_several(self, members: list[int]) -> bool:
        """Whether that many are no chance; keys and messages are each customer's own."""
        is_own = bool(members) and all(is_customers_own(self._reason(m)) for m in members)
        return len(members) >= (_LEAST_OF_OWN if is_own else _LEAST_TOGETHER)

    def _reason(self, delivery: int) -> str:
        """What most messages of a failing delivery fail for."""
        failing = self._open.get(delivery) or self._well[delivery]
        if failing.new_reason or failing.reason:
            return failing.new_reason or failing.reason
        if delivery not in self._reasons_of:
            flows = flows_of(self._levels, [self._levels.groups[delivery]])
            top = self._reasons.top(flows, int(failing.since // 60))
            self._reasons_of[delivery] = top[0][0] if top else ""
        return self._reasons_of[delivery]

    def of_incident(self, integration: int, members: list[int]) -> list[int]:
        """Failing customers that belong to the told incident of their integration."""
        well = [m for m in self._levels.members.get(integration) if m in self._well]
        known = [self._open.get(m) or self._well[m] for m in (*members, *well)]
        if not known:
            return []
        first = min(known, key=lambda failing: failing.since)
        why = self._reason(first.group)
        return [
            m
            for m in members
            if (self._open[m].since - first.since <= SAME_ONSET_S and self._reason(m) in {"", why})
            or (self._reason(m) == why and why and not is_customers_own(why))
        ]


def flows_of(levels: Levels, wanted: list[Names]) -> Ints:
    """The numbers of all flows of some groups."""
    flows = [levels.flows_within(scope) for scope in {names.scope for names in wanted}]
    return np.unique(np.concatenate(flows)).astype(np.int32)
