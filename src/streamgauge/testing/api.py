"""Writes to streamgauge and asks it, as an HTTP client of its API would."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from typing import Any

import httpx


def write(
    client: httpx.Client, lines: Iterable[str] | bytes, *, zipped: bool = False, **parameters: str
) -> httpx.Response:
    """One `POST /write` of line protocol; the answer, whatever it is.

    Args:
        client: with the base address of a streamgauge.
        lines: line protocol, or a body as it is.
        zipped: send it gzipped.
        parameters: of the query, such as `precision`; `db` is `router` unless given.
    """
    body = lines if isinstance(lines, bytes) else "\n".join(lines).encode()
    headers = {"Content-Encoding": "gzip"} if zipped else {}
    return client.post(
        "/write",
        params={"db": "router", **parameters},
        content=gzip.compress(body, 1) if zipped else body,
        headers=headers,
    )


def overview(client: httpx.Client, from_s: float, to_s: float, **filters: str) -> dict[str, Any]:
    """The key metrics of `from_s` ≤ event time < `to_s`."""
    return _get(client, "/api/v1/overview", {"from": from_s, "to": to_s, **filters})


def counts_by(
    client: httpx.Client, label: str, from_s: float, to_s: float, metric: str = "messages"
) -> dict[str, int]:
    """The sum of a counting metric per value of a label."""
    question = {"metric": metric, "from": from_s, "to": to_s, "step": to_s - from_s, "by": label}
    answer = _get(client, "/api/v1/timeseries", question)
    return {
        series["labels"][label]: round(sum(value or 0 for value in series["values"]))
        for series in answer["series"]
    }


def incidents(client: httpx.Client, **filters: str) -> list[dict[str, Any]]:
    """The incidents, newest first."""
    found: list[dict[str, Any]] = _get(client, "/api/v1/incidents", filters)["incidents"]
    return found


def _get(client: httpx.Client, path: str, question: dict[str, Any]) -> dict[str, Any]:
    answer = client.get(path, params=question)
    if answer.status_code != 200:
        raise AssertionError(f"GET {answer.url}: {answer.status_code} {answer.text[:500]}")
    found: dict[str, Any] = answer.json()
    return found
