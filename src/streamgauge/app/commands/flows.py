"""The commands about what is expected of flows: they talk to a running server."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx
from cyclopts import App, Parameter

from streamgauge.app import logs
from streamgauge.app.commands.flow_file import Line, read_file
from streamgauge.app.configuration import load
from streamgauge.model.errors import NotFound, PayloadError, StoreError
from streamgauge.web.names import segment

ConfigPath = Annotated[
    Path | None, Parameter(name="--config", help="TOML file that the server runs with.")
]
Url = Annotated[str | None, Parameter(help="Of the server; default: as the file says.")]
AT_ONCE = 5_000
TIMEOUT_S = 60.0
_COLUMNS = ("state", "tenant", "source", "integration", "pipeline", "calendar", "changed_by")


def register(app: App) -> None:
    """Add them."""
    flows = App(name="flows", help="Say what is expected of customers and their flows.")
    for command, name in ((import_file, "import"), (list_flows, "list"), (offboard, "offboard")):
        flows.command(command, name=name)
    app.command(flows)


def import_file(
    file: Path,
    /,
    *,
    url: Url = None,
    config: ConfigPath = None,
    dry_run: Annotated[bool, Parameter(help="Only say what would be done.")] = False,
) -> None:
    """Take a CSV: bad lines are named, the good ones are taken."""
    lines = list(read_file(file, time.time()))
    good = [line for line in lines if not line.fault]
    faults = [line for line in lines if line.fault]
    changed = 0
    if not dry_run:
        with server(url, config) as client:
            for start in range(0, len(good), AT_ONCE):
                count, refused = _put(client, good[start : start + AT_ONCE])
                changed += count
                faults += refused
    for line in sorted(faults, key=lambda line: line.number):
        print(f"{file}, line {line.number}: {line.fault}", file=sys.stderr)
    taken = len(lines) - len(faults)
    done = "would be taken (dry run)" if dry_run else f"were taken, {changed} of them changed"
    print(f"{taken} of {len(lines)} lines {done}")
    if faults:
        raise SystemExit(1)


def list_flows(
    tenant: Annotated[str | None, Parameter(help="Only this customer's.")] = None,
    /,
    *,
    url: Url = None,
    config: ConfigPath = None,
    json_: Annotated[bool, Parameter(name="--json", help="Machine-readable, on stdout.")] = False,
) -> None:
    """Say what was declared, paused and retired, and where it stands."""
    query = {"limit": "1", **({"tenant": tenant} if tenant else {})}
    with server(url, config) as client:
        declared = asked(client.get("/api/v1/flows", params=query))["declared"]
    if json_:
        print(json.dumps(declared, ensure_ascii=False))
        return
    rows = [_COLUMNS, *(tuple(str(one[name] or "") for name in _COLUMNS) for one in declared)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(_COLUMNS))]
    for row in rows:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )


def offboard(
    tenant: str,
    /,
    *,
    url: Url = None,
    config: ConfigPath = None,
) -> None:
    """A customer leaves: its flows are retired, its open incidents close."""
    with server(url, config) as client:
        done = asked(client.post(f"/api/v1/customers/{segment(tenant)}/offboard"))
    closed = len(done["closed"])
    incidents = "1 incident was" if closed == 1 else f"{closed} incidents were"
    print(f"{tenant} is retired from now on; {incidents} closed")


def _put(client: httpx.Client, lines: Sequence[Line]) -> tuple[int, list[Line]]:
    """Send lines; how many changed something, and those that the server refuses."""
    answer = client.put("/api/v1/flows", json={"flows": [line.item for line in lines]})
    if answer.status_code != 400 or "faults" not in answer.json():
        return int(asked(answer)["changed"]), []
    refused = {fault["index"]: fault for fault in answer.json()["faults"]}
    faults = [
        Line(lines[at].number, lines[at].item, f"{fault['field']}: {fault['reason']}")
        for at, fault in refused.items()
    ]
    rest = [line for at, line in enumerate(lines) if at not in refused]
    changed, more = _put(client, rest) if rest else (0, [])
    return changed, [*faults, *more]


def _client(url: str | None, config: Path | None) -> httpx.Client:
    settings = load(config, {})
    logs.configure(settings.log.level, settings.log.format)
    host, port = settings.server.listen.rsplit(":", 1)
    near = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)  # noqa: S104 compared only
    tokens = settings.auth.tokens
    headers = {"Authorization": f"Token {tokens[0].get_secret_value()}"} if tokens else {}
    return httpx.Client(
        base_url=url or f"http://{near}:{port}",
        headers=headers,
        timeout=TIMEOUT_S,
        trust_env=False,
    )


@contextmanager
def server(url: str | None, config: Path | None) -> Iterator[httpx.Client]:
    """The running server.

    Raises:
        StoreError: nobody answers there.
    """
    with _client(url, config) as client:
        try:
            yield client
        except httpx.TransportError as error:
            where = f"no streamgauge answers at {client.base_url} ({error})"
            raise StoreError(f"{where}: start it, or name it by --url", permanent=False) from error


def asked(answer: httpx.Response) -> dict[str, Any]:
    """The answer's JSON.

    Raises:
        NotFound, PayloadError, StoreError: as the server says.
    """
    try:
        told: dict[str, Any] = answer.json()
    except ValueError:
        told = {"error": f"{answer.url} answers {answer.status_code} and no JSON"}
    if answer.is_success:
        return told
    reason = str(told.get("error", answer.status_code))
    if answer.status_code == 404:
        raise NotFound(reason)
    if answer.status_code in {400, 401, 403}:
        raise PayloadError(reason)
    raise StoreError(reason, permanent=False)
