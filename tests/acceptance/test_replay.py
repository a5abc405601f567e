"""`streamgauge replay` runs the whole pipeline over files, on simulated time."""

from __future__ import annotations

import gzip
import json
import subprocess
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from streamgauge.testing.lines import Reported, customers, steady, without
from streamgauge.testing.process import COMMAND

pytestmark = [pytest.mark.process, pytest.mark.slow]

KEYS = {
    *("id", "kind", "opened_at", "closed_at", "severity", "tenant", "source", "integration"),
    *("pipeline", "summary", "suspected", "evidence"),
}
START = 29_000_160
"""A minute since the epoch: midnight of 2025-02-20."""
DAYS = 2
END = START + DAYS * 1440
SILENT = "customer-13"
GAP = range(END - 600, END - 480)
"""Two hours, eight hours before the end."""


def _replay(
    *arguments: str | Path, stdin: bytes = b"", cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, "replay", *map(str, arguments)],
        input=stdin.decode(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=cwd,
    )


def _incidents(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """The last line of each id, in the order of opening."""
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    last = {}
    for line in done.stdout.splitlines():
        incident = json.loads(line)
        assert incident.keys() == KEYS
        last[incident["id"]] = incident
    return sorted(last.values(), key=lambda incident: incident["opened_at"])


def _text(reports: Iterable[Reported]) -> str:
    return "".join(f"{report.line}\n" for report in reports)


def _minute(instant: str) -> float:
    assert instant.endswith("Z")
    return datetime.fromisoformat(instant).timestamp() / 60


@pytest.fixture(scope="module")
def reports() -> list[Reported]:
    everyone = steady(customers(20), range(START, END))
    return list(without(everyone, GAP, SILENT))


@pytest.fixture
def file(tmp_path: Path, reports: list[Reported]) -> Path:
    path = tmp_path / "history.lp"
    path.write_text(_text(reports))
    return path


def _check_one_silence(found: list[dict[str, Any]]) -> None:
    (silence,) = found
    assert (silence["kind"], silence["tenant"]) == ("silence", SILENT)
    assert silence["suspected"] == "customer"
    assert GAP.start < _minute(silence["opened_at"]) < GAP.start + 60
    assert GAP.stop <= _minute(silence["closed_at"]) < GAP.stop + 60
    assert SILENT in silence["summary"]
    assert silence["evidence"]


def test_one_silence_from_a_file_and_nothing_left_behind(file: Path) -> None:
    before = sorted(file.parent.iterdir())
    done = _replay(file, cwd=file.parent)
    _check_one_silence(_incidents(done))
    assert sorted(file.parent.iterdir()) == before


def test_gzipped_files_one_after_the_other(tmp_path: Path, reports: list[Reported]) -> None:
    half = len(reports) // 2
    for name, part in (("1.lp.gz", reports[:half]), ("2.lp.gz", reports[half:])):
        (tmp_path / name).write_bytes(gzip.compress(_text(part).encode(), 1))
    _check_one_silence(_incidents(_replay(tmp_path / "1.lp.gz", tmp_path / "2.lp.gz")))


def test_standard_input_with_bad_lines_which_are_told_and_left_out(
    reports: list[Reported],
) -> None:
    bad = "messages,tenant=acme\nnot a line at all\n"
    done = _replay("-", stdin=(bad + _text(reports)).encode())
    _check_one_silence(_incidents(done))
    assert "2 refused" in done.stderr
    assert "missing fields" in done.stderr


def test_nothing_is_printed_when_nothing_happened(tmp_path: Path) -> None:
    path = tmp_path / "calm.lp"
    path.write_text(_text(steady(customers(20), range(START, END))))
    done = _replay(path)
    assert (done.returncode, done.stdout) == (0, "")


def test_a_gap_of_everyone_is_one_blind_incident(tmp_path: Path) -> None:
    path = tmp_path / "gap.lp"
    path.write_text(_text(without(steady(customers(20), range(START, END)), GAP)))
    (blind,) = _incidents(_replay(path))
    assert (blind["kind"], blind["tenant"], blind["source"]) == ("blind", None, None)
    assert GAP.start < _minute(blind["opened_at"]) < GAP.start + 30
    assert GAP.stop <= _minute(blind["closed_at"]) < GAP.stop + 30


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = _replay(tmp_path / "none.lp")
    assert done.returncode != 0
    assert "none.lp" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
