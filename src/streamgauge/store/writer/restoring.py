"""Inserts again what was set aside, when somebody says that the cause is gone.

Rows go into their table under the token of the insert that was refused, so that they count once
however often this is interrupted. A body goes through the journal under a retry key of its own,
for the same reason, and is summed like any other.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import structlog

from streamgauge.model.errors import StoreError
from streamgauge.store.engine.engine import Engine
from streamgauge.store.journal.journal import Journal
from streamgauge.store.journal.records import decode_body, read_frames
from streamgauge.store.journal.retrykeys import digest
from streamgauge.store.writer.attempts import is_lasting
from streamgauge.store.writer.setaside import ROWS, SetAside, read_rows, token_of

log = structlog.get_logger(__name__)


def restore(aside: SetAside, engine: Engine, journal: Journal, now: float) -> int:
    """Insert what is wanted again; returns how many files went in.

    What is refused for what it is goes back among the others; what the engine cannot take just now
    stays wanted.

    Raises:
        StoreError: the engine or the disk refuses for now.
    """
    count = 0
    for path in aside.wanted():
        try:
            _insert(path, engine, journal, now)
        except Exception as error:  # whatever it is, it is about this file, or about now
            if not is_lasting(error):
                raise
            log.warning("set aside again", file=path.name, reason=str(error))
            aside.refused_again(path, str(error))
        else:
            aside.is_restored(path)
            log.info("put back what was set aside", file=path.name)
            count += 1
    return count


def _insert(path: Path, engine: Engine, journal: Journal, now: float) -> None:
    if path.suffix == ROWS:
        engine.insert(path.stem.partition("-")[2], read_rows(path), token_of(path))
        return
    with path.open("rb") as stream:
        frames = list(read_frames(stream))
    if not frames:
        raise StoreError(f"{path.name} cannot be read: it is damaged", permanent=True)
    for frame in frames:
        key = digest(b"set aside" + path.name.encode())
        journal.append(replace(decode_body(frame.payload), retry_key=key, received_at=now))
