"""What is known of each router: when it reported, and which flows came through it.

Arrays by router and flow, bounded: a router beyond those that are kept, or a flow beyond, is not
watched, and is judged as if no router had been named. Reports are counted, not messages: a line
that stands for a thousand messages came one way. Of each flow the last 16 reports or the last hour,
whichever is more, make up half of what is known, so that a flow that moved to another router is
known to have moved, and one of three messages a day is not taken to have.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from streamgauge.detect.arrays import Bools, Floats, Ints, grown
from streamgauge.detect.arrivals import EARLIEST_HOUR
from streamgauge.detect.levels import Levels

MAX_ROUTERS = 256
MAX_CELLS = 4_000_000
"""Routers x flows: two arrays of four bytes each."""
GAPS_KEPT = 64
STALE_S = 1800.0
"""What is stamped so long before others is history that is being loaded."""
UNKNOWN_INTERVAL_S = 60.0
_USUAL = 0.95
_HALF_LIFE_S = 3600.0
_HALF_LIFE_REPORTS = 16.0
_FORGET_S = 2 * 86_400.0
"""A router that was not heard of for so long makes room when room is needed."""


class RouterTable:
    """Rows are routers; a row is used again when its router was long gone."""

    def __init__(self, levels: Levels) -> None:
        self._levels = levels
        self.names: list[str] = []
        """By row; empty: the row is free."""
        self._row_of: dict[str, int] = {}
        self.first_s: Floats = np.zeros(0)
        self.last_s: Floats = np.zeros(0)
        """Epoch seconds [routers] of the first and the newest report."""
        self.gaps_s: Floats = np.zeros((0, GAPS_KEPT))
        """Seconds [routers, last gaps] between reports; NaN where there was none yet."""
        self._next_gap: Ints = np.zeros(0, np.int64)
        self.has_pulse: Bools = np.zeros(0, bool)
        """[routers]: it reports also when nobody sends: lines that are no messages."""
        self.is_live: Bools = np.zeros(0, bool)
        """[routers]: its newest report came about when it was stamped, not as a part of history."""
        self._through: Floats = np.zeros((0, 0), np.float32)
        """Reports [routers, flows] of a flow that came through a router, recent ones weigh more."""
        self._since: Floats = np.zeros((0, 0), np.float32)
        """The same of all reports of the flow since it first came through that router."""
        self._newest_s = 0.0
        self.version = 0

    @property
    def is_empty(self) -> bool:
        """Whether no router was ever named."""
        return not self._row_of

    def observe(self, table: pa.Table) -> None:
        """Add rows of ROUTERS_COLUMNS; their flows are known by the minutes told beside them."""
        table = table.filter(pa.array(table["minute"].to_numpy() >= EARLIEST_HOUR * 60))
        if not table.num_rows:
            return
        last_s = table["last_ns"].to_numpy() / 1e9
        newest_s = float(last_s.max())
        passed_s = max(newest_s - self._newest_s, 0.0) if self._newest_s else 0.0
        self._newest_s = max(self._newest_s, newest_s)
        routers, is_flow = self._routers(table), _is_flow(table)
        self._note_reports(routers, last_s, is_flow)
        self._add(table, routers, is_flow, passed_s)

    def learn(self, table: pa.Table) -> None:
        """Add rows of ROUTER_HOURS_COLUMNS, oldest hour first."""
        hours = table["hour"].to_numpy()
        table = table.filter(pa.array(hours >= EARLIEST_HOUR))
        hours, bits = table["hour"].to_numpy(), table["minutes"].to_numpy()
        last_s = table["last_ns"].to_numpy() / 1e9
        for hour in np.unique(hours):
            at = np.flatnonzero(hours == hour)
            part = table.take(pa.array(at))
            routers, is_flow = self._routers(part), _is_flow(part)
            self._note_minutes(int(hour), routers, bits[at], last_s[at], is_flow)
            weights = np.bitwise_count(bits[at]).astype(np.float32)
            self._add(part, routers, is_flow, 3600.0, weights)
            self._newest_s = max(self._newest_s, float(last_s[at].max()))

    def only_through(self, router: int, share: float, least: float) -> Ints:
        """Flows of which this share came through a router since they first did.

        Args:
            router: its row.
            share: 0 … 1.
            least: reports that must be known of such a flow.
        """
        through, since = self._through[router], self._since[router]
        return np.flatnonzero((since >= least) & (through >= share * since))

    def through(self, router: int) -> Ints:
        """Flows of which anything came through a router."""
        return np.flatnonzero(self._through[router] > 0.0)

    def usual_s(self) -> Floats:
        """The usual time [rows] between reports."""
        gaps = np.sort(self.gaps_s, axis=1)  # NaN last
        known = (~np.isnan(gaps)).sum(axis=1)
        at = np.maximum(np.ceil(_USUAL * known).astype(np.int64) - 1, 0)
        usual = gaps[np.arange(len(gaps)), at]
        # Of few reports the habit is not known.
        return np.asarray(np.where(known >= 5, usual, np.fmax(usual, UNKNOWN_INTERVAL_S)))

    def rows(self) -> Ints:
        """Those in use."""
        return np.array(sorted(self._row_of.values()), np.int64)

    def find(self, name: str) -> int | None:
        """The row of a router."""
        return self._row_of.get(name)

    def _routers(self, table: pa.Table) -> Ints:
        """The row of each table row's router; a dictionary may hold words that do not occur."""
        column = table["router"].combine_chunks()
        coded = column.cast(pa.string()).dictionary_encode()
        rows = np.array([self._row(name) for name in coded.dictionary.to_pylist()], np.int64)
        return np.asarray(rows[coded.indices.to_numpy(zero_copy_only=False)])

    def _row(self, name: str) -> int:
        """Its row, a new one where it has none; -1: there is no room, or no name."""
        row = self._row_of.get(name)
        if row is not None or not name:
            return -1 if row is None else row
        row = self._free_row()
        if row < 0:
            return -1
        self.names[row], self._row_of[name] = name, row
        self.first_s[row], self.last_s[row] = np.inf, -np.inf
        self.gaps_s[row], self._next_gap[row], self.has_pulse[row] = np.nan, 0, False
        self.is_live[row] = True
        self._through[row] = self._since[row] = 0.0
        self.version += 1
        return row

    def _free_row(self) -> int:
        if len(self.names) < MAX_ROUTERS:
            self.names.append("")
            self._make_room(len(self.names), self._through.shape[1])
            return len(self.names) - 1
        oldest = int(self.last_s[: len(self.names)].argmin())
        if self.last_s[oldest] > self._newest_s - _FORGET_S:
            return -1
        del self._row_of[self.names[oldest]]
        return oldest

    def _make_room(self, routers: int, flows: int) -> None:
        self.first_s = grown(self.first_s, routers, np.inf)
        self.last_s = grown(self.last_s, routers, -np.inf)
        self.gaps_s = grown(self.gaps_s, routers, np.nan)
        self._next_gap = grown(self._next_gap, routers, 0)
        self.has_pulse = grown(self.has_pulse, routers, 0)
        self.is_live = grown(self.is_live, routers, 1)
        wanted = min(flows, MAX_CELLS // MAX_ROUTERS)
        shape = (max(routers, self._through.shape[0]), max(wanted, self._through.shape[1]))
        if shape != self._through.shape:
            shape = (len(self.last_s), shape[1] if shape[1] <= 64 else _doubled(shape[1]))
            self._through, self._since = _larger(self._through, shape), _larger(self._since, shape)

    def _note_reports(self, routers: Ints, last_s: Floats, is_flow: Bools) -> None:
        known = routers >= 0
        newest = np.full(len(self.names), -np.inf)
        np.maximum.at(newest, routers[known], last_s[known])
        np.minimum.at(self.first_s, routers[known], last_s[known])
        self.has_pulse[np.unique(routers[known & ~is_flow])] = True
        for row in np.flatnonzero(newest > self.last_s[: len(newest)]):
            self._note_gap(int(row), float(newest[row] - self.last_s[row]))
            self.last_s[row] = newest[row]
            self.is_live[row] = newest[row] >= self._newest_s - STALE_S

    def _note_minutes(
        self, hour: int, routers: Ints, bits: Ints, last_s: Floats, is_flow: Bools
    ) -> None:
        """Gaps between the minutes of an hour in which a router reported."""
        for row in np.unique(routers[routers >= 0]):
            mine = routers == row
            active = np.bitwise_or.reduce(bits[mine])
            minutes = np.flatnonzero((active >> np.arange(60, dtype=np.uint64)) & np.uint64(1))
            first = 60.0 * (60 * hour + int(minutes[0]))
            if np.isfinite(self.last_s[row]):
                self._note_gap(int(row), first - 60.0 * (self.last_s[row] // 60.0))
            for gap in np.diff(minutes)[-GAPS_KEPT:]:
                self._note_gap(int(row), 60.0 * float(gap))
            self.first_s[row] = min(self.first_s[row], first)
            self.last_s[row] = max(self.last_s[row], float(last_s[mine].max()))
            self.has_pulse[row] |= bool((mine & ~is_flow).any())

    def _note_gap(self, row: int, gap_s: float) -> None:
        if np.isfinite(gap_s) and gap_s > 0.0:
            self.gaps_s[row, self._next_gap[row] % GAPS_KEPT] = gap_s
            self._next_gap[row] += 1

    def _add(
        self,
        table: pa.Table,
        routers: Ints,
        is_flow: Bools,
        passed_s: float,
        weights: Floats | None = None,
    ) -> None:
        """Count reports by router and flow."""
        at = np.flatnonzero(is_flow)
        if not len(at):
            return
        flows = self._levels.locate(table.take(pa.array(at)))
        self._make_room(len(self.names), len(self._levels.flows))
        told = np.ones(len(at), np.float32) if weights is None else weights[at]
        known = flows < self._through.shape[1]
        flows, rows, told = flows[known], routers[at][known], told[known]
        touched, place = np.unique(flows, return_inverse=True)
        came = np.bincount(place, told, len(touched)).astype(np.float32)
        lives = np.minimum(passed_s / _HALF_LIFE_S, came / _HALF_LIFE_REPORTS)
        kept = np.exp2(-lives).astype(np.float32)
        self._through[:, touched] *= kept
        named = rows >= 0
        np.add.at(self._through, (rows[named], flows[named]), told[named])
        is_carried = self._through[:, touched] > 0.0
        self._since[:, touched] = np.where(is_carried, self._since[:, touched] * kept + came, 0.0)


def _is_flow(table: pa.Table) -> Bools:
    """Which rows tell of messages, and not of a router's life alone."""
    return np.asarray(table["count"].to_numpy() > 0)


def _doubled(size: int) -> int:
    return min(1 << (size - 1).bit_length(), MAX_CELLS // MAX_ROUTERS)


def _larger(array: Floats, shape: tuple[int, int]) -> Floats:
    larger = np.zeros(shape, array.dtype)
    larger[: array.shape[0], : array.shape[1]] = array
    return larger
