"""What stops the start says what is wrong, where, and what to do; it shows no stack trace."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from streamgauge.testing.api import overview, write
from streamgauge.testing.process import StreamgaugeProcess
from streamgauge.testing.waiting import eventually

pytestmark = pytest.mark.process

FILE = "streamgauge.toml"


def _refused(process: StreamgaugeProcess) -> str:
    """Start what must not start; what it said."""
    try:
        process.spawn()
        assert process.wait(60) not in {0, -9, -11}
    finally:
        process.close()
    said = process.stderr
    assert "Traceback" not in said
    assert 0 < len(said) < 2000
    return said


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = _refused(StreamgaugeProcess(tmp_path, port=port))
    assert str(port) in said
    assert "--listen" in said


def test_a_second_process_on_one_data_folder_is_refused(
    streamgauge: StreamgaugeProcess, tmp_path: Path
) -> None:
    second = StreamgaugeProcess(tmp_path / "second", data=streamgauge.data)
    said = _refused(second)
    assert str(streamgauge.data) in said
    assert streamgauge.is_ready()


@pytest.mark.parametrize(
    ("config", "named"),
    [
        pytest.param("[server]\nlisten_on = 'x'", [FILE, "listen_on", "listen"], id="unknown key"),
        pytest.param("[serve]\nlisten = 'x'", [FILE, "serve", "server"], id="unknown table"),
        pytest.param("[detect]\ntick = 10", [FILE, "detect.tick", "10", "unit"], id="no unit"),
        pytest.param(
            "[detect]\ntick = '10 parsecs'", [FILE, "detect.tick", "unit"], id="wrong unit"
        ),
        pytest.param("[server\n", [FILE, "TOML"], id="not TOML"),
        pytest.param(
            "[[notify]]\nkind = 'pigeon'", [FILE, "notify", "pigeon", "opsgenie"], id="kind"
        ),
        pytest.param("[[notify]]\nkind = 'opsgenie'", [FILE, "api_key"], id="a missing secret"),
        pytest.param(
            "[[rule]]\nmetric = 'love'\nabove = 1.0",
            ["[[rule]]", "love", "error_ratio"],
            id="unknown metric",
        ),
        pytest.param(
            "[[rule]]\nmetric = 'backlog'", [FILE, "above", "below"], id="a rule without threshold"
        ),
    ],
)
def test_a_wrong_configuration_names_file_key_and_what_is_accepted(
    tmp_path: Path, config: str, named: list[str]
) -> None:
    said = _refused(StreamgaugeProcess(tmp_path, config))
    for word in named:
        assert word in said, said


def test_other_addresses_need_tokens(tmp_path: Path) -> None:
    said = _refused(StreamgaugeProcess(tmp_path, host="0.0.0.0"))
    assert "0.0.0.0" in said
    assert "tokens" in said


def test_a_file_in_place_of_the_data_folder_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("not a folder")
    said = _refused(StreamgaugeProcess(tmp_path / "program", data=file))
    assert str(file) in said


def test_it_ends_when_asked_and_keeps_what_it_took(streamgauge: StreamgaugeProcess) -> None:
    now = int(time.time())
    lines = [f"messages,tenant=acme count=1i {(now - 60) * 10**9 + n}" for n in range(5000)]
    assert write(streamgauge.client, lines).status_code == 204
    assert streamgauge.stop() == 0
    assert "Traceback" not in streamgauge.stderr
    assert streamgauge.stdout == ""

    streamgauge.start()
    eventually(
        lambda: overview(streamgauge.client, now - 600, now + 60)["messages"] == 5000,
        within_s=15,
        what="what was acknowledged before the end",
    )
