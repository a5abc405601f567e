"""The processes of the demonstration: started on a lifeline, stopped in order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from examples.router.demo.errors import DemoError

ROOT = Path(__file__).parents[3]
LOG_LINES = 12
STOP_S = 2.5


class Child:
    """One process, what it said, and whether it lives."""

    def __init__(self, name: str, command: Sequence[str], folder: Path) -> None:
        self.name = name
        self.log_path = folder / f"{name}.log"
        leash = [sys.executable, "-m", "examples.router.lifeline", str(os.getpid())]
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own command
                [*leash, *command],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is ours to hand on, in order
            )

    def must_live(self) -> None:
        """Raises DemoError, with its last words, if it has ended."""
        code = self.process.poll()
        if code is not None:
            raise DemoError(
                f"{self.name} ended with code {code}; it said last:\n{self.last_words()}"
            )

    def last_words(self) -> str:
        """The last lines of its log, indented."""
        lines = self.log_path.read_text(errors="replace").splitlines()[-LOG_LINES:]
        return "\n".join(f"    {line}" for line in lines) or "    (nothing)"


class Children:
    """All of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._children: list[Child] = []

    def start(self, name: str, *command: str) -> Child:
        """Start a command; its output goes to a file."""
        child = Child(name, command, self._folder)
        self._children.append(child)
        return child

    def start_module(self, name: str, module: str, *arguments: str) -> Child:
        """Start a Python module of this repository."""
        return self.start(name, sys.executable, "-m", module, *arguments)

    def last_words(self) -> str:
        """The last lines of every log."""
        return "\n".join(f"  {one.name}:\n{one.last_words()}" for one in self._children)

    def must_live(self) -> None:
        """Raises DemoError if one has ended."""
        for child in self._children:
            child.must_live()

    async def stop(self) -> None:
        """End all, last started first; kill what does not end in time."""
        for child in reversed(self._children):
            self._signal(child, signal.SIGTERM)
        deadline = time.monotonic() + STOP_S
        while time.monotonic() < deadline and any(
            child.process.poll() is None for child in self._children
        ):
            await asyncio.sleep(0.05)
        for child in self._children:
            self._signal(child, signal.SIGKILL)
            child.process.wait()

    @staticmethod
    def _signal(child: Child, number: signal.Signals) -> None:
        if child.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.process.pid, number)
