"""Whether the engine's own files survive a power cut, as the journal's do."""

from __future__ import annotations

from streamgauge.store.engine import Engine

_TABLES = (
    "messages",
    "minute",
    "queue",
    "queue_minute",
    "points",
    "last_seen",
    "seen_minute",
    "rejected",
)


def set_durability(engine: Engine, fsync: bool) -> None:
    """Have parts written through to the disk before an insert is done, or not.

    The journal forgets what is inserted, so that the engine has to be as safe as it is.

    Raises:
        StoreError: the engine refused.
    """
    answer = engine.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase() "
        "AND position(engine_full, 'fsync_after_insert = 1') > 0"
    )
    synced = set(answer.column("name").to_pylist()) if answer.num_rows else set()
    for name in _TABLES:
        if fsync != (name in synced):
            engine.command(
                f"ALTER TABLE {name} MODIFY SETTING fsync_after_insert = {int(fsync)}, "
                f"fsync_part_directory = {int(fsync)}"
            )
