"""Hours of some rows: what their flows counted, in whatever order it came."""

from __future__ import annotations

import numpy as np

from fleet import Sender, make
from streamgauge.detect.arrivals import Locator
from streamgauge.detect.levels import Levels
from streamgauge.detect.sums import Sums
from streamgauge.model.flow import Flow

MINUTES = 4 * 60


def senders() -> list[Sender]:
    return [
        Sender(Flow(f"t{n % 3}", f"s{n % 2}", f"i{n % 4}", "main", stage), 40.0 + n)
        for n in range(12)
        for stage in ("received", "delivered")
    ]


def test_rows_count_by_hour_what_their_flows_did() -> None:
    fleet = make(senders(), MINUTES).fail([3, 8], 70, 200, 0.4)
    levels = Levels()
    sums, locator = Sums(levels), Locator(levels)
    rows_of, hours_of, counts_of, failed_of = [], [], [], []
    for first in (0, 150, 60):  # not in the order of time
        new = locator.minutes(fleet.delta(first, first + 90).minutes)
        sums.add_minutes(new)
        rows_of.append(new.rows)
        hours_of.append(new.minute // 60)
        counts_of.append(new.counts)
        failed_of.append(np.where(new.has_failed, new.counts, 0.0))
    hours = sums.hours.known()
    size = (int(hours[-1]) + 1 - int(hours[0])), levels.row_count
    expected = np.zeros((2, *size))
    at_hour = np.concatenate(hours_of) - hours[0]
    for rows in np.concatenate(rows_of).T:
        np.add.at(expected[0], (at_hour, rows), np.concatenate(counts_of))
        np.add.at(expected[1], (at_hour, rows), np.concatenate(failed_of))
    every = np.arange(1, levels.row_count)
    counts, failed = sums.hours.series(every, hours)
    assert np.array_equal(counts, expected[0, hours - hours[0], 1:])
    assert np.array_equal(failed, expected[1, hours - hours[0], 1:])
    some = every[[5, 2, 9]]
    assert np.array_equal(sums.hours.series(some, hours[1:3])[0], counts[1:3, some - 1])
    for place, hour in enumerate(hours.tolist()):
        groups = np.unique(levels.row_group[1 + np.flatnonzero(failed[place])])
        assert np.array_equal(sums.hours.failing(hour), groups)
    assert failed.any()
