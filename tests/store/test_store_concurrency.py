"""Many threads at once: every line is counted, and questions are answered meanwhile."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.store.lines import NOW, body

from streamgauge.model.views import Filters
from streamgauge.store import Store

pytestmark = pytest.mark.chdb
WRITERS, BODIES, LINES = 4, 30, 50


def test_lines_of_many_threads_are_all_counted_while_others_ask(store: Store) -> None:
    def send(writer: int) -> int:
        rows = [{"at": NOW + second % 60, "tenant": f"t{writer}"} for second in range(LINES)]
        parsed = body(rows)
        return sum(store.write(parsed, b"%d/%d" % (writer, n), NOW) for n in range(BODIES))

    def ask(_: int) -> list[int]:
        found = [store.overview(NOW, NOW + 60, Filters()).messages or 0 for _ in range(15)]
        assert found == sorted(found), "what was counted stays counted"
        return found

    fed = 0
    with ThreadPoolExecutor(WRITERS + 2) as threads:
        sending = [threads.submit(send, writer) for writer in range(WRITERS)]
        asking = [threads.submit(ask, number) for number in range(2)]
        while not all(future.done() for future in sending):
            delta = store.take()
            assert delta is not None
            fed += sum(delta.minutes.column("count").to_pylist())
        assert sum(future.result() for future in sending) == WRITERS * BODIES
        assert all(future.result()[-1] <= WRITERS * BODIES * LINES for future in asking)
    assert store.flush(30)
    delta = store.take()
    assert delta is not None
    fed += sum(delta.minutes.column("count").to_pylist())
    assert fed == WRITERS * BODIES * LINES
    assert store.overview(NOW, NOW + 60, Filters()).messages == WRITERS * BODIES * LINES


def test_a_retry_sent_twice_at_once_is_kept_once(store: Store) -> None:
    parsed = body([{"at": NOW, "tenant": "acme"}])
    for number in range(20):
        key = b"race %d" % number
        with ThreadPoolExecutor(4) as threads:
            kept = list(threads.map(lambda _, key=key: store.write(parsed, key, NOW), range(4)))
        assert sum(kept) == 1
    assert store.flush(30)
    assert store.overview(NOW, NOW + 60, Filters()).messages == 20
