"""Jinja with auto-escaping everywhere, and the rule by which pages update themselves.

A page is one template with one block `live`. Whoever asks with htmx's header gets that block alone,
from the same address, with the same range and filters.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from streamgauge.web import format as formats
from streamgauge.web import words
from streamgauge.web.assets import asset
from streamgauge.web.names import segment

TEMPLATES = Path(__file__).parent / "templates"


@cache
def environment() -> Environment:
    """The templates; a name that is not given is an error, never an empty place."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "ago": formats.ago,
        "count": formats.count,
        "data_size": formats.data_size,
        "duration": formats.duration,
        "iso": formats.iso,
        "json": _json_attribute,
        "rate": formats.rate,
        "segment": segment,
        "share": formats.share,
        "utc": formats.utc,
        "utc_short": formats.utc_short,
    }
    made.globals |= {"asset": asset, "plural": formats.plural, "words": words}
    return made


def render(
    request: Request,
    template_name: str,
    context: Mapping[str, Any],
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A page, or its live block for htmx."""
    template = environment().get_template(template_name)
    full = {"path": request.url.path, "address": address_of(request), **context}
    if request.headers.get("hx-request") and "live" in template.blocks:
        text = "".join(template.blocks["live"](template.new_context(full)))
    else:
        text = template.render(full)
    return HTMLResponse(text, status, headers={"Vary": "HX-Request", **(headers or {})})


def address_of(request: Request) -> str:
    """Path and query as they came, percent-encoded, so that asking again asks the same."""
    raw: bytes | None = request.scope.get("raw_path")
    path = quote(request.scope["path"]) if raw is None else raw.partition(b"?")[0].decode("latin-1")
    return f"{path}?{request.url.query}" if request.url.query else path


def _json_attribute(value: object) -> str:
    """JSON for an attribute; Jinja escapes it."""
    return json.dumps(value, separators=(",", ":"))
