"""Hops on a whole process: the example of the documentation, and that secrets are kept nowhere."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from streamgauge.testing.process import StreamgaugeProcess
from streamgauge.testing.waiting import eventually

pytestmark = pytest.mark.process

PAGE = Path(__file__).parents[2] / "docs/hops.md"
CONFIG = """
[log]
level = "debug"

[[redact]]
pattern = 'account \\d+'
fields = ["error", "reason", "id"]
"""
SECRETS = ("zoe.quill@mail.example", "quill%40mail", "Qx7secretZz", "4111 1111", "9918273645")
MARKER = "brontosaurus"
TABLES = """
import sys
import clickhouse_connect
client = clickhouse_connect.get_client(dsn=sys.argv[1])
for table in client.command("SHOW TABLES").split():
    sys.stdout.buffer.write(client.raw_query(f"SELECT * FROM {table} FORMAT TabSeparatedRaw"))
"""


@pytest.fixture(scope="module")
def gauge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StreamgaugeProcess]:
    with StreamgaugeProcess(tmp_path_factory.mktemp("hops"), CONFIG) as process:
        yield process.start()


def examples() -> list[str]:
    return re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)


def run(command: str, gauge: StreamgaugeProcess) -> str:
    told = command.replace("http://127.0.0.1:8686", gauge.url)
    done = subprocess.run(
        ["bash", "-ec", told], capture_output=True, text=True, check=True, timeout=30
    )
    return done.stdout


def test_the_example_of_the_documentation_works(gauge: StreamgaugeProcess) -> None:
    send, ask = examples()
    assert "204 No Content" in run(send, gauge)

    def asked() -> tuple[Any, Any]:
        first, second = (
            run(ask.replace("curl ", "curl -s "), gauge).replace("}{", "}\n{").split("\n")
        )
        return json.loads(first), json.loads(second)

    journey, errors = eventually(
        lambda: (found := asked())[0].get("hops") and found[1]["errors"] and found,
        within_s=10,
        what="the journey",
    )
    assert [hop["stage"] for hop in journey["hops"]] == ["received", "processed", "delivered"]
    assert [hop["outcome"] for hop in journey["hops"]] == ["ok", "ok", "error"]
    assert journey["hops"][2]["latency_s"] == 0.34
    (group,) = errors["errors"]
    assert group["pattern"] == "status 422: no user [e-mail] in [redacted]"
    assert (group["count"], group["tenants"]) == (1, [{"tenant": "acme", "count": 1}])
    assert group["samples"][0]["id"] == "m-1"
    overview = gauge.client.get("/api/v1/overview").json()
    assert (overview["messages"], overview["received"], overview["errors"]) == (1, 1, 1)


def hop(number: int, **more: object) -> str:
    line = {"id": f"p-{number}", "tenant": "acme", "integration": "ga4", "outcome": "error"}
    return json.dumps(line | more)


HOPS = [
    hop(1, error=f"{MARKER}: no user zoe.quill@mail.example"),
    hop(2, error=f"{MARKER}: GET /u?mail=zoe.quill%40mail.example&api_key=Qx7secretZz"),
    hop(3, error=f"{MARKER}: Authorization: Bearer Qx7secretZz.abc"),
    hop(4, error=f"{MARKER}: card 4111 1111 1111 1111 declined", reason="token=Qx7secretZz"),
    hop(5, error={"password": "Qx7secretZz", MARKER: 1}),
    hop(6, error=MARKER, payload={"mail": "zoe.quill@mail.example", "n": "9918273645"}),
    hop(7, id="account 9918273645", error=f"{MARKER} of account 9918273645", time=time.time()),
]
REFUSED = [
    hop(8, latency_ms="Bearer Qx7secretZz", error=f"{MARKER} zoe.quill@mail.example"),
    hop(9, time="zoe.quill@mail.example", error=f"{MARKER} account 9918273645"),
    hop(9, tenant={"a": 1}, error=f"{MARKER} zoe.quill@mail.example").replace("@", "\\u0040"),
    '{"error": "' + MARKER + " zoe.quill@mail.example",
]


def told_everywhere(gauge: StreamgaugeProcess) -> str:
    """What API, pages and log tell."""
    addresses = ["/api/v1/errors", "/errors", "/api/v1/refusals?lines=100", "/refused", "/metrics"]
    addresses += [f"/api/v1/messages/p-{number}" for number in range(1, 8)]
    addresses += ["/messages/p-1", "/api/v1/messages/[redacted]"]
    return gauge.stderr + "".join(gauge.client.get(one).text for one in addresses)


def in_files(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_personal_data_and_secrets_are_kept_nowhere(gauge: StreamgaugeProcess) -> None:
    before = gauge.client.get("/api/v1/errors").json()
    answer = gauge.client.post("/v1/messages", content="\n".join([*HOPS, *REFUSED]))
    journal = in_files(gauge.data)
    assert (answer.status_code, answer.json()["accepted"]) == (400, len(HOPS))
    eventually(
        lambda: (
            gauge.client.get("/api/v1/messages/p-6").status_code == 200
            and len(gauge.client.get("/api/v1/refusals?lines=9").json()["lines"] or ())
            == len(REFUSED)
        ),
        within_s=10,
        what="the last hop and the refused lines",
    )
    told = told_everywhere(gauge)
    assert told.count(MARKER) >= len(HOPS) + len(REFUSED), "the marker shows that it was looked at"
    assert len(gauge.client.get("/api/v1/errors").json()["errors"]) > len(before["errors"])
    gauge.kill()
    files = in_files(gauge.data)
    gauge.start()
    assert gauge.stop() == 0
    store = subprocess.run(
        [sys.executable, "-c", TABLES, f"chdb://{gauge.data / 'store'}"],
        capture_output=True,
        check=True,
        timeout=60,
    ).stdout
    assert MARKER.encode() in journal, "it is written as it is"
    assert store.count(MARKER.encode()) >= len(HOPS), "its rows were read"
    files += in_files(gauge.data) + in_files(gauge.folder)
    for secret in SECRETS:
        assert secret not in answer.text + told
        assert secret.encode() not in journal + files + store, secret
