"""Scripts, styles, font and icon, built from `assets/` into `static/dist` with hashed names."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

DIST = Path(__file__).parent / "static" / "dist"
PREFIX = "/static"
FOR_EVER = "public, max-age=31536000, immutable"
"""The name changes with the content, so a browser need never ask again."""


@cache
def asset(name: str) -> str:
    """The address of a built file by its plain name, such as `app.js`.

    A checkout that was never built still serves plain pages; `make setup` builds.
    """
    return f"{PREFIX}/{_manifest().get(name, name)}"


@cache
def _manifest() -> dict[str, str]:
    path = DIST / "manifest.json"
    names: dict[str, str] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return names


class _Immutable(StaticFiles):
    async def check_config(self) -> None:
        """A checkout that was never built has no such folder; its pages are plain."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = FOR_EVER
        return response


def asset_routes(folder: Path = DIST) -> list[BaseRoute]:
    """`/static/…`."""
    return [Mount(PREFIX, _Immutable(directory=folder, check_dir=False), name="static")]
