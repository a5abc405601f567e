"""Keeps over restarts what the governor learned and what it gave up: one small file."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import structlog

from streamgauge.govern.history import Day, History
from streamgauge.model.budget import GivenUp
from streamgauge.model.usage import Level
from streamgauge.model.whole import replace_whole

log = structlog.get_logger(__name__)


def load(path: Path) -> tuple[History, GivenUp]:
    """What a former process kept; one that cannot be read is passed over, and begun anew."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return _history(kept["history"]), GivenUp(**kept["given_up"])
    except FileNotFoundError:
        pass
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("what the governor knew cannot be read: it begins anew", error=str(error))
    return History(), GivenUp()


def save(path: Path, history: History, given_up: GivenUp) -> None:
    """Replace the file as a whole; a full disk costs nothing else."""
    content = json.dumps({"history": asdict(history), "given_up": asdict(given_up)})
    try:
        replace_whole(path, content.encode())
    except OSError as error:
        log.warning("what the governor knows cannot be kept", error=str(error))


def _history(kept: dict[str, Any]) -> History:
    days = tuple(
        Day(
            day=int(day["day"]),
            intake_bytes={Level(name): float(n) for name, n in day["intake_bytes"].items()},
            covered_s=float(day["covered_s"]),
            series=day["series"],
        )
        for day in kept["days"]
    )
    return History(days, kept["last_at"], dict(kept["last_bytes"]))
