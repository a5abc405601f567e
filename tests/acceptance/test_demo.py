"""The demonstration shows what it promises, and leaves nothing behind however it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from streamgauge.testing.process import free_port
from streamgauge.testing.waiting import eventually

ROOT = Path(__file__).parents[2]
CHECK_WITHIN_S = 420.0
PREPARED_WITHIN_S = 120.0
ENDED_WITHIN_S = 15.0

pytestmark = [pytest.mark.process, pytest.mark.slow]


@contextmanager
def demo(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The demo as `make demo` runs it, on a folder of its own for what is temporary."""
    with (folder / "demo.txt").open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "examples.router.demo", *arguments],
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=os.environ | {"TMPDIR": str(folder), "COLUMNS": "120"},
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def said(folder: Path) -> str:
    """What the demo printed so far."""
    return (folder / "demo.txt").read_text()


def processes_of(folder: Path) -> list[str]:
    """Command lines of live processes that work in that folder, or are told of it."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            environment = (entry / "environ").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if command and f"TMPDIR={folder}\0" in environment:
            found.append(command)
    return found


def test_the_check_of_the_demo_holds(tmp_path: Path) -> None:
    with demo(tmp_path, "--check", "--port", str(free_port())) as process:
        code = process.wait(CHECK_WITHIN_S)
    assert code == 0, said(tmp_path)
    assert "NOT OK" not in said(tmp_path)
    assert said(tmp_path).count("ok      ") >= 10
    assert processes_of(tmp_path) == []


@pytest.mark.parametrize(
    ("number", "code"),
    [
        pytest.param(signal.SIGINT, 0, id="Ctrl-C ends it quietly"),
        pytest.param(signal.SIGKILL, -9, id="even kill -9 leaves nothing running"),
    ],
)
def test_nothing_outlives_the_demo(tmp_path: Path, number: signal.Signals, code: int) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with demo(tmp_path, "--port", str(port)) as process:
            eventually(
                lambda: "open it in a browser" in said(tmp_path) or process.poll() is not None,
                within_s=PREPARED_WITHIN_S,
                what="live traffic",
            )
            assert process.poll() is None, said(tmp_path)
            assert len(processes_of(tmp_path)) == 6
            process.send_signal(number)
            assert process.wait(ENDED_WITHIN_S) == code, said(tmp_path)
    eventually(
        lambda: not processes_of(tmp_path), within_s=ENDED_WITHIN_S, what="the end of its processes"
    )
    assert f"port {port} is in use; streamgauge takes" in said(tmp_path)
    assert "Traceback" not in said(tmp_path)


def test_a_stage_that_cannot_be_set_up_says_why(tmp_path: Path) -> None:
    environment = os.environ | {"STREAMGAUGE_DETECT__TICK": "soon"}
    done = subprocess.run(
        [sys.executable, "-m", "examples.router.demo", "--port", str(free_port())],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PREPARED_WITHIN_S,
        check=False,
    )
    assert done.returncode == 1
    assert "streamgauge ended with code 1; it said last:" in done.stdout
    assert "detect.tick" in done.stdout.lower()
    assert "Traceback" not in done.stdout
