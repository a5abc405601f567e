"""The commands that move data: `backup`, `restore`, `migrate`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from streamgauge.app import logs, wiring
from streamgauge.app.configuration import Configuration, load

ConfigPath = Annotated[Path | None, Parameter(name="--config", help="TOML file with the settings.")]
DataPath = Annotated[Path | None, Parameter(help="Folder for everything that is kept.")]
WAITING = 2
"""Exit code of `migrate --check` where something is to be done."""


def register(app: App) -> None:
    """Add them."""
    for command in (backup, restore, migrate):
        app.command(command)


def backup(destination: str, /, *, config: ConfigPath = None, data: DataPath = None) -> None:
    """Write everything to a new folder or s3://bucket/prefix, also while `up` runs."""
    from streamgauge.app.moves.backup import back_up_offline, summary
    from streamgauge.app.moves.control import ask_running
    from streamgauge.app.moves.depot import Depot, s3_access

    settings = _load(config, data)
    access = s3_access(settings.backup)
    depot = Depot(destination, access)
    to = destination if "://" in destination else str(Path(destination).expanduser().resolve())
    told = ask_running(wiring.data_folder(settings), to, access, _tell)
    if told is None:
        told = summary(back_up_offline(settings, depot, _tell))
    print("\n".join((f"backed up to {depot.address}", *told)))


def restore(source: str, /, *, config: ConfigPath = None, data: DataPath = None) -> None:
    """Make an empty data folder what a backup holds, and prove it."""
    from streamgauge.app.moves.backup import summary
    from streamgauge.app.moves.depot import Depot, s3_access
    from streamgauge.app.moves.restore import restore as run

    settings = _load(config, data)
    manifest = run(settings, Depot(source, s3_access(settings.backup)), _tell)
    folder = wiring.data_folder(settings)
    first = f"restored {source}, written by streamgauge {manifest.version}, to {folder}"
    print("\n".join((first, *summary(manifest), "start it with `streamgauge up`")))


def migrate(
    *,
    config: ConfigPath = None,
    data: DataPath = None,
    check: Annotated[bool, Parameter(help="Only say what would be done.")] = False,
) -> None:
    """Bring the schema of store and state to this version; `up` does so by itself."""
    from streamgauge.app.moves.upgrade import upgrade

    count = upgrade(_load(config, data), check, _tell)
    if not count:
        print("the schema is up to date")
    elif check:
        print(f"{count} migrations wait: run `streamgauge migrate`, or start `streamgauge up`")
        raise SystemExit(WAITING)
    else:
        print(f"{count} migrations have run: the schema is up to date")


def _tell(step: str) -> None:
    print(step, file=sys.stderr)


def _load(config: Path | None, data: Path | None) -> Configuration:
    settings = load(config, {"server": {"data": str(data) if data else None}})
    logs.configure(settings.log.level, settings.log.format)
    return settings
