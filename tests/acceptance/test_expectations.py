"""What people say of flows, on the whole process: judged without a restart, kept over one."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from streamgauge.testing.api import incidents, write
from streamgauge.testing.lines import customers, steady, without
from streamgauge.testing.process import COMMAND, StreamgaugeProcess
from streamgauge.testing.waiting import eventually

pytestmark = pytest.mark.process

CONFIG = """
[detect]
tick = "1s"
[auth]
tokens = ["first-token", "second-token"]
[[flow]]
tenant = "in-the-file"
first_message_within = "1s"
"""
DOCS = Path(__file__).parents[2] / "docs" / "expectations.md"
TOKEN = {"Authorization": "Token second-token"}


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StreamgaugeProcess]:
    folder = tmp_path_factory.mktemp("expectations")
    with StreamgaugeProcess(folder, CONFIG) as running:
        running.client.headers.update(TOKEN)
        yield running.start()


def put(process: StreamgaugeProcess, *flows: dict[str, object]) -> Any:
    answer = process.client.put("/api/v1/flows", json={"flows": flows})
    assert answer.status_code == 200, answer.text
    return answer.json()


def open_about(process: StreamgaugeProcess, tenant: str) -> list[dict[str, Any]]:
    return [i for i in incidents(process.client, state="open") if i["tenant"] == tenant]


def declared(process: StreamgaugeProcess, tenant: str) -> dict[str, Any]:
    asked = {"tenant": tenant, "limit": 1}
    (one,) = process.client.get("/api/v1/flows", params=asked).json()["declared"]
    return dict(one)


def test_the_example_of_the_page_can_be_run(process: StreamgaugeProcess, tmp_path: Path) -> None:
    (script,) = re.findall(r"```sh\n(.*?)```", DOCS.read_text(), re.DOTALL)
    script = script.replace("http://127.0.0.1:8686", process.url)
    script = script.replace("curl -sf", f"curl -sf -H 'Authorization: {TOKEN['Authorization']}'")
    config = tmp_path / "streamgauge.toml"
    config.write_text('[auth]\ntokens = ["second-token"]\n')
    script = script.replace("--url", f"--config {config} --url")
    paths = f"{COMMAND.parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", script],
        cwd=tmp_path,
        env={**os.environ, "PATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "3 of 3 lines would be taken (dry run)" in done.stdout
    assert "3 of 3 lines were taken, 3 of them changed" in done.stdout
    assert "initech is retired from now on" in done.stdout
    states = {tenant: declared(process, tenant)["state"] for tenant in ("initech", "hooli")}
    assert states == {"initech": "retired", "hooli": "retired"}


def test_bad_lines_of_a_file_are_named_and_the_good_ones_taken(
    process: StreamgaugeProcess, tmp_path: Path
) -> None:
    file, config = tmp_path / "flows.csv", tmp_path / "streamgauge.toml"
    file.write_text("tenant,calendar\nfrom-a-file,mon 08:00-09:00\n,daily 08:00-09:00\nx,never\n")
    config.write_text('[auth]\ntokens = ["second-token"]\n')
    command = [str(COMMAND), "flows", "import", str(file), "--url", process.url]
    command += ["--config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == "1 of 3 lines were taken, 1 of them changed\n"
    assert [line.split(": ")[0] for line in done.stderr.splitlines()] == [
        f"{file}, line 3",
        f"{file}, line 4",
    ]
    assert declared(process, "from-a-file")["calendar"] == "mon 08:00-09:00"


def test_writes_need_a_token_and_are_told_with_it(process: StreamgaugeProcess) -> None:
    body = {"flows": [{"tenant": "audited", "expected_within": "1h"}]}
    with httpx.Client(base_url=process.url, trust_env=False) as outsider:
        for method, path in (
            ("PUT", "/api/v1/flows"),
            ("DELETE", "/api/v1/flows?tenant=audited"),
            ("POST", "/api/v1/customers/audited/offboard"),
            ("POST", "/expectations/audited"),
            ("GET", "/api/v1/audit"),
        ):
            assert outsider.request(method, path, json=body).status_code == 401, path
    put(process, *body["flows"])
    asked = {"tenant": "audited"}
    (entry,) = process.client.get("/api/v1/audit", params=asked).json()["entries"]
    assert entry["actor"] == "token 2 from 127.0.0.1"
    assert entry["action"] == "flow declared"


def test_a_silence_ends_by_a_pause_and_a_first_message_that_never_came_is_told(
    process: StreamgaugeProcess,
) -> None:
    end = int(time.time() // 60)
    everyone = steady(customers(12), range(end - 3 * 1440, end))
    lines = [report.line for report in without(everyone, range(end - 120, end), "customer-07")]
    assert write(process.client, lines).status_code == 204
    eventually(
        lambda: open_about(process, "customer-07"), within_s=60, what="the silence of customer-07"
    )
    answer = put(
        process,
        {"tenant": "customer-07", "paused_until": "1h"},
        {"tenant": "late", "first_message_by": "2020-01-01T00:00:00Z"},
    )
    assert answer["changed"] == 2
    eventually(
        lambda: not open_about(process, "customer-07"), within_s=30, what="the end by the pause"
    )
    (late,) = eventually(
        lambda: open_about(process, "late"), within_s=30, what="the first message that never came"
    )
    assert late["kind"] == "silence"
    assert "It never spoke" in late["summary"]
    assert late["severity"] == "P3"
    row = next(
        row
        for row in process.client.get("/api/v1/flows", params={"by": "tenant"}).json()["flows"]
        if row["labels"]["tenant"] == "customer-07"
    )
    assert row["expected"]["state"] == "paused"


def test_offboarding_closes_what_is_open_in_one_step_and_restarts_forget_nothing(
    process: StreamgaugeProcess,
) -> None:
    put(process, {"tenant": "leaver", "first_message_by": "2020-01-01T00:00:00Z"})
    (opened,) = eventually(
        lambda: open_about(process, "leaver"), within_s=30, what="an incident to be closed"
    )
    (from_file,) = eventually(
        lambda: open_about(process, "in-the-file"), within_s=30, what="the file's incident"
    )
    done = process.client.post("/api/v1/customers/leaver/offboard").json()
    assert done["closed"] == [opened["id"]]
    closed = process.client.get(f"/api/v1/incidents/{opened['id']}").json()
    assert closed["state"] == "closed"
    assert closed["timeline"][-1]["reason"] == "customer leaver was offboarded"
    assert closed["timeline"][-1]["actor"] == "token 2 from 127.0.0.1"

    process.kill()
    process.start()
    assert declared(process, "leaver")["state"] == "retired"
    turns = "streamgauge_detect_turns_total"
    eventually(lambda: metric(process, turns) >= 3, within_s=60, what="three turns after it")
    assert not open_about(process, "leaver")
    (still,) = open_about(process, "in-the-file")
    assert (still["id"], still["since"]) == (from_file["id"], from_file["since"])


def metric(process: StreamgaugeProcess, name: str) -> float:
    found = re.search(rf"^{name} (\S+)$", process.client.get("/metrics").text, re.MULTILINE)
    return float(found[1]) if found else 0.0
