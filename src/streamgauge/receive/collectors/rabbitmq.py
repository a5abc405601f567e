"""RabbitMQ by its management API: every queue that the user may see, in pages.

Messages in hands count apart: what waits is `messages_ready`. The API is some seconds behind (the
broker's `collect_statistics_interval`). Without the plugin, an `amqp` URL asks queue by queue.

Source: https://www.rabbitmq.com/docs/management#http-api (`/api/queues`, pagination, columns).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, unquote

import httpx

from streamgauge.model.gatherer import Fault
from streamgauge.receive.collectors.collector import (
    AgeMethod,
    Collector,
    CollectorSettings,
    QueueReading,
)
from streamgauge.receive.collectors.faults import CollectorFault, not_permitted, wrong_credentials

PAGE_SIZE = 500
_STATS = ("publish", "ack", "deliver_no_ack", "get_no_ack")
COLUMNS = ",".join(
    [
        *("name", "vhost", "state", "consumers", "head_message_timestamp"),
        *("messages_ready", "messages_unacknowledged"),
        *(f"message_stats.{name}" for name in _STATS),
    ]
)
_NOT_RUNNING = frozenset({"down", "crashed", "stopped"})


def make(settings: CollectorSettings) -> Collector:
    """A collector that is not connected yet, by what the URL speaks."""
    if settings.address.parts.scheme.startswith("amqp"):
        from streamgauge.receive.collectors.rabbitmq_declare import DeclareCollector

        return DeclareCollector(settings)
    return ManagementCollector(settings)


class ManagementCollector:
    """One HTTP client."""

    kind = "rabbitmq"

    def __init__(self, settings: CollectorSettings) -> None:
        self._settings, self._address = settings, settings.address
        self._client: httpx.AsyncClient | None = None

    async def open(self) -> None:
        """Nothing is asked before the first read."""
        parts = self._address.parts
        host = parts.netloc.rpartition("@")[2]
        self._client = httpx.AsyncClient(
            base_url=f"{parts.scheme}://{host}",
            auth=(self._address.user or "guest", self._address.secret() or "guest"),
            timeout=self._settings.timeout_s,
        )

    async def close(self) -> None:
        """Let go of its connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def read(self) -> Sequence[QueueReading]:
        """All queues of the virtual hosts that the user may see, or of the one in the URL."""
        vhost = self._address.parts.path.strip("/")
        path = f"/api/queues/{quote(unquote(vhost), safe='')}" if vhost else "/api/queues"
        found: list[QueueReading] = []
        page = pages = 1
        while page <= pages:
            answer = await self._ask(path, page)
            found += [_reading(one, has_vhost=not vhost) for one in answer["items"]]
            pages, page = int(answer["page_count"]), page + 1
        return found

    async def _ask(self, path: str, page: int) -> dict[str, Any]:
        if self._client is None:
            raise ConnectionResetError
        asked: dict[str, str | int] = {"page": page, "page_size": PAGE_SIZE, "columns": COLUMNS}
        try:
            answer = await self._client.get(path, params=asked)
        except httpx.TimeoutException as error:
            raise TimeoutError from error
        except httpx.RemoteProtocolError as error:
            raise ConnectionResetError from error
        if answer.status_code != httpx.codes.OK:
            raise self._refused(answer)
        try:
            found = answer.json()
            return {"items": found["items"], "page_count": found["page_count"]}
        except (ValueError, KeyError, TypeError):
            raise self._strange("it does not answer as RabbitMQ's management API") from None

    def _refused(self, answer: httpx.Response) -> CollectorFault:
        where, user = self._address.where, self._address.user or "guest"
        if answer.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            if "management" in answer.text or answer.status_code == httpx.codes.FORBIDDEN:
                return not_permitted(where, user, "read queues: it needs the tag `monitoring`")
            return wrong_credentials(where, user)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return CollectorFault(
                Fault.GONE, f"{where} has no such virtual host, or no management API: check `url`"
            )
        return self._strange(f"it answers {answer.status_code}")

    def _strange(self, text: str) -> CollectorFault:
        return CollectorFault(Fault.ANSWER, f"{self._address.where}: {text}: check `url`")


def _reading(queue: dict[str, Any], *, has_vhost: bool) -> QueueReading:
    """`has_vhost`: its virtual host goes before its name, unless it is the default one."""
    vhost, name = queue["vhost"], queue["name"]
    shown = f"{vhost}/{name}" if has_vhost and vhost != "/" else name
    if queue.get("state") in _NOT_RUNNING:
        problem = f"the broker says that it is {queue['state']}: look at the node that holds it"
        return QueueReading(shown, problem=problem)
    stats = queue.get("message_stats") or None
    counts = {key: float(stats.get(key, 0)) if stats else None for key in _STATS}
    done = [counts[key] for key in _STATS[1:]]
    age = _age_s(queue)
    return QueueReading(
        shown,
        backlog=queue.get("messages_ready"),
        oldest_age_s=age,
        in_total=counts["publish"],
        out_total=sum(count for count in done if count is not None) if stats else None,
        consumers=queue.get("consumers"),
        in_flight=queue.get("messages_unacknowledged"),
        oldest_age_method=AgeMethod.NONE if age is None else AgeMethod.BROKER,
    )


def _age_s(queue: dict[str, Any]) -> float | None:
    """By the time stamp that its sender gave the first message, where it did; whole seconds."""
    stamp = queue.get("head_message_timestamp")
    if not isinstance(stamp, int | float):
        return None
    return max(time.time() - stamp, 0.0)
