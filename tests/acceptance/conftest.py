"""Small file systems, to be full or read-only also for root."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mount a file system in memory with the given options; it goes with the test."""
    folder = tmp_path / "mounted"
    folder.mkdir()

    def mount_with(options: str) -> Path:
        if os.getuid() != 0:
            pytest.skip("only root can mount the small file system this needs")
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
        return folder

    yield mount_with
    if folder.is_mount():
        subprocess.run(["umount", "-l", str(folder)], check=True)
