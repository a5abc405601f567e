"""Opens a data folder's journal as it is set."""

from __future__ import annotations

from pathlib import Path

from streamgauge.store.journal.journal import Journal
from streamgauge.store.journal.retrykeys import RetryKeys
from streamgauge.store.settings import StoreSettings


def has_journal(data_dir: Path) -> bool:
    """Whether bodies were kept here before, so that they go on being counted."""
    return any((data_dir / "journal").glob("*.journal"))


def opened_journal(data_dir: Path, settings: StoreSettings, first_seq: int, now: float) -> Journal:
    """The journal, read back.

    Args:
        data_dir: Its folder `journal` is used; nobody else may.
        settings: Limits.
        first_seq: Where counting starts in an empty folder.
        now: Epoch seconds.

    Raises:
        StoreError: the folder cannot be read or written.
    """
    folder = data_dir / "journal"
    journal = Journal(
        folder,
        max_bytes=settings.journal_max_bytes,
        held_max_bytes=settings.held_max_bytes,
        fsync=settings.fsync,
        keys=RetryKeys(folder, settings.retry_keys_in_memory),
        first_seq=first_seq,
        file_max_bytes=settings.journal_file_max_bytes,
    )
    journal.open(now)
    return journal
