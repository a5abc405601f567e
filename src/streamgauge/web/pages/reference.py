"""`/api/docs`: the API's reference, written by the server from the OpenAPI description.

Our own page rather than Swagger UI: it needs no script, works under the content security policy,
and brings 1.5 MB less.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from streamgauge.web.pages.front import Page
from streamgauge.web.templating import render


def reference_page(app: FastAPI) -> Page:
    """The page, made anew from what is served."""

    async def page(request: Request) -> Response:
        server = f"{request.url.scheme}://{request.url.netloc}"
        return render(
            request, "reference.html", {"groups": groups_of(app.openapi()), "server": server}
        )

    return page


def groups_of(description: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Operations by their tag, each with its method and path."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            for tag in operation.get("tags", ["Other"])[:1]:
                groups.setdefault(tag, []).append(
                    {
                        "method": method.upper(),
                        "path": path,
                        "summary": operation.get("summary", ""),
                        "parameters": [
                            parameter_of(told) for told in operation.get("parameters", [])
                        ],
                    }
                )
    return groups


def parameter_of(told: dict[str, Any]) -> dict[str, Any]:
    """A parameter's name, whether it must be given, and what is accepted."""
    schema = told["schema"]
    parts = [told.get("description", "").replace("`", "")]  # the page marks no code here
    choices = schema.get("enum", [])
    if choices:
        parts.append("one of " + ", ".join(choices))
    if "default" in schema:
        parts.append(f"by default {schema['default'] or 'none'}")
    text = "; ".join(part for part in parts if part)
    return {"name": told["name"], "required": told.get("required", False), "text": text}
