"""Where tokens are configured, nothing but health is told without one."""

import base64

import grpc
import httpx
import pytest
from google.rpc.status_pb2 import Status
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from streamgauge.app.serve.auth import OPEN_PATHS, TokenGate


async def _answer(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("inside")


GATE = TokenGate(
    Starlette(routes=[Route(path, _answer) for path in ["/", "/write", *sorted(OPEN_PATHS)]]),
    ["s3cret", "other"],
)


def _basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"me:{password}".encode()).decode()


CASES = {
    "no credential": (None, "", 401),
    "a token": ("Token s3cret", "", 200),
    "the other token": ("Token other", "", 200),
    "a bearer": ("Bearer s3cret", "", 200),
    "an Opsgenie key": ("GenieKey s3cret", "", 200),
    "scheme in capitals": ("TOKEN s3cret", "", 200),
    "a wrong token": ("Token s3cre", "", 401),
    "an empty token": ("Token ", "", 401),
    "an unknown scheme": ("Digest s3cret", "", 401),
    "basic": (_basic("s3cret"), "", 200),
    "basic with a wrong password": (_basic("no"), "", 401),
    "basic that is not base64": ("Basic %%%", "", 401),
    "InfluxDB's p in the query": (None, "?u=me&p=s3cret", 200),
    "a wrong p": (None, "?p=no", 401),
}


@pytest.mark.parametrize(("header", "query", "status"), CASES.values(), ids=CASES.keys())
@pytest.mark.anyio
async def test_gate(header: str | None, query: str, status: int) -> None:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(GATE), base_url="http://t"
    ) as client:
        headers = {"Authorization": header} if header else {}
        answer = await client.get(f"/write{query}", headers=headers)
    assert answer.status_code == status
    assert (status == 200) or "Authorization: Token" in answer.json()["error"]


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["/v1/metrics", "/v1/traces", "/v1/logs"])
@pytest.mark.parametrize("media", ["application/x-protobuf", "application/json"])
async def test_who_speaks_otlp_is_refused_in_its_words(path: str, media: str) -> None:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(GATE), base_url="http://t"
    ) as client:
        answer = await client.post(path, content=b"", headers={"Content-Type": media})
    assert (answer.status_code, answer.headers["content-type"]) == (401, media)
    status = Status.FromString(answer.content) if "protobuf" in media else None
    told = (status.code, status.message) if status else tuple(answer.json().values())
    assert told[0] == grpc.StatusCode.UNAUTHENTICATED.value[0]
    assert "Authorization: Token" in told[1]
    assert "WWW-Authenticate" in answer.headers


@pytest.mark.anyio
@pytest.mark.parametrize("path", sorted(OPEN_PATHS))
async def test_health_needs_no_token(path: str) -> None:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(GATE), base_url="http://t"
    ) as client:
        assert (await client.get(path)).status_code == 200


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
