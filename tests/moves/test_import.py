"""History comes in from real servers and from files: every value, once, also after `kill -9`."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from tests.moves.sources import DAY_S, NS, history, influxd, victoria_metrics, write

from streamgauge.app.imports.frames import Read, body_of, joined
from streamgauge.app.imports.influx_server import InfluxServer
from streamgauge.app.imports.victoria import Naming, VictoriaFile, VictoriaServer
from streamgauge.testing.api import counts_by, overview
from streamgauge.testing.process import COMMAND, StreamgaugeProcess
from streamgauge.testing.waiting import eventually

pytestmark = [pytest.mark.process, pytest.mark.slow]

IS_NIGHTLY = bool(os.environ.get("STREAMGAUGE_NIGHTLY"))
FLOWS, STAMPS = (50, 2000) if IS_NIGHTLY else (5, 20)
TODAY = int(time.time() // DAY_S)
EVER = (-(2**62), 2**62)
HEAD = """# INFLUXDB EXPORT: 1677-09-21T00:12:43Z - 2262-04-11T23:47:16Z
# DDL
CREATE DATABASE {db} WITH NAME autogen
# DML
# CONTEXT-DATABASE:{db}
# CONTEXT-RETENTION-POLICY:autogen
# writing tsm data
"""
LIMIT = """
[limits]
burst = "1s"
[[limit]]
tenant = "slow"
lines_per_second = 10000
"""
"""So that an import of theirs is told 429 again and again."""


@pytest.fixture(scope="module")
def gauge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StreamgaugeProcess]:
    """One for all tests: each brings in days and databases of its own."""
    with StreamgaugeProcess(tmp_path_factory.mktemp("import"), LIMIT) as process:
        yield process.start()


def bring(
    gauge: StreamgaugeProcess, folder: Path, *words: object, code: int = 0
) -> tuple[str, str]:
    """Run the command; stdout and stderr."""
    done = subprocess.run(
        _words(gauge, folder, *words), capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout, done.stderr


def _words(gauge: StreamgaugeProcess, folder: Path, *words: object) -> list[str]:
    options = ["--to-url", gauge.url, "--progress", str(folder / "progress")]
    return [str(COMMAND), "import", *map(str, words), *options]


def export(lines: list[str], db: str) -> str:
    """As `influx_inspect export` writes them: a line for each field, series by series."""
    each = [
        f"{series} {field} {stamp}"
        for line in lines
        for series, fields, stamp in [re.fullmatch(r"((?:\\.|[^ ])+) (.*) (\d+)", line).groups()]
        for field in re.findall(r'[^,=]+=(?:"(?:\\.|[^"\\])*"|[^,"]*)', fields)
    ]
    return HEAD.format(db=db) + "\n".join(sorted(each)) + "\n"


def messages(gauge: StreamgaugeProcess, day: int) -> int | None:
    return overview(gauge.client, day * DAY_S, (day + 1) * DAY_S)["messages"]


def stored(gauge: StreamgaugeProcess, days: list[int]) -> dict[str, int]:
    question = {"from": days[0] * DAY_S, "to": (days[-1] + 1) * DAY_S}
    rows = gauge.client.get("/api/v1/stored", params=question).raise_for_status().json()["stored"]
    return {f"{row['db']} {row['measurement']}".strip(): row["count"] for row in rows}


def lines_of(pieces: Iterator[Read]) -> Counter[str]:
    return Counter(
        sorted_fields(line)
        for piece in pieces
        for line in body_of(joined(piece.frame)[0]).decode().split("\n")
    )


def sorted_fields(line: str) -> str:
    series, fields, stamp = re.fullmatch(r"((?:\\.|[^ ])+) (.*) (\d+)", line).groups()
    each = re.findall(r'[^,=]+=(?:"(?:\\.|[^"\\])*"|[^,"]*)', fields)
    return f"{series} {','.join(sorted(each))} {stamp}"


def test_a_running_influxdb_comes_in_with_its_types(
    gauge: StreamgaugeProcess, tmp_path: Path
) -> None:
    days = [TODAY - 500, TODAY - 20, TODAY - 2]
    lines = history(days, FLOWS, STAMPS)
    other = f"cpu,host=a v=1,big=9007199254740993i {days[0] * DAY_S * NS}"
    with influxd(tmp_path) as server:
        for text in (
            "CREATE DATABASE idb",
            "CREATE RETENTION POLICY rp2 ON idb DURATION INF REPLICATION 1",
        ):
            server.post("/query", params={"q": text}).raise_for_status()
        write(server, lines, "idb")
        write(server, [other], "idb", "rp2")
        with closing(InfluxServer(str(server.base_url), "idb", *EVER)) as source:
            seen = sum((lines_of(source.read(scope)) for scope in source.scopes()), Counter())
        assert seen == Counter(map(sorted_fields, [*lines, other.replace("v=1,", "v=1.0,")]))
        told, _ = bring(gauge, tmp_path, "influx", server.base_url, "--db", "idb")
    assert f"sent: {len(lines) + 1:,} lines, {len(lines) + 1:,} accepted, 0 refused" in told
    points = len(days) * FLOWS * STAMPS
    assert [messages(gauge, day) for day in days] == [3 * FLOWS * STAMPS] * 3
    kept = stored(gauge, days)
    assert (kept["idb queue"], kept["idb own one"]) == (2 * points, 2 * points)
    assert kept["idb/rp2 cpu"] == 2


def test_an_export_is_one_line_a_point_and_says_what_it_cannot_read(
    gauge: StreamgaugeProcess, tmp_path: Path
) -> None:
    day = TODAY - 300
    lines = history([day], FLOWS, STAMPS)
    text = export(lines, "exported")
    at = day * DAY_S * NS
    text += f'log text="two\nlines" {at}\n'
    text += f"messages,source=web,tenant=t0 count=7i {at}\n"  # written again: this one wins
    path = tmp_path / "export.gz"
    path.write_bytes(gzip.compress(text.encode()))
    told, _ = bring(gauge, tmp_path, "influx", path)
    assert "1 overwritten" in told
    assert f"sent: {len(lines) + 1:,} lines" in told
    assert messages(gauge, day) == 3 * FLOWS * STAMPS + 4
    figures = overview(gauge.client, day * DAY_S, (day + 1) * DAY_S)
    assert figures["latency"]["p50_s"] == pytest.approx(0.0025, rel=0.05)  # weighs each message
    if IS_NIGHTLY:
        assert "imported before" in bring(gauge, tmp_path, "influx", path)[1]
    ahead = (TODAY + 3) * DAY_S * NS
    path.write_text(f"good v=1 {at}\nno line at all\ngood v=2 {ahead}\n")
    broken = bring(gauge, tmp_path / "b", "influx", path, "--db", "broken", code=1)
    assert "1 lines or values of the source cannot be read" in broken[1]
    assert "1 lines were refused" in broken[1]
    assert "'no line at all'" in broken[1]
    assert "time" in broken[1]


def test_killed_in_the_middle_it_goes_on_and_counts_once(
    gauge: StreamgaugeProcess, tmp_path: Path
) -> None:
    day, count = TODAY - 100, 400_000 if IS_NIGHTLY else 50_000
    path = tmp_path / "dump.txt"
    at = day * DAY_S * NS
    path.write_text(
        "".join(
            f"messages,tenant=slow,source=s{n % 7} count=2i {at + n * 10**6}\n"
            for n in range(count)
        )
    )
    words = _words(gauge, tmp_path, "influx", path)
    done = tmp_path / "progress" / "progress.json"
    for chunk in (1, 3) if IS_NIGHTLY else (1,):
        with subprocess.Popen(
            words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as killed:
            before = eventually(lambda: _noted(done, chunk), within_s=120, every_s=0.01)  # noqa: B023
            eventually(lambda: _noted(done, chunk + 1), within_s=120, every_s=0.01)  # noqa: B023
            killed.kill()
        assert json.loads(done.read_text())["scope"] == 0, "it had ended before it was killed"
        # As if it had been killed between an answer and its note: that body is sent again.
        done.write_text(before)
    told, said = bring(gauge, tmp_path, "influx", path)
    assert "going on where" in said
    assert f"sent: {count:,} lines, {count:,} accepted, 0 refused" in told
    assert f"stored: messages: {2 * count:,} of {2 * count:,}" in told
    assert messages(gauge, day) == 2 * count


def _noted(path: Path, chunk: int) -> str:
    """The progress once so many bodies are acknowledged; empty before."""
    text = path.read_text() if path.exists() else "{}"
    return text if json.loads(text).get("step", {}).get("chunk", 0) >= chunk else ""


def test_victoriametrics_comes_in_from_a_server_and_from_its_export(
    gauge: StreamgaugeProcess, tmp_path: Path
) -> None:
    days = [TODAY - 40, TODAY - 39]
    lines = history(days, FLOWS, STAMPS)
    ends = {"--from": days[0] * DAY_S, "--to": TODAY * DAY_S}
    with victoria_metrics(tmp_path / "vm") as server:
        write(server, lines, "vdb")
        server.get("/internal/force_flush").raise_for_status()
        flat = [str(word) for pair in ends.items() for word in pair]
        told, _ = bring(gauge, tmp_path, "victoria", server.base_url, *flat)
        with closing(VictoriaServer(str(server.base_url), None, Naming(), *EVER)) as source:
            seen = sum((lines_of(source.read(scope)) for scope in source.scopes()), Counter())
        path = tmp_path / "export.jsonl"
        path.write_bytes(_exported(server))
    points = len(days) * FLOWS * STAMPS
    # Everything is a number there, strings are 0.
    assert f"read: {9 * points:,} values (by the source's count {9 * points:,})" in told
    assert f"sent: {3 * points:,} lines, {3 * points:,} accepted" in told
    kept = stored(gauge, days)
    assert (kept["vdb queue"], kept["vdb own one"]) == (2 * points, 4 * points)
    assert kept["messages"] == 3 * points
    tenants = counts_by(gauge.client, "tenant", days[0] * DAY_S, (days[1] + 1) * DAY_S)
    assert tenants == {f"t{flow}": 6 * STAMPS for flow in range(FLOWS)}
    assert lines_of(VictoriaFile(path, Naming(), *EVER).read([])) == seen
    if IS_NIGHTLY:
        words = ("victoria", path, "--split", "none", "--db", "again")
        told, _ = bring(gauge, tmp_path / "file", *words)
        assert f"stored: messages: {3 * points:,} of {3 * points:,}" in told
        assert stored(gauge, days)["again own one_load"] == points


def _exported(server: httpx.Client) -> bytes:
    question = {"match[]": '{__name__!=""}', "start": "0"}
    return server.get("/api/v1/export", params=question).raise_for_status().content
