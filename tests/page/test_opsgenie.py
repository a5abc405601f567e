"""What Opsgenie is sent, and how its answers are read: against a real HTTP server."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from tests.page.http_receiver import Answer, Receiver
from tests.page.paging import SILENCE, closed, notification, with_client

from streamgauge.model.change import Action
from streamgauge.model.errors import NotifyError
from streamgauge.model.flow import Scope
from streamgauge.model.incident import Incident
from streamgauge.model.words import Severity
from streamgauge.page.notifiers.base import Receipt
from streamgauge.page.notifiers.build import build_notifier
from streamgauge.page.notifiers.opsgenie import OpsgenieSettings, alert_of

CREATE, UPDATE, CLOSE = Action.CREATE, Action.UPDATE, Action.CLOSE


def send(
    url: str, action: Action = CREATE, incident: Incident = SILENCE, sequence: int = 1
) -> Receipt:
    settings = OpsgenieSettings(url, "k3y")
    return with_client(
        lambda client: build_notifier(settings, client).send(
            notification(action, sequence), incident
        )
    )


def test_an_incident_is_created_as_one_alert(receiver: Receiver) -> None:
    receipt = send(receiver.url + "/")
    (taken,) = receiver.taken
    assert taken.what == "POST /v2/alerts"
    assert taken.headers["authorization"] == "GenieKey k3y"
    assert taken.headers["content-type"] == "application/json"
    body = taken.body
    assert body["alias"] == "incident-1"
    assert body["message"] == SILENCE.summary
    assert body["priority"] == "P2"
    assert body["source"] == "streamgauge"
    assert body["entity"] == "customer acme, source web"
    assert body["tags"] == ["streamgauge", "silence", "suspected:customer"]
    assert body["details"] == {
        "kind": "silence",
        "suspected": "customer",
        "tenant": "acme",
        "source": "web",
        "expected_count": "55.0",
        "p_value": "1e-09",
        "sources": "a, b",
        "last": "unknown",
    }
    assert "Since 2023-11-14T22:13:20Z" in body["description"]
    assert receipt == Receipt("202: request r-1")


def test_it_is_closed_by_its_alias_with_the_reason(receiver: Receiver) -> None:
    send(receiver.url, CLOSE, closed(), 3)
    (taken,) = receiver.taken
    assert taken.what == "POST /v2/alerts/incident-1/close"
    assert taken.query == {"identifierType": ["alias"]}
    assert taken.body == {"user": "kim", "source": "streamgauge", "note": "messages came back"}


def test_growth_is_a_priority_and_a_note_and_no_second_alert(receiver: Receiver) -> None:
    send(receiver.url, UPDATE, replace(SILENCE, severity=Severity.P1), 2)
    assert receiver.what == [
        "PUT /v2/alerts/incident-1/priority",
        "POST /v2/alerts/incident-1/notes",
    ]
    assert receiver.taken[0].body == {"priority": "P1"}
    assert receiver.taken[1].body["note"] == "severity rose P2 → P1"
    assert all(one.query == {"identifierType": ["alias"]} for one in receiver.taken)


def test_an_id_with_a_slash_stays_one_part_of_the_path(receiver: Receiver) -> None:
    send(receiver.url, CLOSE, replace(closed(), id="a/b"), 3)
    assert receiver.what == ["POST /v2/alerts/a/b/close"]


def test_closing_what_is_not_there_is_done(receiver: Receiver) -> None:
    receiver.answers = [Answer(404, '{"message": "Alert does not exist"}')]
    assert send(receiver.url, CLOSE, closed(), 3).text.startswith("404: ")


REFUSALS: dict[str, tuple[Answer, bool, float | None, str]] = {
    "a wrong key is permanent": (
        Answer(401, '{"message": "Key format is not valid!"}'),
        True,
        None,
        "127.0.0.1 answered 401: Key format is not valid!; check its key",
    ),
    "a body it cannot take is permanent and says why": (
        Answer(422, '{"message": "Request body is not processable", "took": 0.1}'),
        True,
        None,
        "127.0.0.1 answered 422: Request body is not processable",
    ),
    "a moved address is permanent": (
        Answer(301, "", {"Location": "http://elsewhere/"}),
        True,
        None,
        "127.0.0.1 answered 301: Moved Permanently; it has moved: set `url` to its new address",
    ),
    "too many requests waits as long as it is told": (
        Answer(429, '{"message": "You are making too many requests!"}', {"Retry-After": "17"}),
        False,
        17.0,
        "127.0.0.1 answered 429: You are making too many requests!",
    ),
    "too many requests without a time": (
        Answer(429, "slow down"), False, None, "127.0.0.1 answered 429: slow down"),
    "a time that cannot be read": (
        Answer(503, "x", {"Retry-After": "soon"}), False, None, "127.0.0.1 answered 503: x"),
    "an error of the server is temporary": (
        Answer(500, "<html>"), False, None, "127.0.0.1 answered 500: <html>"),
    "a timeout of the server is temporary": (
        Answer(408, ""), False, None, "127.0.0.1 answered 408: Request Timeout"),
    "JSON that is no object": (Answer(500, "[]"), False, None, "127.0.0.1 answered 500: []"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "permanent", "retry_after_s", "message"), REFUSALS.values(), ids=REFUSALS
)
def test_a_refusal_is_read(
    receiver: Receiver,
    answer: Answer,
    permanent: bool,
    retry_after_s: float | None,
    message: str,
) -> None:
    receiver.answers = [answer]
    with pytest.raises(NotifyError) as caught:
        send(receiver.url)
    error = caught.value
    assert (str(error), error.permanent, error.retry_after_s) == (message, permanent, retry_after_s)


def test_a_date_to_wait_for_is_measured_by_the_receivers_clock(receiver: Receiver) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=120), usegmt=True)
    receiver.answers = [Answer(503, "", {"Retry-After": date})]
    with pytest.raises(NotifyError) as caught:
        send(receiver.url)
    assert caught.value.retry_after_s == pytest.approx(120, abs=5)


def test_a_refused_connection_is_temporary() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and nobody listens
        with pytest.raises(NotifyError, match=r"127\.0\.0\.1 not reached: ConnectError") as caught:
            send(f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert not caught.value.permanent


def test_a_receiver_that_hangs_is_left_when_its_time_is_over(receiver: Receiver) -> None:
    receiver.answers = [Answer(hangs=True)]

    async def impatient() -> None:
        import httpx

        async with httpx.AsyncClient() as client, asyncio.timeout(0.2):
            await build_notifier(OpsgenieSettings(receiver.url, "k3y"), client).send(
                notification(), SILENCE
            )

    with pytest.raises(TimeoutError):
        asyncio.run(impatient())


@pytest.mark.parametrize("url", ["ftp://example.com", "example.com", "http://[::1"])
def test_an_address_that_cannot_be_used_is_permanent(url: str) -> None:
    with pytest.raises(NotifyError, match="the address cannot be used") as caught:
        send(url)
    assert caught.value.permanent


def test_everything_is_cut_to_opsgenies_limits() -> None:
    huge = replace(
        SILENCE,
        summary="s" * 20_000,
        scope=Scope("t" * 1_000),
        evidence={f"number_{n}": "x" * 100 for n in range(200)},
        affected=tuple(f"tenant-{n}" for n in range(3_000)),
    )
    alert = alert_of(huge)
    assert alert["message"] == "s" * 129 + "…"
    assert len(str(alert["description"])) == 15_000
    assert len(str(alert["entity"])) == 512
    details = alert["details"]
    assert isinstance(details, dict)
    assert sum(len(name) + len(value) for name, value in details.items()) <= 8_000
    assert len(details) > 50
    just = replace(SILENCE, summary="s" * 130)
    assert alert_of(just)["message"] == "s" * 130


def test_the_key_is_not_shown() -> None:
    assert "k3y" not in repr(OpsgenieSettings("http://x", "k3y"))
