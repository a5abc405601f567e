"""A backup to S3-compatible storage (moto's server) and back; no key is ever told."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from moto.server import ThreadedMotoServer

from streamgauge.testing.api import counts_by
from streamgauge.testing.process import COMMAND, StreamgaugeProcess
from streamgauge.testing.waiting import eventually

pytestmark = [pytest.mark.process, pytest.mark.slow]

ACCESS_KEY, SECRET_KEY = "AKIDSTREAMGAUGE", "never-to-be-said-8c1f"
BUCKET = "backups"
IS_NIGHTLY = bool(os.environ.get("STREAMGAUGE_NIGHTLY"))


@pytest.fixture
def s3() -> Iterator[str]:
    """The address of an S3 that holds one empty bucket."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        httpx.put(f"{url}/{BUCKET}", trust_env=False).raise_for_status()
        yield url
    finally:
        server.stop()


def command(*words: object, keys: dict[str, str], code: int = 0) -> str:
    done = subprocess.run(
        [str(COMMAND), *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=os.environ | keys,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_backup_goes_to_s3_and_comes_back_with_no_key_told(s3: str, tmp_path: Path) -> None:
    minute = int(time.time() // 60) * 60
    keys = {
        "AWS_ENDPOINT_URL": s3,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "STREAMGAUGE_BACKUP__SECRET_KEY": SECRET_KEY,
    }
    address = f"s3://{BUCKET}/streamgauge/monday"
    lines = [f"messages,tenant=t{n % 5} count=2i {minute * 10**9 + n}" for n in range(500)]
    with StreamgaugeProcess(tmp_path / "old") as old:
        old.start()
        assert old.client.post("/write?db=a", content="\n".join(lines)).status_code == 204
        told = command("backup", address, "--data", old.data, keys=keys)
        assert "backed up to s3://" in told
        unreached = _unreached(address, old.data, keys) if IS_NIGHTLY else ""
        old_said = old.stdout + old.stderr
    data = tmp_path / "new" / "data"
    restored = command("restore", address, "--data", data, keys=keys)
    with StreamgaugeProcess(tmp_path / "new") as new:
        new.start()
        assert new.client.post("/write?db=a", content="\n".join(lines)).status_code == 204
        expected = {f"t{n}": 200 for n in range(5)}
        counts = lambda: counts_by(new.client, "tenant", minute, minute + 60)  # noqa: E731
        eventually(lambda: counts() == expected, within_s=30, what="each line, once")
        said = [told, unreached, restored, old_said, new.stdout, new.stderr]
    kept = [path.read_text(errors="replace") for path in tmp_path.rglob("*.json")]
    for text in (*said, *kept):
        assert SECRET_KEY not in text
        assert ACCESS_KEY not in text


def _unreached(address: str, data: Path, keys: dict[str, str]) -> str:
    wrong = keys | {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    return command("backup", f"{address}-b", "--data", data, keys=wrong, code=1)
