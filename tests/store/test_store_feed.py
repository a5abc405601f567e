"""What detection is fed, and what it is rebuilt from, on the real engine."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest
from tests.store.lines import NOW, Row, body

from streamgauge.model.feed import Delta
from streamgauge.store import Store, columns

pytestmark = pytest.mark.chdb
MINUTE = int(NOW // 60)


def put(store: Store, *rows: Row, queue: tuple[Row, ...] = ()) -> None:
    store.write(body(rows, queue), None, NOW)
    assert store.flush(30)


def hop(tenant: str, at: float, count: int = 1) -> Row:
    return {"tenant": tenant, "at": NOW + at, "count": count}


def counts(minutes: pa.Table) -> dict[tuple[str, int], int]:
    rows = minutes.to_pylist()
    found = {(row["tenant"], row["minute"] - MINUTE): row["count"] for row in rows}
    assert len(found) == len(rows), "one row a flow and minute"
    return found


def taken(store: Store) -> Delta:
    delta = store.take()
    assert delta is not None
    assert delta.minutes.schema == columns.MINUTES
    assert delta.queues.schema == columns.QUEUES
    return delta


def test_segments_are_summed_until_they_are_taken(store: Store) -> None:
    put(store, hop("a", 0, 2), hop("a", 10, 3), hop("b", 70))
    put(store, hop("a", 30, 4), hop("c", -3600))
    delta = taken(store)
    assert counts(delta.minutes) == {("a", 0): 9, ("b", 1): 1, ("c", -60): 1}
    assert delta.newest_ns == int(NOW + 70) * 10**9
    assert taken(store).minutes.num_rows == 0


def test_last_queue_values_are_merged(store: Store) -> None:
    put(store, queue=({"queue": "q", "at": NOW + 30, "backlog": 3.0},))
    put(store, queue=({"queue": "q", "at": NOW + 10, "backlog": 9.0, "oldest_age_s": 2.0},))
    (row,) = taken(store).queues.to_pylist()
    assert (row["minute"], row["backlog"], row["oldest_age_s"]) == (MINUTE, 3.0, 2.0)
    assert row["in_total"] is None


def test_history_and_feed_hold_every_line_once(store: Store) -> None:
    day = 86_400
    put(store, hop("old", -3 * day, 5), hop("old", -3 * day + 60, 6), hop("recent", -60, 7))
    past = store.history(NOW)
    assert taken(store).minutes.num_rows == 0, "history empties the feed"
    put(store, hop("recent", -60, 1))
    (hour,) = past.hours.to_pylist()
    assert (hour["tenant"], hour["count"], hour["active_minutes"]) == ("old", 11, 2)
    assert hour["hour"] == MINUTE // 60 - 72
    assert past.hours.schema == columns.HOURS
    assert counts(past.recent.minutes) == {("recent", -1): 7}
    assert counts(taken(store).minutes) == {("recent", -1): 1}
    assert past.recent_from_minute == MINUTE - 48 * 60
    seen = [minute - MINUTE for minute in past.seen_minutes.to_pylist()]
    assert seen == [-72 * 60, -72 * 60 + 1, -1]
    assert past.recent.newest_ns == int(NOW - 60) * 10**9


def test_a_look_back_leaves_the_feed_as_it_is(store: Store) -> None:
    put(store, hop("a", -120, 2), hop("a", -30, 3))
    assert counts(store.past(NOW - 60).recent.minutes) == {("a", -2): 2}
    assert counts(taken(store).minutes) == {("a", -2): 2, ("a", -1): 3}
    assert store.past(NOW).recent.minutes.num_rows == 2
    assert taken(store).minutes.num_rows == 0


def test_what_collectors_saw_is_no_report_of_anyone(store: Store) -> None:
    put(store, hop("a", -120))
    row = {"queue": "q", "at": NOW - 30, "router": "broker", "backlog": 3.0}
    up = {"measurement": "up", "tags": "router=r1", "at": NOW - 30, "value": 0.0}
    store.write(replace(body((), (row,), (up,)), is_collected=True), None, NOW)
    assert store.flush(30)
    delta = taken(store)
    assert delta.newest_ns == int(NOW - 120) * 10**9
    assert delta.queues.num_rows == 1
    assert delta.routers is None or not delta.routers.num_rows
    past = store.history(NOW)
    assert past.recent.newest_ns == int(NOW - 120) * 10**9
    assert [minute - MINUTE for minute in past.seen_minutes.to_pylist()] == [-2]
    assert past.recent.queues.num_rows == 1


def test_lines_stamped_ahead_come_after_the_history(store: Store) -> None:
    put(store, hop("a", -60, 2), hop("ahead", 1800, 3))
    past = store.history(NOW)
    assert counts(past.recent.minutes) == {("a", -1): 2}
    assert counts(taken(store).minutes) == {("ahead", 30): 3}


def test_history_tells_last_queue_values(store: Store) -> None:
    put(store, queue=({"queue": "q", "at": NOW - 30, "backlog": 3.0, "consumers": 2.0},))
    put(store, queue=({"queue": "q", "at": NOW - 50, "backlog": 9.0, "oldest_age_s": 2.0},))
    (row,) = store.history(NOW).recent.queues.to_pylist()
    told = {name: row[name] for name in ("minute", "backlog", "oldest_age_s", "consumers")}
    assert told == {"minute": MINUTE - 1, "backlog": 3.0, "oldest_age_s": 2.0, "consumers": 2.0}
    assert row["in_total"] is None


def test_an_empty_store_has_an_empty_history(store: Store) -> None:
    past = store.history(NOW)
    assert (past.hours.num_rows, past.recent.minutes.num_rows, len(past.seen_minutes)) == (0, 0, 0)
    assert past.recent.newest_ns == 0


def test_everything_stored_comes_again_tick_by_tick(store: Store) -> None:
    day = 86_400
    queue = {"queue": "q", "at": NOW + 9, "backlog": 3.0}
    put(store, hop("a", 0, 2), hop("a", 9.5, 3), hop("a", 10, 4), hop("b", 5 * day), queue=(queue,))
    slices = list(store.replay_slices(NOW, NOW + 6 * day, 10))
    assert [end - NOW for end, _ in slices] == [10, 20, 5 * day + 10]
    assert [counts(delta.minutes) for _, delta in slices] == [
        {("a", 0): 5},
        {("a", 0): 4},
        {("b", 5 * 24 * 60): 1},
    ]
    assert [delta.queues.num_rows for _, delta in slices] == [1, 0, 0]
    assert slices[0][1].newest_ns == round((NOW + 9.5) * 10**9)
    assert slices[0][1].minutes.schema == columns.MINUTES


def test_ticks_that_do_not_divide_an_hour_still_tell_every_row_once(store: Store) -> None:
    put(store, *(hop("a", 37 * number) for number in range(500)))
    slices = list(store.replay_slices(NOW - 7, NOW + 500 * 37, 49))
    ends = [end for end, _ in slices]
    assert ends == sorted(set(ends))
    told = sum(sum(counts(delta.minutes).values()) for _, delta in slices)
    assert told == 500
