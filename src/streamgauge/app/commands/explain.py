"""`streamgauge explain`: why something was, or was not, told; asks a running server."""

from __future__ import annotations

import json
from typing import Annotated, Any

from cyclopts import App, Parameter

from streamgauge.app.commands.flows import ConfigPath, Url, asked, server


def register(app: App) -> None:
    """Add it."""
    app.command(explain)


def explain(
    *,
    tenant: Annotated[str | None, Parameter(help="The customer; none: the platform.")] = None,
    source: Annotated[str | None, Parameter(help="One of its sources.")] = None,
    integration: Annotated[str | None, Parameter(help="Where messages are delivered.")] = None,
    pipeline: Annotated[str | None, Parameter(help="The route.")] = None,
    at: Annotated[str | None, Parameter(help="As 2026-11-24T03:10Z; default: now.")] = None,
    url: Url = None,
    config: ConfigPath = None,
    json_: Annotated[bool, Parameter(name="--json", help="Machine-readable, on stdout.")] = False,
) -> None:
    """Say why you were, or were not, told of something, at any time of the last weeks."""
    given = {"tenant": tenant, "source": source, "integration": integration, "pipeline": pipeline}
    query = {name: value for name, value in (given | {"at": at}).items() if value is not None}
    with server(url, config) as client:
        told = asked(client.get("/api/v1/explain", params=query))
    print(json.dumps(told, ensure_ascii=False) if json_ else "\n".join(_lines(told)))


def _lines(told: dict[str, Any]) -> list[str]:
    """The sentences, then the numbers."""
    lines = [*told["words"]]
    for part in ("silence", "errors"):
        numbers = told[part] or {}
        lines += [f"  {part}.{name} = {_written(value)}" for name, value in numbers.items()]
    return lines


def _written(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    return "-" if value is None else str(value)
