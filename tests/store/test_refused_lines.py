"""The lines that were refused, as the store remembers them; and which bodies it knows."""

from __future__ import annotations

from tests.store.lines import NOW, body

from streamgauge.model.batch import RejectedLine
from streamgauge.model.refusal import RefusedLine
from streamgauge.store import Store


def test_refused_lines_are_told_newest_first_of_one_customer_or_of_all(store: Store) -> None:
    for age_s, tenant in ((300.0, "acme"), (20.0, "acme"), (10.0, "ze'ta")):
        line = RejectedLine(3, f"line of {age_s:g}", "it is bad", tenant)
        store.write(body(rejected=[line]), None, NOW - age_s)
    assert store.flush(30)
    told = store.refused_lines(None, NOW - 100, 10)
    assert [line.line for line in told] == ["line of 10", "line of 20"]
    assert store.refused_lines("acme", NOW - 1000, 1) == [
        RefusedLine(NOW - 20, "acme", 3, "line of 20", "it is bad")
    ]
    assert [line.line for line in store.refused_lines("ze'ta", 0, 10)] == ["line of 10"]
    assert store.refused_lines("", 0, 10) == []


def test_a_body_is_known_once_it_was_kept(store: Store) -> None:
    key = b"limits: a body of its own"
    assert not store.knows(key)
    store.write(body(messages=[{"at": NOW}]), key, NOW)
    assert store.knows(key)
    assert not store.write(body(messages=[{"at": NOW}]), key, NOW)
