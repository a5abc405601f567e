"""The outbox worked off against a real database and a real receiver."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from random import Random

import httpx
import pytest
from structlog.testing import capture_logs
from tests.alert.incident_world import finding
from tests.page.http_receiver import Answer, Receiver
from tests.state.incident_story import turn

from streamgauge.model.clock import SimulatedClock
from streamgauge.model.errors import NotifyError, StoreError
from streamgauge.model.finding import Finding
from streamgauge.model.incident import Incident
from streamgauge.model.notification import DeliveryState, Notification
from streamgauge.model.words import Severity
from streamgauge.page.delivery import Delivery, DeliverySettings
from streamgauge.page.notifiers.base import Notifier, Receipt
from streamgauge.page.notifiers.opsgenie import Opsgenie, OpsgenieSettings
from streamgauge.state.state import State

CREATED = "POST /v2/alerts"


def deliver(
    state: State, url: str, clock: SimulatedClock, now: float, timeout_s: float = 5.0
) -> int:
    """One turn at `now`, by a process that has just started."""
    clock.move_to(now)

    async def main() -> int:
        async with httpx.AsyncClient() as client:
            notifiers = {"pager": Opsgenie(OpsgenieSettings(url, "k3y"), client)}
            return await worker(state, notifiers, clock, timeout_s).run_once(now)

    return asyncio.run(main())


def worker(
    state: State,
    notifiers: Mapping[str, Notifier],
    clock: SimulatedClock,
    timeout_s: float = 5.0,
    owner: str = "one",
) -> Delivery:
    settings = DeliverySettings(timeout_s=timeout_s, every_s=0.01)
    return Delivery(state, notifiers, clock, owner=owner, settings=settings, random=Random(1))


def statuses(state: State) -> list[str]:
    (incident,) = state.list_incidents()
    return [f"{one.action} {one.state}" for one in state.list_notifications(incident.id)]


def detect(state: State, now: float, findings: Sequence[Finding]) -> None:
    turn(state, now, findings)


def test_one_incident_is_one_alert_and_closed_when_messages_come_back(
    state: State, state_url: str, clock: SimulatedClock, receiver: Receiver
) -> None:
    detect(state, 1_000, [finding()])
    assert deliver(state, receiver.url, clock, 1_000) == 1
    for now in range(1_010, 1_100, 10):
        detect(state, now, [finding()])
        assert deliver(state, receiver.url, clock, now) == 0
    state.close()

    again = State(state_url, clock)
    again.open()
    detect(again, 2_000, [finding()])
    assert deliver(again, receiver.url, clock, 2_000) == 0
    assert receiver.what == [CREATED]

    detect(again, 2_010, [finding(over="messages came back")])
    assert deliver(again, receiver.url, clock, 2_010) == 1
    assert deliver(again, receiver.url, clock, 90_000) == 0
    incident_id = receiver.taken[0].body["alias"]
    assert receiver.what == [CREATED, f"POST /v2/alerts/{incident_id}/close"]
    assert receiver.taken[1].body["note"] == "messages came back"
    again.close()


def test_what_was_applied_before_a_stop_is_delivered_once_after_it(
    state: State, state_url: str, clock: SimulatedClock, receiver: Receiver
) -> None:
    detect(state, 1_000, [finding()])
    state.close()
    again = State(state_url, clock)
    again.open()
    assert deliver(again, receiver.url, clock, 1_050) == 1
    assert deliver(again, receiver.url, clock, 9_000) == 0
    assert receiver.what == [CREATED]
    again.close()


def test_killed_between_sending_and_writing_it_down_repeats_the_same_alias(
    state: State, clock: SimulatedClock, receiver: Receiver
) -> None:
    detect(state, 1_000, [finding()])
    state.claim_due(1_000, 10, 60.0, "killed")
    assert deliver(state, receiver.url, clock, 1_059) == 0
    assert deliver(state, receiver.url, clock, 1_060) == 1
    assert len({one.body["alias"] for one in receiver.taken}) == 1


RETRIES: dict[str, tuple[Answer, float, str]] = {
    "an error of the server": (Answer(500, "oh"), 5.0, "127.0.0.1 answered 500: oh"),
    "too many requests": (Answer(429, "", {"Retry-After": "40"}), 40.0, "127.0.0.1 answered 429: "),
    "no answer in time": (Answer(hangs=True), 5.0, "no answer within 0.3 s"),
}


@pytest.mark.parametrize(("answer", "wait_s", "error"), RETRIES.values(), ids=RETRIES)
def test_a_temporary_failure_is_tried_again_later(
    state: State,
    clock: SimulatedClock,
    receiver: Receiver,
    answer: Answer,
    wait_s: float,
    error: str,
) -> None:
    receiver.answers = [answer]
    detect(state, 1_000, [finding()])
    assert deliver(state, receiver.url, clock, 1_000, timeout_s=0.3) == 0
    assert statuses(state) == ["create pending"]
    (incident,) = state.list_incidents()
    assert state.list_notifications(incident.id)[0].last_error.startswith(error)
    assert deliver(state, receiver.url, clock, 1_000 + wait_s / 2 - 0.1) == 0
    assert deliver(state, receiver.url, clock, 1_000 + wait_s) == 1
    assert statuses(state) == ["create delivered"]
    assert receiver.what == [CREATED, CREATED]


def test_a_refused_key_is_given_up_at_once_and_seen(
    state: State, clock: SimulatedClock, receiver: Receiver
) -> None:
    receiver.answers = [Answer(401, '{"message": "Could not authenticate"}')]
    detect(state, 1_000, [finding()])
    with capture_logs() as lines:
        assert deliver(state, receiver.url, clock, 1_000) == 0
    assert deliver(state, receiver.url, clock, 90_000) == 0
    assert statuses(state) == ["create failed"]
    assert receiver.what == [CREATED]
    (line,) = lines
    assert line["is_given_up"] is True
    assert "Could not authenticate" in line["error"]
    assert "k3y" not in str(lines)


def test_a_receiver_that_stays_away_is_given_up_after_a_day(
    state: State, clock: SimulatedClock
) -> None:
    detect(state, 1_000, [finding()])
    away = worker(state, {"pager": Failing(NotifyError("away", permanent=False))}, clock)

    async def main() -> int:
        attempts = 0
        while statuses(state) == ["create pending"]:
            clock.advance(3_600)
            await away.run_once(clock.now())
            attempts += 1
        return attempts

    assert asyncio.run(main()) == 24
    assert statuses(state) == ["create failed"]
    assert clock.now() - 1_000 == 86_400


def test_nobody_listening_is_a_temporary_failure(state: State, clock: SimulatedClock) -> None:
    detect(state, 1_000, [finding()])
    assert deliver(state, "http://127.0.0.1:9", clock, 1_000) == 0
    assert statuses(state) == ["create pending"]


def test_a_growing_incident_is_told_once_more(
    state: State, clock: SimulatedClock, receiver: Receiver
) -> None:
    detect(state, 1_000, [finding()])
    deliver(state, receiver.url, clock, 1_000)
    detect(state, 1_010, [finding(severity=Severity.P1)])
    deliver(state, receiver.url, clock, 1_010)
    detect(state, 1_020, [finding(severity=Severity.P1)])
    deliver(state, receiver.url, clock, 1_020)
    assert receiver.what.count(CREATED) == 1
    assert [one.body["priority"] for one in receiver.taken if one.method == "PUT"] == ["P1"]


class Noting:
    """Takes everything, and says so; optionally only after it is let go."""

    def __init__(self, gate: asyncio.Event | None = None) -> None:
        self.taken: list[str] = []
        self.begun, self.came, self.gate = asyncio.Event(), asyncio.Event(), gate

    async def send(self, notification: Notification, incident: Incident) -> Receipt:
        self.begun.set()
        if self.gate:
            await self.gate.wait()
        self.taken.append(f"{incident.scope.tenant} {notification.action}")
        self.came.set()
        return Receipt()


class Failing:
    """Raises what it is given."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def send(self, notification: Notification, incident: Incident) -> Receipt:
        raise self.error


def test_a_notifier_that_hangs_delays_no_other(state: State, clock: SimulatedClock) -> None:
    async def main() -> list[str]:
        never, stop = asyncio.Event(), asyncio.Event()
        hanging, quick = Noting(never), Noting()
        turn(state, 1_000, [finding("a")], ["hanging", "quick"])
        delivery = worker(state, {"hanging": hanging, "quick": quick}, clock, timeout_s=60)
        running = asyncio.create_task(delivery.run(stop))
        await asyncio.gather(hanging.begun.wait(), quick.came.wait())
        quick.came.clear()
        turn(state, 1_000, [finding("a"), finding("b")], ["hanging", "quick"])
        await quick.came.wait()
        assert hanging.taken == []
        stop.set()
        never.set()
        await running
        return quick.taken

    assert asyncio.run(main()) == ["a create", "b create"]


def test_a_clean_stop_finishes_what_is_being_sent(state: State, clock: SimulatedClock) -> None:
    async def main() -> None:
        gate, stop = asyncio.Event(), asyncio.Event()
        slow = Noting(gate)
        turn(state, 1_000, [finding()])
        running = asyncio.create_task(worker(state, {"pager": slow}, clock).run(stop))
        await slow.begun.wait()
        stop.set()
        gate.set()
        await running

    asyncio.run(main())
    assert statuses(state) == ["create delivered"]


def test_a_notifier_that_breaks_is_tried_again(state: State, clock: SimulatedClock) -> None:
    detect(state, 1_000, [finding()])
    broken = worker(state, {"pager": Failing(KeyError("s3cret"))}, clock)
    assert asyncio.run(broken.run_once(1_000)) == 0
    (incident,) = state.list_incidents()
    (kept,) = state.list_notifications(incident.id)
    assert (kept.state, kept.last_error) == (DeliveryState.PENDING, "failed by KeyError")
    whole = Noting()
    assert asyncio.run(worker(state, {"pager": whole}, clock).run_once(1_010)) == 1


def test_two_workers_share_without_doubling(
    state: State, state_url: str, clock: SimulatedClock
) -> None:
    findings = [finding(f"t{n}") for n in range(40)]
    turn(state, 1_000, findings)
    other = State(state_url, clock)

    async def main() -> list[str]:
        taken: list[Noting] = [Noting(), Noting()]
        workers = [
            worker(each, {"pager": notifier}, clock, owner=str(n))
            for n, (each, notifier) in enumerate(zip((state, other), taken, strict=True))
        ]
        while sum(await asyncio.gather(*(one.run_once(1_000) for one in workers))):
            pass
        return [what for notifier in taken for what in notifier.taken]

    assert sorted(asyncio.run(main())) == sorted(f"t{n} create" for n in range(40))
    other.close()


class Refusing:
    """An outbox whose database is away until it is let back."""

    def __init__(self, state: State, error: Exception) -> None:
        self.state, self.error = state, error
        self.asked, self.is_back = asyncio.Event(), False

    def __getattr__(self, name: str) -> object:
        if not self.is_back:
            self.asked.set()
            raise self.error
        return getattr(self.state, name)


BREAKS = {
    "an absent database": (StoreError("away", permanent=False), "delivery stalled"),
    "a fault of our own": (ZeroDivisionError(), "delivery broke"),
}


@pytest.mark.parametrize(("error", "event"), BREAKS.values(), ids=BREAKS)
def test_delivery_outlives(
    state: State, clock: SimulatedClock, error: Exception, event: str
) -> None:
    async def main() -> list[str]:
        outbox, quick, stop = Refusing(state, error), Noting(), asyncio.Event()
        turn(state, 1_000, [finding()])
        delivery = worker(outbox, {"pager": quick}, clock)  # type: ignore[arg-type]
        running = asyncio.create_task(delivery.run(stop))
        await outbox.asked.wait()
        outbox.is_back = True
        await quick.came.wait()
        stop.set()
        await running
        return quick.taken

    with capture_logs() as lines:
        assert asyncio.run(main()) == ["acme create"]
    assert lines[0]["event"] == event


def test_what_waits_for_a_removed_notifier_is_given_up(state: State, clock: SimulatedClock) -> None:
    detect(state, 1_000, [finding()])
    assert asyncio.run(worker(state, {"other": Noting()}, clock).retire()) == 1
    assert statuses(state) == ["create failed"]


def test_a_permanent_failure_of_one_leaves_the_others_alone(
    state: State, clock: SimulatedClock
) -> None:
    turn(state, 1_000, [finding()], ["bad", "good"])
    notifiers: dict[str, Notifier] = {
        "bad": Failing(NotifyError("401", permanent=True)),
        "good": Noting(),
    }
    assert asyncio.run(worker(state, notifiers, clock).run_once(1_000)) == 1
    assert statuses(state) == ["create failed", "create delivered"]
