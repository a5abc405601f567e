"""What detection is fed, given from one process to another."""

from __future__ import annotations

import pyarrow as pa

from streamgauge.model.feed import Delta, History
from streamgauge.web.record_files import pack_delta, pack_history, unpack_delta, unpack_history


def _tag(*words: str) -> pa.Array:
    return pa.array(words).dictionary_encode()


MINUTES = pa.concat_tables(
    [
        pa.table({"minute": [1, 2], "tenant": _tag("acme", "beta")}),
        pa.table({"minute": [3], "tenant": _tag("gamma")}),
    ]
)
QUEUES = pa.table({"minute": [2], "queue": _tag("orders"), "backlog": [7.0]})


def test_minutes_come_out_as_they_went_in() -> None:
    told = unpack_delta(pack_delta(Delta(MINUTES, QUEUES, 99)))
    assert told.minutes.to_pylist() == MINUTES.to_pylist()
    assert told.queues.to_pylist() == QUEUES.to_pylist()
    assert (told.newest_ns, told.routers, told.latencies) == (99, None, None)


def test_the_past_comes_out_as_it_went_in() -> None:
    hours = pa.table({"hour": [5], "tenant": _tag("acme")})
    recent = Delta(MINUTES, QUEUES, 99, routers=QUEUES, latencies=hours)
    past = History(hours, recent, 60, pa.array([1, 4]), routers=hours, latencies=None)
    told = unpack_history(pack_history(past))
    assert told.hours.to_pylist() == hours.to_pylist()
    assert told.recent.routers is not None
    assert told.recent.routers.to_pylist() == QUEUES.to_pylist()
    assert told.recent_from_minute == 60
    assert told.seen_minutes.to_pylist() == [1, 4]
    assert told.routers is not None
    assert told.latencies is None
