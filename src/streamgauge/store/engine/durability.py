"""Whether the engine's own files survive a power cut, as the journal's do."""

from __future__ import annotations

from streamgauge.store.engine.engine import Engine


def set_durability(engine: Engine, fsync: bool) -> None:
    """Have parts written through to the disk before an insert is done, or not.

    The journal forgets what is inserted, so that the engine has to be as safe as it is.

    Raises:
        StoreError: the engine refused.
    """
    answer = engine.query(
        "SELECT name, position(engine_full, 'fsync_after_insert = 1') > 0 AS is_synced "
        "FROM system.tables WHERE database = currentDatabase() AND endsWith(engine, 'MergeTree')"
    )
    for name, is_synced in zip(*(column.to_pylist() for column in answer.columns), strict=True):
        if fsync != bool(is_synced):
            engine.command(
                f"ALTER TABLE {name} MODIFY SETTING fsync_after_insert = {int(fsync)}, "
                f"fsync_part_directory = {int(fsync)}"
            )
