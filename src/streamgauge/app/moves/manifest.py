"""What stands in a backup: written last, so that an interrupted backup has none."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from streamgauge.app.moves.depot import Written
from streamgauge.model.errors import StoreError
from streamgauge.store.moves.snapshot import TableRecord

NAME = "manifest.json"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Manifest:
    """One backup."""

    version: str
    """Of the streamgauge that made it."""
    began_at: str
    """RFC 3339, UTC: what was acknowledged before this is in it."""
    finished_at: str
    migrations: list[int]
    """Of the engine's schema."""
    tables: dict[str, TableRecord]
    engine_files: int
    engine_bytes: int
    revision: str
    """Of the state's schema."""
    state: dict[str, int]
    """Rows of each of its tables."""
    files: dict[str, Written]
    """Everything but the engine's, by path."""

    def text(self) -> bytes:
        """As it is written, with a checksum of itself."""
        content = {"format": FORMAT, **asdict(self)}
        return json.dumps(content | {"sha256": _digest(content)}, indent=1).encode() + b"\n"


def read_manifest(text: bytes, address: str) -> Manifest:
    """Understand a manifest.

    Raises:
        StoreError: it is damaged, or of a newer format.
    """
    try:
        content: dict[str, Any] = json.loads(text)
        told, number = content.pop("sha256"), int(content["format"])
        if number > FORMAT:
            what = f"{address} was made by a newer streamgauge ({content.get('version')})"
            raise StoreError(f"{what}: install that version", permanent=True)
        if told != _digest(content):
            raise ValueError("its checksum does not match")  # noqa: TRY301 told as one of many
        del content["format"]
        content["tables"] = {k: TableRecord(**v) for k, v in content["tables"].items()}
        content["files"] = {k: Written(**v) for k, v in content["files"].items()}
        return Manifest(**content)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        text_of = f"{address}/{NAME} is damaged ({error}): use another backup"
        raise StoreError(text_of, permanent=True) from error


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
