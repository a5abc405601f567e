"""Why you were, or were not, told: asked of the whole process, by the API and by the command."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator

import pytest

from streamgauge.model.clock import rfc3339
from streamgauge.testing.api import incidents, write
from streamgauge.testing.lines import customers, steady, without
from streamgauge.testing.process import COMMAND, StreamgaugeProcess
from streamgauge.testing.waiting import eventually

pytestmark = pytest.mark.process

CONFIG = """
[detect]
tick = "1s"
false_pages = 0.2
"""
QUIET_MINUTES = 120


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StreamgaugeProcess]:
    with StreamgaugeProcess(tmp_path_factory.mktemp("explain"), CONFIG) as running:
        yield running.start()


def test_a_silence_is_explained_before_and_after_it_opened(process: StreamgaugeProcess) -> None:
    end = int(time.time() // 60)
    quiet_from = end - QUIET_MINUTES
    everyone = steady(customers(12), range(end - 3 * 1440, end))
    lines = [report.line for report in without(everyone, range(quiet_from, end), "customer-07")]
    assert write(process.client, lines).status_code == 204
    eventually(
        lambda: [i for i in incidents(process.client, state="open") if i["tenant"]],
        within_s=60,
        what="the silence of customer-07",
    )
    before = rfc3339(60.0 * (quiet_from + 1))
    asked = {"tenant": "customer-07"}
    told = process.client.get("/api/v1/explain", params=asked | {"at": before}).json()
    assert told["words"][0].startswith("Of customer customer-07, nothing was told at ")
    assert told["findings"] == []
    assert told["silence"]["nats"] < told["silence"]["bar_nats"]
    assert told["silence"]["opens_at"] > before
    assert told["silence"]["allowed_per_week"] == pytest.approx(0.23 * 0.2 / 0.3)

    now = process.client.get("/api/v1/explain", params=asked).json()
    assert [finding["kind"] for finding in now["findings"]] == ["silence"]
    assert now["silence"]["nats"] >= now["silence"]["bar_nats"]

    command = [str(COMMAND), "explain", "--tenant", "customer-07", "--at", before]
    done = subprocess.run(
        [*command, "--url", process.url], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    first, *rest = done.stdout.splitlines()
    assert first == told["words"][0]
    assert any(line.startswith("  silence.bar_nats = ") for line in rest)


def test_another_budget_is_tried_on_what_was_stored(process: StreamgaugeProcess) -> None:
    """After the one above: customer-07 fell silent two hours ago."""
    tune = [str(COMMAND), "detect", "tune", "--over", "3h", "--url", process.url]
    done = subprocess.run(
        [*tune, "0.001", "100", "--json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    silences = {
        one["false_pages"]: one["opened_at"] for one in found if one["tenant"] == "customer-07"
    }
    assert silences.keys() == {0.001, 100.0}
    assert silences[100.0] <= silences[0.001], "the larger budget is not slower"
    still = [one for one in incidents(process.client, state="open") if one["kind"] == "silence"]
    assert [one["tenant"] for one in still] == ["customer-07"], "what runs is as it was"

    refused = subprocess.run([*tune, "0"], capture_output=True, text=True, check=False)
    assert refused.returncode != 0
    assert "0: expected a number above 0, 100 at the most" in refused.stderr


@pytest.mark.parametrize(
    ("at", "said"),
    [("yesterday", "at: expected an instant"), ("9000-01-01T00:00:00Z", "at: this is to come")],
    ids=["no instant", "to come"],
)
def test_what_cannot_be_asked_is_refused_by_name(
    process: StreamgaugeProcess, at: str, said: str
) -> None:
    answer = process.client.get("/api/v1/explain", params={"at": at})
    assert answer.status_code == 400
    assert said in answer.text


def test_who_was_never_seen_is_told_as_such(process: StreamgaugeProcess) -> None:
    told = process.client.get("/api/v1/explain", params={"tenant": "never-seen"}).json()
    assert (told["silence"], told["errors"]) == (None, None)
    assert "No message of it is known" in told["words"][-1]
