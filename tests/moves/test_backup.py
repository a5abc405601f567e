"""A backup taken while the program runs, restored elsewhere: each line there, once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from streamgauge.store.writer.setaside import ASIDE, SetAside
from streamgauge.testing.api import counts_by
from streamgauge.testing.process import COMMAND, StreamgaugeProcess
from streamgauge.testing.waiting import eventually

pytestmark = [pytest.mark.process, pytest.mark.slow]


def command(*words: object, code: int = 0) -> str:
    done = subprocess.run(
        [str(COMMAND), *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=os.environ,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def lines(tenant: str, minute: int) -> bytes:
    return "\n".join(
        f"messages,tenant={tenant},source=web count=2i {minute * 60_000_000_000 + n * 1_000_000}"
        for n in range(500)
    ).encode()


def post(process: StreamgaugeProcess, body: bytes) -> None:
    assert process.client.post("/write?db=router", content=body).status_code == 204


def test_a_running_store_comes_back_whole_and_knows_retries(tmp_path: Path) -> None:
    minute = int(time.time() // 60)
    from_s, to_s = minute * 60, minute * 60 + 60
    saved = tmp_path / "saved"
    with StreamgaugeProcess(tmp_path / "old") as old:
        old.start()
        for tenant in ("a", "b"):
            post(old, lines(tenant, minute))
        aside = SetAside(old.data / ASIDE)
        aside.keep_rows("seen_minute", pa.table({"minute": [minute]}), "token", "was refused")
        told = command("backup", saved, "--data", old.data)
        assert "backed up to" in told
        assert "holds a backup already" in command("backup", saved, "--data", old.data, code=1)
        post(old, lines("later", minute))
        refused = old.client.post("/api/v1/backup", json={"to": str(tmp_path / "x")})
        assert refused.status_code == 403
    data = tmp_path / "new" / "data"
    assert "restored" in command("restore", saved, "--data", data)
    assert "is not empty" in command("restore", saved, "--data", data, code=1)
    assert "was refused" in command("set-aside", "list", "--data", data)
    with StreamgaugeProcess(tmp_path / "new") as new:
        new.start()
        for tenant in ("a", "b"):
            post(new, lines(tenant, minute))  # a sender's retry: the backup knows it
        counts = lambda: counts_by(new.client, "tenant", from_s, to_s)  # noqa: E731
        eventually(lambda: counts() == {"a": 1000, "b": 1000}, within_s=30, what="each, once")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup by the command alone, of a store that does not run."""
    folder = tmp_path_factory.mktemp("backup")
    with StreamgaugeProcess(folder / "old") as old:
        old.start()
        post(old, lines("a", int(time.time() // 60)))
    command("backup", folder / "saved", "--data", old.data)
    return folder / "saved"


def test_what_is_not_whole_is_refused(saved: Path, tmp_path: Path) -> None:
    manifest = json.loads((saved / "manifest.json").read_text())
    changes: dict[str, Any] = {
        "is damaged": {**manifest, "engine_bytes": 1},
        "newer streamgauge": {**manifest, "format": 99},
    }
    for words, content in changes.items():
        copy = tmp_path / words.replace(" ", "-")
        shutil.copytree(saved, copy)
        (copy / "manifest.json").write_text(json.dumps(content))
        assert words in command("restore", copy, "--data", tmp_path / "no", code=1)
    copy = tmp_path / "unfinished"
    shutil.copytree(saved, copy)
    next(path for path in (copy / "engine").rglob("*.bin")).unlink()
    assert "is not whole" in command("restore", copy, "--data", tmp_path / "no", code=1)
    (copy / "manifest.json").unlink()
    assert "no whole backup" in command("restore", copy, "--data", tmp_path / "no", code=1)
    assert not (tmp_path / "no").exists()
