"""The commands that bring history in: `import influx`, `import victoria`."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

from streamgauge.model.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from streamgauge.app.imports.running import Source

TOKEN_VARIABLE = "STREAMGAUGE_IMPORT_TOKEN"  # noqa: S105 its name
_MAX_NS = 2**63 - 1

Given = Annotated[str, Parameter(help="A file, also gzipped, or http://host:port of a server.")]
ToUrl = Annotated[str, Parameter(name="--to-url", help="The streamgauge that takes it.")]
Token = Annotated[str | None, Parameter(help=f"For it; better by {TOKEN_VARIABLE}.")]
Db = Annotated[str | None, Parameter(help="Only this database; of a file: where it goes.")]
From = Annotated[str | None, Parameter(name="--from", help="Epoch seconds or RFC 3339, included.")]
To = Annotated[str | None, Parameter(name="--to", help="The same, not included.")]
ProgressPath = Annotated[
    Path | None, Parameter(name="--progress", help="Folder for how far it is; it is made.")
]
DEFAULT_URL = "http://127.0.0.1:8686"


def register(app: App) -> None:
    """Add them."""
    import_app = App(name="import", help="Bring history in from InfluxDB or VictoriaMetrics.")
    import_app.command(influx)
    import_app.command(victoria)
    app.command(import_app)


def influx(
    source: Given,
    /,
    *,
    db: Db = None,
    from_: From = None,
    to: To = None,
    to_url: ToUrl = DEFAULT_URL,
    token: Token = None,
    progress: ProgressPath = None,
) -> None:
    """Import an `influx_inspect export`, line protocol, or what a running InfluxDB 1.x holds."""
    from streamgauge.app.imports.influx_file import InfluxFile
    from streamgauge.app.imports.influx_server import InfluxServer

    from_ns, to_ns = _span(from_, to)
    asked = {"kind": "influx", "db": db, "from": from_, "to": to, "into": to_url}
    if _is_url(source):
        with closing(InfluxServer(source, db, from_ns, to_ns)) as server:
            _run(server, asked | {"source": server.shown_url}, to_url, token, progress)
    else:
        path = _file(source)
        _run(InfluxFile(path, db, from_ns, to_ns), asked | _identity(path), to_url, token, progress)


def victoria(
    source: Given,
    /,
    *,
    match: Annotated[str | None, Parameter(help="Only these series, of a server.")] = None,
    db: Annotated[str | None, Parameter(help="Where it goes; default: by the label db.")] = None,
    split: Annotated[
        Literal["first", "last", "none"],
        Parameter(help="Where names are split into measurement and field."),
    ] = "first",
    separator: Annotated[str, Parameter(help="Between the two.")] = "_",
    measurement: Annotated[
        tuple[str, ...], Parameter(help="A measurement whose name is known; may be repeated.")
    ] = (),
    from_: From = None,
    to: To = None,
    to_url: ToUrl = DEFAULT_URL,
    token: Token = None,
    progress: ProgressPath = None,
) -> None:
    """Import VictoriaMetrics' /api/v1/export, from a file or a running server."""
    from streamgauge.app.imports.victoria import Naming, VictoriaFile, VictoriaServer

    from_ns, to_ns = _span(from_, to)
    naming = Naming(separator, split, measurement, db)
    asked = {"kind": "victoria", "match": match, "from": from_, "to": to, "into": to_url}
    asked |= {"naming": str(asdict(naming))}
    if _is_url(source):
        with closing(VictoriaServer(source, match, naming, from_ns, to_ns)) as server:
            _run(server, asked | {"source": server.shown_url}, to_url, token, progress)
        return
    if match:
        raise ConfigError("--match is for a running server: choose when you export the file")
    path = _file(source)
    file = VictoriaFile(path, naming, from_ns, to_ns)
    _run(file, asked | _identity(path), to_url, token, progress)


def _run(
    source: Source, asked: dict[str, Any], url: str, token: str | None, folder: Path | None
) -> None:
    from streamgauge.app.imports.progress import Progress
    from streamgauge.app.imports.running import run
    from streamgauge.app.imports.sending import Target
    from streamgauge.app.imports.verdict import faults, summary

    name = blake2b(repr(sorted(asked.items())).encode(), digest_size=4).hexdigest()
    progress = Progress.at(folder or Path(f"streamgauge-import-{name}"), asked)
    if progress.is_done:
        print(f"this was imported before (remove {progress.folder} to begin anew)", file=sys.stderr)
    elif progress.is_resumed:
        print(f"going on where {progress.folder} says it ended", file=sys.stderr)
    with Target(url, token or os.environ.get(TOKEN_VARIABLE)) as target:
        run(source, target, progress)
    print("\n".join(summary(progress.tally)))
    if found := faults(progress.tally):
        raise StoreError("\n".join(("not everything agrees:", *found)), permanent=True)


def _is_url(source: str) -> bool:
    return source.startswith(("http://", "https://"))


def _file(source: str) -> Path:
    path = Path(source).expanduser().resolve()
    if not path.is_file():
        raise ConfigError(f"{source}: no such file; give one, or http://host:port")
    return path


def _identity(path: Path) -> dict[str, Any]:
    status = path.stat()
    return {"source": str(path), "size": status.st_size, "changed": status.st_mtime_ns}


def _span(from_: str | None, to: str | None) -> tuple[int, int]:
    begin, end = _instant_ns(from_, "--from", -_MAX_NS), _instant_ns(to, "--to", _MAX_NS)
    if begin >= end:
        raise ConfigError(f"--from {from_} is not before --to {to}")
    return begin, end


def _instant_ns(given: str | None, name: str, default: int) -> int:
    if given is None:
        return default
    try:
        return round(float(given) * 1e6) * 1000
    except ValueError:
        pass
    try:
        instant = datetime.fromisoformat(given)
    except ValueError as error:
        text = f"{name} {given}: give epoch seconds or RFC 3339, as in 2026-03-02T04:11:00Z"
        raise ConfigError(text) from error
    aware = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1e6) * 1000
