"""Detection's feed through the engine: each segment once, in whichever process it went in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from tests.store.lines import NOW, body

from streamgauge.model.clock import SimulatedClock
from streamgauge.model.feed import Delta
from streamgauge.store import Store, StoreSettings
from streamgauge.store.writer.changes import GAP_PATIENCE_MS, ChangeFeed, ChangeLog
from streamgauge.store.writer.feed import EMPTY
from streamgauge.store.writer.sharing import Sharing

pytestmark = pytest.mark.chdb
SETTINGS = StoreSettings(segment_max_wait_s=0.001, rollup_wait_s=0)


class ClaimedBy:
    """Claims in memory: what `others` is given was inserted elsewhere."""

    def __init__(self) -> None:
        self.others: set[bytes] = set()
        self.keys: list[bytes] = []

    def claim_bodies(self, bodies: Sequence[tuple[bytes, int]]) -> set[int]:
        self.keys += [key for key, _ in bodies]
        return {number for key, number in bodies if key not in self.others}


@pytest.fixture(scope="module")
def claims() -> ClaimedBy:
    return ClaimedBy()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, claims: ClaimedBy) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("shared")
    sharing = Sharing(claims, migrates=True)
    store = Store(f"chdb://{folder}/engine", folder, SimulatedClock(NOW), SETTINGS, sharing)
    store.open()
    yield store
    store.close()


@pytest.fixture
def store(shared: Store) -> Store:
    for name in ("changes", "minute", "messages", "hour", "day", "seen_minute", "last_seen"):
        shared._engine.command(f"TRUNCATE TABLE {name}")
    shared.history(NOW)
    return shared


def counts(delta: Delta | None) -> dict[str, int]:
    assert delta is not None
    rows = delta.minutes
    return dict(
        zip(rows.column("tenant").to_pylist(), rows.column("count").to_pylist(), strict=True)
    )


def append(store: Store, log: ChangeLog, delta: Delta, token: str) -> None:
    store._engine.insert("changes", log.row(delta, token), token)


def send(store: Store, tenant: str, count: int, key: bytes | None = None) -> None:
    rows = [{"at": NOW - 90, "tenant": tenant, "count": count}]
    store.write(
        body(messages=rows, queue=[{"at": NOW - 90, "queue": "q", "backlog": 3.0}]), key, NOW
    )
    assert store.flush(10)


def test_what_went_in_is_taken_once(store: Store) -> None:
    send(store, "acme", 2)
    send(store, "beta", 3)
    came = store.take()
    assert counts(came) == {"acme": 2, "beta": 3}
    assert came is not None
    assert came.queues.column("backlog").to_pylist() == [3.0]
    assert store.take() == EMPTY
    send(store, "acme", 5)
    assert counts(store.take()) == {"acme": 5}


def test_what_is_in_the_history_is_not_taken_again(store: Store) -> None:
    send(store, "acme", 2)
    assert counts(store.history(NOW).recent) == {"acme": 2}
    assert store.take() == EMPTY


def test_another_writer_s_segments_are_taken_too_and_a_repeated_one_once(store: Store) -> None:
    send(store, "acme", 2)
    one = store.take()
    assert one is not None
    log = ChangeLog()
    append(store, log, one, "t1")
    append(store, log, one, "t2")
    append(store, ChangeLog(), one, "t1")  # by the writer's next life: the engine knows the token
    assert counts(store.take()) == {"acme": 4}


def test_a_missing_segment_is_waited_for_and_then_history_is_asked(store: Store) -> None:
    send(store, "acme", 2)
    one = store.take()
    assert one is not None
    log = ChangeLog()
    append(store, log, one, "n1")
    late = log.row(one, "n2")
    append(store, log, one, "n3")
    assert counts(store.take()) == {"acme": 4}, "the third does not wait for the second"
    store._engine.insert("changes", late, "n2")
    assert counts(store.take()) == {"acme": 2}, "it may come late"
    log.row(one, "n4")
    append(store, log, one, "n5")
    assert counts(store.take()) == {"acme": 2}
    for run in store._telling._changes._runs.values():
        run.missing_since_ms -= GAP_PATIENCE_MS if run.missing_since_ms else 0
    assert store.take() is None
    assert store.take() is None, "until history was read"
    store.history(NOW)
    assert store.take() == EMPTY


def test_too_much_at_once_is_read_from_history(store: Store) -> None:
    feed, log = ChangeFeed(max_rows=2), ChangeLog()
    assert feed.take(store._engine) is None, "history comes first"
    feed.restart(store._engine)
    for number in range(3):
        append(store, log, EMPTY, f"many{number}")
    assert feed.take(store._engine) is None


def test_a_body_that_another_receiver_inserted_counts_there(
    store: Store, claims: ClaimedBy
) -> None:
    claims.keys.clear()
    send(store, "acme", 2, b"sent twice")
    (key,) = claims.keys
    claims.others.add(key)
    journal = store._parts.opened_journal()
    journal.keys = _Nothing(journal.keys)  # type: ignore[assignment]
    send(store, "acme", 2, b"sent twice")
    send(store, "acme", 1, b"another")
    claims.others.clear()
    assert counts(store.take()) == {"acme": 3}


class _Nothing:
    """A receiver that has not seen what another one has."""

    def __init__(self, keys: object) -> None:
        self._keys = keys

    def __contains__(self, key: bytes) -> bool:
        return False

    def __getattr__(self, name: str) -> object:
        return getattr(self._keys, name)
