"""What is remembered of a week's hours never differs from looking through them again."""

from __future__ import annotations

from streamgauge.model.views import Filters
from streamgauge.store.queries.capacity import CapacityMemory

ALL, ACME = Filters(), Filters(tenant="acme")


def test_an_hour_is_known_while_it_holds_as_many_lines() -> None:
    memory = CapacityMemory()
    memory.known(ALL, 3, {1: 10, 2: 20})
    memory.keep(ALL, 3, {1: 10, 2: 20}, {1: 600, 2: 0})
    assert memory.known(ALL, 3, {1: 10, 2: 20}) == {1: 600, 2: 0}
    assert memory.known(ALL, 3, {1: 10, 2: 21}) == {1: 600}, "a late line came into hour 2"
    assert memory.known(ACME, 3, {1: 10}) == {}, "other filters have other hours"


def test_a_new_flow_may_change_what_ends_messages_in_every_hour() -> None:
    memory = CapacityMemory()
    memory.known(ALL, 3, {1: 10})
    memory.keep(ALL, 3, {1: 10}, {1: 600})
    assert memory.known(ALL, 4, {1: 10}) == {}
    memory.keep(ALL, 3, {1: 10}, {1: 600})
    assert memory.known(ALL, 4, {1: 10}) == {}, "found before the new flow was there"
