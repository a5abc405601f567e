"""How many flows are watched one by one; a runaway tag must not use up everybody's memory."""

from __future__ import annotations

import numpy as np

from streamgauge.detect.arrays import Bools, Ints, first_seen, grown

MAX_FLOWS_PER_TENANT = 20_000
MAX_TENANTS = 50_000


class FlowLimits:
    """Counts flows by tenant."""

    def __init__(self, max_flows: int, max_tenants: int) -> None:
        self._max_flows, self._max_tenants = max_flows, max_tenants
        self._flow_counts: Ints = np.zeros(64, np.int32)
        """By number of the tenant; 0: it is not watched."""
        self._tenant_count = 0
        self.unwatched_count = 0
        """Flows that are not watched one by one."""

    def watched(self, tenants: Ints) -> tuple[Bools, Bools]:
        """Which new flows count in their tenant, and which in all of their levels.

        Args:
            tenants: the number [n] of each new flow's tenant, in the order they are first seen.
        """
        size = int(tenants.max()) + 1
        counts = self._flow_counts = grown(self._flow_counts, size, 0)
        is_of_tenant = (counts > 0)[tenants] | self._is_admitted(tenants, counts)
        order = np.argsort(tenants, kind="stable")
        ordered = tenants[order]
        rank = np.empty(len(tenants), np.int64)
        rank[order] = np.arange(len(tenants)) - np.searchsorted(ordered, ordered)
        is_whole = is_of_tenant & (counts[tenants] + rank < self._max_flows)
        counts[:size] += np.bincount(tenants[is_of_tenant], minlength=size).astype(counts.dtype)
        self.unwatched_count += int(np.count_nonzero(~is_whole))
        return is_of_tenant, is_whole

    def _is_admitted(self, tenants: Ints, counts: Ints) -> Bools:
        """Which [n] belong to a tenant never seen, for which there is room."""
        fresh = first_seen(tenants[counts[tenants] == 0])[0]
        admitted = fresh[: max(self._max_tenants - self._tenant_count, 0)]
        self._tenant_count += len(admitted)
        return np.isin(tenants, admitted)
