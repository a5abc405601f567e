"""What a webhook is sent, and what the log says."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs
from tests.page.http_receiver import Answer, Receiver
from tests.page.paging import SILENCE, closed, notification, with_client

from streamgauge.model.change import Action
from streamgauge.model.errors import NotifyError
from streamgauge.model.incident import api_shape, replay_shape
from streamgauge.page.notifiers.build import build_notifier
from streamgauge.page.notifiers.log import LogSettings
from streamgauge.page.notifiers.webhook import WebhookSettings

REPLAY_KEYS = [
    *("id", "kind", "opened_at", "closed_at", "severity", "tenant", "source", "integration"),
    *("pipeline", "summary", "suspected", "evidence"),
]


def test_the_replay_shape_has_exactly_its_keys() -> None:
    shape = replay_shape(SILENCE)
    assert list(shape) == REPLAY_KEYS
    assert shape["opened_at"] == "2023-11-14T22:14:20Z"
    assert shape["closed_at"] is None
    assert shape["integration"] is None
    assert replay_shape(closed())["closed_at"] == "2023-11-14T22:16:40Z"


def test_the_api_shape_adds_state_affected_and_timeline() -> None:
    shape = api_shape(SILENCE)
    assert list(shape) == [*REPLAY_KEYS, "state", "affected", "timeline"]
    timeline = shape["timeline"]
    assert isinstance(timeline, list)
    assert timeline[2] == {
        "at": "2023-11-14T22:16:40Z",
        "action": "closed",
        "actor": "kim",
        "reason": "messages came back",
    }


def test_a_webhook_is_sent_the_incident_and_what_happened(receiver: Receiver) -> None:
    settings = WebhookSettings(receiver.url + "/hook", {"X-Token": "s3cret"})
    with_client(
        lambda client: build_notifier(settings, client).send(
            notification(Action.CLOSE, 3), closed()
        )
    )
    (taken,) = receiver.taken
    assert taken.what == "POST /hook"
    assert taken.headers["x-token"] == "s3cret"
    assert taken.headers["idempotency-key"] == "incident-1/3/pager"
    assert taken.body == replay_shape(closed()) | {
        "state": "closed",
        "affected": ["acme"],
        "action": "close",
        "reason": "messages came back",
        "event_id": "incident-1/3/pager",
    }


def test_a_webhooks_secrets_are_not_shown(receiver: Receiver) -> None:
    settings = WebhookSettings(receiver.url + "/hook/s3cret", {"X-Token": "s3cret"})
    assert "s3cret" not in repr(settings)
    receiver.answers = [Answer(500, "")]
    with pytest.raises(NotifyError) as caught:
        with_client(lambda client: build_notifier(settings, client).send(notification(), SILENCE))
    assert "s3cret" not in str(caught.value)


def test_the_log_says_it_in_one_line() -> None:
    with capture_logs() as lines:
        receipt = with_client(
            lambda client: build_notifier(LogSettings(), client).send(notification(), SILENCE)
        )
    (line,) = lines
    assert (line["event"], line["action"], line["incident_id"]) == (
        "incident",
        "create",
        "incident-1",
    )
    assert line["summary"] == SILENCE.summary
    assert receipt.text == "logged"
