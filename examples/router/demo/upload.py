"""Hands the generated history to streamgauge, whole minutes at a time and in order.

In order, because streamgauge judges as it reads: what is stored must be a world that was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
from examples.router.demo.errors import DemoError
from examples.router.history import Body

PATIENCE_S = 60.0
"""How long one body is offered again and again."""


@dataclass(slots=True)
class Uploaded:
    """What has been taken so far."""

    body_count: int = 0
    line_count: int = 0
    ends: int = 0
    received: int = 0

    def add(self, body: Body) -> None:
        """That body was taken."""
        self.body_count += 1
        self.line_count += body.line_count
        self.ends += body.ends
        self.received += body.received


async def upload(
    client: httpx.AsyncClient,
    bodies: Iterator[Body],
    on_progress: Callable[[Uploaded], None] = lambda _: None,
) -> Uploaded:
    """Write all bodies, the next being generated while one is on its way.

    Raises:
        DemoError: a body was refused, or nobody took it in a minute.
    """
    uploaded = Uploaded()
    body = await asyncio.to_thread(next, bodies, None)
    while body is not None:
        following = asyncio.create_task(asyncio.to_thread(next, bodies, None))
        await _write(client, body.content)
        uploaded.add(body)
        on_progress(uploaded)
        body = await following
    return uploaded


async def _write(client: httpx.AsyncClient, content: bytes) -> None:
    """The same bytes again on 503, as any router does."""
    said = "nothing"
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                answer = await client.post("/write?db=router&precision=ns", content=content)
                if answer.is_success:
                    return
                said = f"{answer.status_code}: {answer.text[:300]}"
                if answer.status_code != 503:
                    break
                await asyncio.sleep(float(answer.headers.get("retry-after", 0.5)))
    except (TimeoutError, httpx.TransportError) as error:
        said = f"{said}, then {error!r}"
    raise DemoError(f"streamgauge does not take the history; it answers {said}")
