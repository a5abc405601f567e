"""Where the engine writes a backup to: a folder, or an S3-compatible address."""

from __future__ import annotations

from dataclasses import dataclass, field

ENGINE_OPTIONS = {"backups.allowed_path": "/"}
"""How the embedded engine has to be opened, for it to write a folder that we name later."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the engine writes to and reads from."""

    url: str
    """A folder's absolute path, or `http(s)://host/bucket/prefix`."""
    access_key: str = ""
    secret_key: str = field(default="", repr=False)

    @property
    def sql(self) -> str:
        """As BACKUP and RESTORE name it."""
        if self.url.startswith("/"):
            return f"File({_quoted(self.url)})"
        parts = (self.url, self.access_key, self.secret_key)
        return f"S3({', '.join(map(_quoted, parts))})"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
