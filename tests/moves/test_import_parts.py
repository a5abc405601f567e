"""What an import is made of, by itself: names, joining, the spool, answers that say later."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import polars as pl
import pytest

from streamgauge.app.imports.frames import as_frame, body_of, joined
from streamgauge.app.imports.influx_file import InfluxFile
from streamgauge.app.imports.progress import Progress, Tally
from streamgauge.app.imports.sending import Target
from streamgauge.app.imports.spool import Spool
from streamgauge.app.imports.verdict import faults
from streamgauge.app.imports.victoria import Naming, VictoriaFile
from streamgauge.model.errors import ConfigError, StoreError

NS_A_DAY = 86_400 * 10**9
EVER = (-(2**62), 2**62)

NAMES = {
    "our count": (Naming(), "messages_count", ("messages", "count")),
    "our latency": (Naming(), "messages_latency_ms", ("messages", "latency_ms")),
    "only sounds like ours": (Naming(), "messages_total", ("messages_total", "value")),
    "a queue": (Naming(), "queue_oldest_age_s", ("queue", "oldest_age_s")),
    "another, at the first": (Naming(), "cpu_usage_idle", ("cpu", "usage_idle")),
    "another, at the last": (Naming(split="last"), "my_cpu_idle", ("my_cpu", "idle")),
    "not split": (Naming(split="none"), "my_cpu_idle", ("my_cpu_idle", "value")),
    "a known measurement": (
        Naming(measurements=("my", "my_cpu")), "my_cpu_usage_idle", ("my_cpu", "usage_idle")
    ),
    "a separator of its own": (Naming(separator=":"), "my_cpu:usage", ("my_cpu", "usage")),
    "nothing to split": (Naming(), "up", ("up", "value")),
}  # fmt: skip


@pytest.mark.parametrize("case", NAMES)
def test_names_become_measurement_and_field(case: str) -> None:
    naming, name, expected = NAMES[case]
    assert naming.of(name) == expected


def rows(*each: tuple[str, int, str, str]) -> pl.DataFrame:
    series, stamp, name, value = zip(*each, strict=True)
    fields = [f"{key}={text}" for key, text in zip(name, value, strict=True)]
    columns = {"series": series, "stamp": stamp, "name": name, "fields": fields}
    return as_frame({"db": "d", **{key: pl.Series(list(one)) for key, one in columns.items()}})


def test_fields_of_a_point_become_one_line_and_the_last_value_wins() -> None:
    frame = rows(("m,a=1", 5, "x", "1"), ("m,a=2", 5, "x", "2"), ("m,a=1", 5, "y", "3"),
                 ("m,a=1", 4, "x", "4"), ("m,a=1", 5, "x", "9"))  # fmt: skip
    lines, lost = joined(frame)
    assert body_of(lines) == b"m,a=1 x=4 4\nm,a=1 y=3,x=9 5\nm,a=2 x=2 5"
    assert lost == 1


def test_a_day_too_large_is_cut_without_parting_a_point(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", max_rows=100)
    stamps = [n * 10**9 for n in range(500)]
    counts = spool.add(rows(*(("m", at, "x", "1") for at in stamps)))
    counts += spool.add(rows(*(("m", at, "y", "2") for at in stamps), ("m", NS_A_DAY, "x", "1")))
    assert counts == {0: 1000, 1: 1}
    parts = list(spool.parts(0, counts[0]))
    assert len(parts) == 10
    assert max(map(len, parts)) < 200
    lines = [joined(part)[0] for part in parts]
    assert sum(map(len, lines)) == 500
    again = [body_of(joined(part)[0]) for part in spool.parts(0, counts[0])]
    assert again == [body_of(one) for one in lines]


def test_an_export_of_several_databases(tmp_path: Path) -> None:
    path = tmp_path / "export"
    path.write_text(
        "# DDL\nCREATE DATABASE a WITH NAME autogen\n# DML\n# CONTEXT-DATABASE:a b\n"
        '# CONTEXT-RETENTION-POLICY:autogen\nm text="x\n# y",n=1i 1\n'
        "# CONTEXT-DATABASE:c\n# CONTEXT-RETENTION-POLICY:rp\n# writing\nm v=2 2\n\nm v=3\n"
    )
    pieces = list(InfluxFile(path, None, *EVER).read([]))
    frame = pl.concat(piece.frame for piece in pieces)
    assert frame["db"].to_list() == ["a%20b&rp=autogen", "c&rp=rp"]
    assert frame["fields"].to_list() == ['text="x\n# y",n=1i', "v=2"]
    assert sum(piece.unreadable for piece in pieces) == 1


def test_values_of_victoriametrics_that_are_none_are_told(tmp_path: Path) -> None:
    path = tmp_path / "export"
    metric = {"__name__": "cpu_load", "db": "d", "host": "a b"}
    values = '[1,null,"Infinity",2.5]'
    path.write_text(f'{{"metric":{json.dumps(metric)},"values":{values},"timestamps":[1,2,3,4]}}\n')
    (piece,) = VictoriaFile(path, Naming(), *EVER).read([])
    assert (
        body_of(joined(piece.frame)[0])
        == b"cpu,host=a\\ b load=1.0 1000000\ncpu,host=a\\ b load=2.5 4000000"
    )
    assert (piece.values, piece.unreadable) == (2, 2)
    path.write_text("no export\n")
    with pytest.raises(ConfigError, match="no line of /api/v1/export"):
        list(VictoriaFile(path, Naming(), *EVER).read([]))


class Answers(BaseHTTPRequestHandler):
    """Gives one answer after the other, and keeps the keys it was asked with."""

    plan: ClassVar[list[tuple[int, str]]] = []
    keys: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.keys.append(self.headers["Idempotency-Key"])
        status, text = self.plan.pop(0)
        body = json.dumps({"error": text}).encode() if status != 204 else b""
        self.send_response(status)
        self.send_header("Retry-After", "0.01")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        Answers.keys.clear()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_later_is_waited_for_with_the_same_key(url: str) -> None:
    with Target(url, None) as target:
        Answers.plan[:] = [(503, "busy"), (429, "limit"), (204, "")]
        assert target.write("d", b"m v=1 1", 1).refused == 0
        assert len(set(Answers.keys)) == 1
        Answers.plan[:] = [(400, "partial write: no dropped=3")]
        assert target.write("d", b"m v=1 2", 7).refused == 3
        Answers.plan[:] = [(401, "a token is needed")]
        with pytest.raises(ConfigError, match="STREAMGAUGE_IMPORT_TOKEN"):
            target.write("d", b"m v=1 3", 1)
    assert len(set(Answers.keys)) == 3


def test_too_busy_for_too_long_ends_with_what_to_do(url: str) -> None:
    Answers.plan[:] = [(503, "busy")] * 9
    with (
        Target(url, None, give_up_s=0.0) as target,
        pytest.raises(StoreError, match="run the same command again"),
    ):
        target.write("d", b"m v=1 1", 1)


def test_progress_of_another_import_is_refused(tmp_path: Path) -> None:
    Progress(tmp_path, {"source": "a"}, scopes=[["x"]]).save()
    assert Progress.at(tmp_path, {"source": "a"}).is_resumed
    with pytest.raises(ConfigError, match="another import"):
        Progress.at(tmp_path, {"source": "b"})


DIFFERENCES = {
    "all is there": (Tally(2, 2, expected={"messages": 2}, stored={"messages": 2}), ""),
    "the source has more": (Tally(2, 3), "the source counts 3"),
    "the store has less": (Tally(1, 1, expected={"a b": 2}, stored={"a b": 1}), "a b: 2 were sent"),
    "the store has more": (Tally(1, 1, expected={"a b": 2}, stored={"a b": 3}), "anybody else"),
    "lines were refused": (Tally(1, 1, refused_lines=1), "1 lines were refused"),
    "nothing was found": (Tally(), "nothing was found"),
}


@pytest.mark.parametrize("case", DIFFERENCES)
def test_what_does_not_agree_is_said(case: str) -> None:
    tally, expected = DIFFERENCES[case]
    told = "\n".join(faults(tally))
    assert expected in told
    assert bool(told) == bool(expected)
