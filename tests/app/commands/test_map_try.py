"""`streamgauge map try`, and the example in docs/mapping.md."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import cramjam
import pytest

from streamgauge.app.commands.map_try import run
from streamgauge.model.errors import ConfigError

PAGE = Path(__file__).parents[3] / "docs/mapping.md"


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE.read_text(), re.DOTALL)


def test_the_example_of_the_page_prints_what_the_page_says(tmp_path: Path) -> None:
    (sample,), (rules,), (shown,) = blocks("text"), blocks("toml"), blocks("console")
    (tmp_path / "sample.txt").write_text(sample)
    (tmp_path / "streamgauge.toml").write_text(rules)
    command, _, wanted = shown.partition("\n")
    words = command.removeprefix("$ streamgauge ").split()
    code = "from streamgauge.app.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == wanted


def protobuf_of_remote_write() -> bytes:
    """`up` with a label and one sample, as snappy: written by hand from prompb/remote.proto."""

    def field(number: int, content: bytes) -> bytes:
        return bytes([number << 3 | 2, len(content)]) + content

    labels = [
        field(1, field(1, k) + field(2, v))
        for k, v in ((b"__name__", b"app_lag"), (b"topic", b"t"))
    ]
    sample = field(2, b"\x09" + b"\0" * 7 + b"\x40" + b"\x10\x01")
    return bytes(cramjam.snappy.compress_raw(field(1, b"".join(labels) + sample)))


OTLP = """{"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "message.latency",
"unit": "ms",
"exponentialHistogram": {"aggregationTemporality": 1, "dataPoints": [{"timeUnixNano": "1",
"count": "1", "scale": 3, "positive": {"offset": 1, "bucketCounts": ["1"]}}]}}]}]}]}"""
SAMPLES: list[tuple[str, bytes, list[str]]] = [
    (
        "a remote-write body",
        protobuf_of_remote_write(),
        ['app_lag{topic="t"}', 'to = "queue.backlog"'],
    ),
    (
        "OTLP as JSON",
        OTLP.encode(),
        ["message.latency: tenant=default", "times 0.001; its cells count"],
    ),
    (
        "line protocol",
        b"messages,tenant=a count=1i\nx,a=b y=2",
        ["`messages` that are understood as they are: 1", "x_y{"],
    ),
    ("Prometheus text", b'queue_backlog{queue="q"} 5\n', ["queue.backlog: queue=q", "by its name"]),
    (
        "Prometheus text",
        b"# TYPE up gauge\nup 1\n# EOF\n",
        ["a point of up", "nothing says what it means"],
    ),
]


@pytest.mark.parametrize(("kind", "body", "wanted"), SAMPLES)
def test_the_format_is_known_by_its_content(
    kind: str, body: bytes, wanted: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "sample"
    file.write_bytes(body)
    told = run(str(file), [])
    assert told.startswith(kind)
    for part in wanted:
        assert part in told


@pytest.mark.parametrize("body", [b"\xff\xfe\x00", b'{"resourceMetrics": 1}', b"a b=c\n"])
def test_what_is_no_sample_is_told(body: bytes, tmp_path: Path) -> None:
    file = tmp_path / "sample"
    file.write_bytes(body)
    with pytest.raises(ConfigError, match="is no sample of metrics"):
        run(str(file), [])


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        run(str(tmp_path / "none"), [])
