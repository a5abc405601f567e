"""Several processes share the work: two receive, one detects, pages and shows.

The engine is the embedded one in a process of its own, asked as a ClickHouse server is; the state
is PostgreSQL.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
from tests.state.conftest import POSTGRES
from tests.state.databases import postgres_schema

from streamgauge.store.host.process import EngineProcess
from streamgauge.testing.api import overview
from streamgauge.testing.opsgenie import OpsgenieStandIn
from streamgauge.testing.process import StreamgaugeProcess
from streamgauge.testing.waiting import eventually

pytestmark = [pytest.mark.process, pytest.mark.slow]

WAIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Split:
    """The processes."""

    one: StreamgaugeProcess
    other: StreamgaugeProcess
    decides: StreamgaugeProcess
    told: OpsgenieStandIn


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The configuration of where everything is kept."""
    with postgres_schema(POSTGRES) as state_url:
        engine = EngineProcess(tmp_path_factory.mktemp("engine") / "store", print)
        engine.start(within_s=WAIT_S)
        yield f'[store]\nurl = "{engine.url}"\n[state]\nurl = "{state_url}"\n'
        engine.stop(within_s=WAIT_S)


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory, addresses: str) -> Iterator[Split]:
    folder = tmp_path_factory.mktemp("split")
    with OpsgenieStandIn() as told:
        config = (
            addresses
            + f'[detect]\ntick = "1s"\n[[notify]]\nkind = "opsgenie"\nurl = "{told.url}"\n'
            + 'api_key = "k"\n'
        )
        made = {
            name: StreamgaugeProcess(folder / name, config, roles=roles)
            for name, roles in (
                ("decides", "detect,page,web"),
                ("one", "receive"),
                ("other", "receive"),
            )
        }
        for process in made.values():
            process.start(ready_within_s=WAIT_S)
        yield Split(made["one"], made["other"], made["decides"], told)
        for process in made.values():
            process.close()


def lines(tenant: str, outcome: str, count: int, minutes: range, now: float) -> bytes:
    """One line a minute before `now`, for three integrations."""
    made = [
        f"messages,tenant={tenant},source=web,integration=ga4,outcome={outcome} count={count}i "
        f"{int(now - 60 * minute) * 10**9}"
        for minute in minutes
    ]
    return "\n".join(made).encode()


def write(process: StreamgaugeProcess, body: bytes, **headers: str) -> None:
    answer = process.client.post("/write?db=d", content=body, headers=headers)
    assert answer.status_code == 204, answer.text


def messages(split: Split, tenant: str) -> int:
    now = time.time()
    return overview(split.decides.client, now - 7200, now + 3600, tenant=tenant)["messages"] or 0


def test_an_error_incident_is_found_across_receivers_and_told_once(split: Split) -> None:
    now = time.time()
    write(split.one, lines("acme", "ok", 100, range(1, 60), now))
    write(split.other, lines("beta", "ok", 100, range(1, 60), now))
    eventually(lambda: messages(split, "beta") == 5900, within_s=WAIT_S, what="history")
    for process in (split.one, split.other):
        write(process, lines("acme", "error", 400, range(5), now))
    eventually(lambda: split.told.created, within_s=WAIT_S, what="the incident")
    (told,) = split.told.created
    assert "error" in str(told.body).lower()
    found = split.decides.client.get("/api/v1/incidents").json()["incidents"]
    assert [one["kind"] for one in found] == ["errors"]


def test_a_retry_that_reaches_the_other_receiver_counts_once(split: Split) -> None:
    body = lines("twice", "ok", 7, range(3), time.time())
    for process in (split.one, split.other, split.one):
        write(process, body, **{"X-Forwarded-For": "198.51.100.7"})
    write(split.other, body, **{"X-Forwarded-For": "198.51.100.8"})
    eventually(lambda: messages(split, "twice") == 42, within_s=WAIT_S, what="two senders")
    for process, count in ((split.one, 1), (split.other, 2)):
        write(process, lines("after", "ok", count, range(1), time.time()))
    eventually(lambda: messages(split, "after") == 3, within_s=WAIT_S, what="what came later")
    assert messages(split, "twice") == 42


def test_a_killed_receiver_loses_and_doubles_nothing(split: Split) -> None:
    now, sent = time.time(), 0
    for number in range(60):
        process = split.one if number % 2 else split.other
        write(process, lines("killed", "ok", number + 1, range(10), now))
        sent += 10 * (number + 1)
    split.one.kill()
    write(split.other, lines("killed", "ok", 1, range(10), now + 1))
    split.one.start(ready_within_s=WAIT_S)
    write(split.one, lines("killed", "ok", 1, range(10), now + 2))
    eventually(lambda: messages(split, "killed") == sent + 20, within_s=WAIT_S, what="all of it")


def test_each_process_says_what_it_is_not_for(split: Split) -> None:
    refused = split.decides.client.post("/write?db=d", content=b"messages count=1i")
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert "--roles" in refused.json()["error"]
    page = split.one.client.get("/")
    assert page.status_code == 404
    assert "only receives" in page.json()["error"]
    assert split.one.client.get("/health").status_code == 200
    assert "streamgauge_lag_lines" in split.one.client.get("/metrics").text


def test_a_second_process_does_not_decide_beside_the_first(
    split: Split, addresses: str, tmp_path: Path
) -> None:
    before = len(split.told.requests)
    config = addresses + '[detect]\ntick = "1s"\n'
    with StreamgaugeProcess(tmp_path, config, roles="detect,page,web") as second:
        second.start(ready_within_s=WAIT_S)
        turns = "streamgauge_detect_turns_total"
        eventually(lambda: _metric(second.client, turns) >= 3, within_s=WAIT_S, what="its turns")
        assert "incident" not in second.stderr
        assert second.client.get("/api/v1/incidents").status_code == 200
    assert len(split.told.requests) == before


class Target(BaseHTTPRequestHandler):
    """Shows a counter; each scraper keeps one connection."""

    protocol_version = "HTTP/1.1"
    scrapers: ClassVar[dict[int, int]] = {}
    """Port of the other end → how often it asked."""
    broken: ClassVar[bool] = False

    def do_GET(self) -> None:
        """Answer."""
        port = self.client_address[1]
        self.scrapers[port] = self.scrapers.get(port, 0) + 1
        body = b"<html>" if Target.broken else b"queue_backlog 3\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


class Server(ThreadingHTTPServer):
    """Says nothing of scrapers that are killed."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def target() -> Iterator[str]:
    server = Server(("127.0.0.1", 0), Target)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/metrics"
    server.shutdown()
    thread.join()
    server.server_close()


def test_one_of_the_receivers_scrapes_and_another_takes_over(
    split: Split, addresses: str, target: str, tmp_path: Path
) -> None:
    config = f'{addresses}[[scrape]]\nurl = "{target}"\nname = "shop"\nevery = "500ms"\n'
    with (
        StreamgaugeProcess(tmp_path / "a", config, roles="receive") as a,
        StreamgaugeProcess(tmp_path / "b", config, roles="receive") as b,
    ):
        a.start(ready_within_s=WAIT_S)
        eventually(lambda: Target.scrapers, within_s=WAIT_S, what="the first scrape")
        b.start(ready_within_s=WAIT_S)
        (port,) = Target.scrapers
        asked = Target.scrapers[port]
        eventually(lambda: Target.scrapers[port] >= asked + 20, within_s=WAIT_S, what="20 more")
        assert Target.scrapers.keys() == {port}, "by one of them alone"
        eventually(lambda: _state(split) == "ok", within_s=WAIT_S, what="the health, elsewhere")

        Target.broken = True
        eventually(lambda: _blind(split), within_s=WAIT_S, what="the incident, elsewhere")
        assert "shop" in _blind(split)[0]["summary"]

        a.kill()
        Target.broken = False
        Target.scrapers.clear()
        eventually(lambda: Target.scrapers, within_s=WAIT_S, what="the other one")


def _state(split: Split) -> str | None:
    found = split.decides.client.get("/api/v1/collectors").json()["collectors"]
    return next((one["state"] for one in found if one["name"] == "shop"), None)


def _blind(split: Split) -> list[dict[str, Any]]:
    found = split.decides.client.get("/api/v1/incidents").json()["incidents"]
    return [one for one in found if one["kind"] == "blind"]


def _metric(client: httpx.Client, name: str) -> float:
    text = client.get("/metrics").text
    return float(next(line.split()[1] for line in text.splitlines() if line.startswith(f"{name} ")))
