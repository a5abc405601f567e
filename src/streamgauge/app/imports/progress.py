"""How far an import is: a small file that survives `kill -9`, and a line on stderr."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from streamgauge.model.errors import ConfigError

FILE = "progress.json"
SHOW_EVERY_S = 2.0
Counts = dict[str, int]
"""By `db measurement`."""


@dataclass(slots=True)
class Tally:
    """What was counted, over all that is done."""

    read_values: int = 0
    source_values: int = 0
    """By the source's own count."""
    unreadable: int = 0
    overwritten: int = 0
    """Values for which the source had a later one of the same series and stamp."""
    sent_lines: int = 0
    accepted_lines: int = 0
    refused_lines: int = 0
    expected: Counts = field(default_factory=dict)
    stored: Counts = field(default_factory=dict)
    """What the store has more than before."""
    uncounted: list[str] = field(default_factory=list)
    """Why a count could not be compared."""
    reasons: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Step:
    """Where the scope at hand is."""

    is_read: bool = False
    days: dict[str, int] = field(default_factory=dict)
    """Rows that wait, by day."""
    chunk: int = 0
    """Bodies that were acknowledged."""
    before: Counts = field(default_factory=dict)
    expected: Counts = field(default_factory=dict)


@dataclass(slots=True)
class Progress:
    """Of one import; written after each acknowledgement."""

    folder: Path
    asked: dict[str, Any]
    """What must be the same when it goes on."""
    scopes: list[Any] = field(default_factory=list)
    scope: int = 0
    """The one at hand; as many as there are: all is done."""
    step: Step = field(default_factory=Step)
    tally: Tally = field(default_factory=Tally)
    is_resumed: bool = False

    @classmethod
    def at(cls, folder: Path, asked: dict[str, Any]) -> Progress:
        """What the folder holds, or a new one.

        Raises:
            ConfigError: it is of another import, or cannot be read.
        """
        path = folder / FILE
        if not path.exists():
            return cls(folder, asked)
        try:
            kept = json.loads(path.read_text())
            step, tally = Step(**kept["step"]), Tally(**kept["tally"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"{path} cannot be read: {error!r}") from error
        if kept["asked"] != asked:
            text = "is the progress of another import: name another folder by --progress"
            raise ConfigError(f"{path} {text}, or remove it")
        return cls(folder, asked, kept["scopes"], kept["scope"], step, tally, is_resumed=True)

    @property
    def is_done(self) -> bool:
        """Whether everything is sent."""
        return bool(self.scopes) and self.scope >= len(self.scopes)

    def save(self) -> None:
        """Write it, whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        kept = {
            "asked": self.asked,
            "scopes": self.scopes,
            "scope": self.scope,
            "step": asdict(self.step),
            "tally": asdict(self.tally),
        }
        part = self.folder / f"{FILE}.part"
        part.write_text(json.dumps(kept))
        os.replace(part, self.folder / FILE)  # noqa: PTH105


class Meter:
    """Tells how fast it goes and how long it will take, every two seconds."""

    def __init__(self, scope_count: int, scopes_done: int) -> None:
        self._scopes, self._done = max(scope_count, 1), scopes_done
        self._began = self._told = time.monotonic()
        self._first_ratio: float | None = None
        self._count, self._what, self._what_began = 0, "", self._began

    def next_scope(self) -> None:
        """One more is done."""
        self._done += 1

    def add(self, what: str, count: int, ratio: float) -> None:
        """`count` more; `ratio` of the scope at hand is behind us (reading: half of it)."""
        now = time.monotonic()
        if what != self._what:
            self._count, self._what, self._what_began = 0, what, now
        self._count += count
        whole = (self._done + ratio) / self._scopes
        if self._first_ratio is None:
            self._first_ratio = whole
        if now - self._told < SHOW_EVERY_S:
            return
        self._told = now
        spent, gone = now - self._began, whole - self._first_ratio
        left = f"{spent * (1 - whole) / gone:,.0f} s left" if gone > 0 else "time left unknown"
        rate = self._count / max(now - self._what_began, 1e-9)
        print(f"{what} {whole:.0%}, {rate:,.0f} lines/s, {left}", file=sys.stderr, flush=True)
