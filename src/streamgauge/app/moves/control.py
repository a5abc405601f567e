"""How a command reaches the process that has the data folder: over HTTP, by a key in that folder.

`up` leaves its address and a random key in `DATA/control.json`, readable by its user alone; so
whoever may read the data may have it backed up, with or without tokens. One backup at a time.
"""

from __future__ import annotations

import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from streamgauge.app.configuration import Configuration
from streamgauge.app.moves.backup import summary, write_backup
from streamgauge.app.moves.depot import Depot, S3Access
from streamgauge.model.errors import StoreError, StreamgaugeError
from streamgauge.store import Store

log = structlog.get_logger()

FILE = "control.json"
PATH = "/api/v1/backup"
HEADER = "X-Streamgauge-Control"
LOOK_EVERY_S = 0.3


class Control:
    """The serving side."""

    def __init__(self, folder: Path, port: int, store: Store, configuration: Configuration) -> None:
        self._path, self._url = folder / FILE, _own_url(configuration.server.host, port)
        self._store, self._configuration = store, configuration
        self._key = secrets.token_urlsafe(32)
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._told: dict[str, object] = {"state": "none"}

    def write(self) -> None:
        """Say how we are reached; a disk that refuses costs nothing else."""
        try:
            self._path.unlink(missing_ok=True)
            self._path.touch(mode=0o600)
            self._path.write_text(json.dumps({"url": self._url, "key": self._key}))
        except OSError as error:
            log.warning("`streamgauge backup` cannot find this process", reason=str(error))

    def close(self) -> None:
        """End a backup that is being written; it stays without a manifest."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._path.unlink(missing_ok=True)

    def routes(self) -> list[Route]:
        """`POST` begins a backup, `GET` says how far it is."""
        return [Route(PATH, self._answer, methods=["GET", "POST"])]

    async def _answer(self, request: Request) -> Response:
        if not hmac.compare_digest(request.headers.get(HEADER, "").encode(), self._key.encode()):
            text = f"{PATH} is for `streamgauge backup` on the same machine, which has the key"
            return JSONResponse({"error": text}, status_code=403)
        if request.method == "GET":
            return JSONResponse(self._told)
        if self._thread is not None and self._thread.is_alive():
            return JSONResponse({"error": "a backup is being written already"}, status_code=409)
        asked = json.loads(await request.body())
        self._told = {"state": "running", "step": "flushing"}
        self._thread = threading.Thread(target=self._run, args=(asked,), name="backup", daemon=True)
        self._thread.start()
        return JSONResponse(self._told, status_code=202)

    def _run(self, asked: dict[str, object]) -> None:
        try:
            depot = Depot(str(asked["to"]), _access(asked["s3"]))
            made = write_backup(self._store, self._configuration, depot, self._tell, self._stop)
            self._told = {"state": "done", "summary": summary(made)}
            log.info("a backup was written", to=depot.address)
        except StreamgaugeError as error:
            self._told = {"state": "failed", "error": str(error)}
            log.warning("the backup failed", reason=str(error))
        except Exception as error:  # whoever waits for it must hear of it
            self._told = {"state": "failed", "error": f"a defect, please report it: {error!r}"}
            log.exception("the backup failed")

    def _tell(self, step: str) -> None:
        self._told = {"state": "running", "step": step}


def _own_url(host: str, port: int) -> str:
    """Where this machine reaches us, also where we listen on all addresses."""
    near = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104 compared only
    return f"http://[{near}]:{port}" if ":" in near and "[" not in near else f"http://{near}:{port}"


def _access(given: object) -> S3Access:
    assert isinstance(given, dict)  # noqa: S101 our own command wrote it
    return S3Access(**given)


def ask_running(
    folder: Path, to: str, access: S3Access, tell: Callable[[str], None]
) -> list[str] | None:
    """Have the running process write a backup; its summary. None: there is no such process.

    Raises:
        StoreError: the backup failed, or the process went away.
    """
    try:
        told = json.loads((folder / FILE).read_text())
    except (OSError, ValueError):
        return None
    s3 = {name: getattr(access, name) for name in S3Access.__slots__}
    headers = {HEADER: told["key"]}
    with httpx.Client(base_url=told["url"], headers=headers, timeout=60, trust_env=False) as client:
        try:
            answer = client.post(PATH, json={"to": to, "s3": s3})
        except httpx.TransportError:
            return None  # killed: the file is of a former process
        if answer.status_code != 202:
            raise StoreError(answer.json()["error"], permanent=False)
        return _until_done(client, tell)


def _until_done(client: httpx.Client, tell: Callable[[str], None]) -> list[str]:
    step = ""
    while True:
        try:
            told = client.get(PATH).json()
        except httpx.TransportError as error:
            text = "streamgauge ended while it wrote the backup, which is not whole: try again"
            raise StoreError(text, permanent=False) from error
        if told["state"] == "done":
            return [str(line) for line in told["summary"]]
        if told["state"] != "running":
            raise StoreError(told.get("error", "it was restarted meanwhile"), permanent=False)
        if told["step"] != step:
            step = told["step"]
            tell(step)
        time.sleep(LOOK_EVERY_S)
