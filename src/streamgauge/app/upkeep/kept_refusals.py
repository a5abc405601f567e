"""Keeps over restarts what was refused, for the page and the API that tell of it.

What `kill -9` loses is what was refused since the last `save`.
"""

from __future__ import annotations

import json
from pathlib import Path

import structlog

from streamgauge.model.whole import replace_whole
from streamgauge.receive.ledger import RefusalLedger

log = structlog.get_logger(__name__)


class KeptRefusals:
    """One small file, replaced as a whole."""

    def __init__(self, path: Path, ledger: RefusalLedger) -> None:
        self._path, self._ledger = path, ledger
        self._saved_count = 0

    def load(self) -> None:
        """Go on counting where a former process ended; what cannot be read is passed over."""
        try:
            self._ledger.restore(json.loads(self._path.read_bytes()))
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("what was refused before cannot be read", error=repr(error))

    def save(self) -> None:
        """Write it down if there is anything new; a full disk costs nothing else."""
        if self._ledger.change_count == self._saved_count:
            return
        self._saved_count = self._ledger.change_count
        content = json.dumps(self._ledger.dump())
        try:
            replace_whole(self._path, content.encode())
        except OSError as error:
            log.warning("what was refused cannot be kept", error=str(error))
