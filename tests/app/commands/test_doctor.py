"""`doctor`: what it finds, how it tells, and that it leaves nothing behind."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from streamgauge.testing.process import COMMAND

pytestmark = pytest.mark.process


def _doctor(data: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [str(COMMAND), "doctor", "--data", str(data), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_it_measures_everything_and_leaves_nothing(tmp_path: Path) -> None:
    done = _doctor(tmp_path / "data", "--json")
    found = {one["name"]: one for one in json.loads(done.stdout)["findings"]}
    names = {"processors", "memory", "files", "clock", "disk", "disk speed", "ingest", "holds"}
    assert names <= found.keys()
    assert {one["state"] for one in found.values()} <= {"ok", "warning", "problem"}
    assert all(one["todo"] for one in found.values() if one["state"] != "ok")
    assert done.returncode == int(any(one["state"] == "problem" for one in found.values()))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = _doctor(tmp_path / "file" / "data")
    assert done.returncode == 1
    assert "--data" in done.stdout
    assert "Traceback" not in done.stderr
