"""NATS JetStream: every consumer is a queue, `stream/consumer`; a stream without any is one, too.

What waits is what a consumer was not handed yet; the oldest message is the first one that was not
acknowledged, so it may be in somebody's hands.

Source: https://docs.nats.io/reference/reference-protocols/nats_api_reference (STREAM.LIST,
CONSUMER.LIST: 256 a page; STREAM.MSG.GET with `next_by_subj`, from 2.9 on).
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Coroutine, Sequence
from datetime import UTC, datetime
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError, NoServersError

from streamgauge.model.gatherer import Fault
from streamgauge.receive.collectors.address import read_secret
from streamgauge.receive.collectors.collector import AgeMethod, CollectorSettings, QueueReading
from streamgauge.receive.collectors.faults import CollectorFault, not_permitted, wrong_credentials

API = "$JS.API"
LOOKED_UP_AT_ONCE = 16
_NOT_FOUND = {10037, 10059}
"""No message found; stream not found: it went away while we read."""
_NOT_ENABLED = {10039, 10076}
_LOCKED_OUT = ("authorization violation", "authentication", "authorization")
_BEYOND_MICROSECONDS = re.compile(r"(\.\d{6})\d+")


def make(settings: CollectorSettings) -> NatsCollector:
    """A collector that is not connected yet."""
    return NatsCollector(settings)


class NatsCollector:
    """One connection."""

    kind = "nats"

    def __init__(self, settings: CollectorSettings) -> None:
        self._settings, self._address = settings, settings.address
        self._client: Client | None = None
        self._forbidden = asyncio.Event()
        self._noted: Exception | None = None
        """What the library told beside an answer: why it did not connect, what is forbidden."""

    async def open(self) -> None:
        """Connect; the runner connects anew, the library never does."""
        self._noted = None
        self._forbidden.clear()
        self._client = Client()  # kept first: also what did not connect has to be closed
        try:
            await self._client.connect(
                self._address.url,
                connect_timeout=max(1, int(self._settings.timeout_s)),
                allow_reconnect=False,
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                error_cb=self._note,
                **self._credentials(),
            )
        except (NatsError, OSError) as error:
            raise self._explained(error) from error

    async def close(self) -> None:
        """Disconnect."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def read(self) -> Sequence[QueueReading]:
        """All consumers of all streams, and the streams without any."""
        found: list[QueueReading] = []
        try:
            async for stream in self._pages("STREAM.LIST", "streams"):
                name = stream["config"]["name"]
                consumers = [one async for one in self._pages(f"CONSUMER.LIST.{name}", "consumers")]
                found += await self._consumers(stream, consumers)
        except (NatsError, OSError) as error:
            raise self._explained(error) from error
        return found

    async def _consumers(
        self, stream: dict[str, Any], consumers: Sequence[dict[str, Any]]
    ) -> list[QueueReading]:
        if not consumers:
            return [_bare(stream)]
        limit = asyncio.Semaphore(LOOKED_UP_AT_ONCE)

        async def reading(consumer: dict[str, Any]) -> QueueReading:
            async with limit:
                return _reading(consumer, await self._oldest(consumer))

        wanted = [one for one in consumers if self._settings.naming.takes(_name(one))]
        return list(await asyncio.gather(*(reading(one) for one in wanted)))

    async def _oldest(self, consumer: dict[str, Any]) -> datetime | None:
        """When the first message was stored that is not acknowledged; None: there is none."""
        if not consumer["num_pending"] and not consumer["num_ack_pending"]:
            return None
        after = consumer["ack_floor"]["stream_seq"] + 1
        times = []
        for subject in _subjects(consumer) or [">"]:
            body = {"seq": after, "next_by_subj": subject}
            answer = await self._ask(f"STREAM.MSG.GET.{consumer['stream_name']}", body)
            if "message" in answer:
                times.append(_time(answer["message"]["time"]))
        return min(times, default=None)

    async def _pages(self, question: str, key: str) -> AsyncIterator[dict[str, Any]]:
        offset = 0
        while True:
            answer = await self._ask(question, {"offset": offset})
            page = answer.get(key) or []
            for one in page:
                yield one
            offset += len(page)
            if not page or offset >= answer["total"]:
                return

    async def _ask(self, question: str, body: dict[str, Any]) -> dict[str, Any]:
        if self._client is None or self._client.is_closed:
            raise ConnectionResetError
        data, timeout_s = json.dumps(body).encode(), self._settings.timeout_s
        request = self._client.request(f"{API}.{question}", data, timeout=timeout_s)
        answer: dict[str, Any] = json.loads((await self._unless_forbidden(request)).data)
        error = answer.get("error")
        if error and error.get("err_code") in _NOT_ENABLED:
            raise NoRespondersError
        if error and error.get("err_code") not in _NOT_FOUND:
            where, why = self._address.where, error.get("description", "no reason")
            raise CollectorFault(Fault.ANSWER, f"{where}: JetStream refuses {question}: {why}")
        return answer

    async def _unless_forbidden(self, request: Coroutine[Any, Any, Msg]) -> Msg:
        """A question that may not be asked is never answered: it is not waited for."""
        asking = asyncio.ensure_future(request)
        forbidden = asyncio.ensure_future(self._forbidden.wait())
        try:
            await asyncio.wait({asking, forbidden}, return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                raise NatsError
            return asking.result()
        finally:
            asking.cancel()
            forbidden.cancel()

    def _credentials(self) -> dict[str, Any]:
        options = self._settings.options
        if options.get("credentials_file"):
            return {"user_credentials": options["credentials_file"]}
        if options.get("token_file"):
            return {"token": read_secret(options["token_file"])}
        user, password = self._address.user, self._address.secret()
        return {"user": user, "password": password} if user else {}

    async def _note(self, error: Exception) -> None:
        self._noted = error
        if "permissions violation" in str(error).lower():
            self._forbidden.set()

    def _explained(self, error: Exception) -> Exception:
        where, user = self._address.where, self._address.user
        told = f"{self._noted or ''} {error}".lower()
        if "permissions violation" in told:
            return not_permitted(where, user, f"ask {API} ({self._noted})")
        if any(word in told for word in _LOCKED_OUT):
            return wrong_credentials(where, user)
        if isinstance(error, NoRespondersError):
            text = f"{where}: JetStream is not enabled there, or not for this account: enable it"
            return CollectorFault(Fault.GONE, text)
        if isinstance(error, OSError):
            return error
        if isinstance(error, NoServersError):
            return self._noted or error
        return ConnectionResetError()


def _reading(consumer: dict[str, Any], oldest: datetime | None) -> QueueReading:
    """Of a consumer of one subject among others, deliveries are counted in place of messages."""
    pending, in_flight = consumer["num_pending"], consumer["num_ack_pending"]
    is_whole = not _subjects(consumer)
    delivered = consumer["delivered"]["stream_seq" if is_whole else "consumer_seq"]
    is_push = bool(consumer["config"].get("deliver_subject"))
    return QueueReading(
        _name(consumer),
        backlog=pending,
        oldest_age_s=_age_s(oldest),
        in_total=delivered + pending,
        out_total=max(delivered - in_flight, 0),
        consumers=float(bool(consumer.get("push_bound"))) if is_push else None,
        in_flight=in_flight,
        oldest_age_method=AgeMethod.HEAD,
    )


def _bare(stream: dict[str, Any]) -> QueueReading:
    """A stream that nobody consumes: everything in it waits."""
    state = stream["state"]
    count = state["messages"]
    return QueueReading(
        stream["config"]["name"],
        backlog=count,
        oldest_age_s=_age_s(_time(state["first_ts"]) if count else None),
        in_total=state["last_seq"],
        out_total=state["last_seq"] - count,
        oldest_age_method=AgeMethod.HEAD,
    )


def _age_s(oldest: datetime | None) -> float:
    """By our clock: brokers before 2.10 do not tell theirs. Zero where nothing waits."""
    return max((datetime.now(UTC) - oldest).total_seconds(), 0.0) if oldest else 0.0


def _time(text: str) -> datetime:
    """RFC 3339 with nanoseconds."""
    return datetime.fromisoformat(_BEYOND_MICROSECONDS.sub(r"\1", text))


def _name(consumer: dict[str, Any]) -> str:
    return f"{consumer['stream_name']}/{consumer['name']}"


def _subjects(consumer: dict[str, Any]) -> list[str]:
    """What it filters by; none: it gets all of the stream."""
    config = consumer["config"]
    one = config.get("filter_subject")
    return config.get("filter_subjects") or ([one] if one else [])
