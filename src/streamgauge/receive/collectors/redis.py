"""Redis: streams by consumer group, streams without a group, lists.

Keys are discovered by SCAN, by type, a bounded part of the key space at each look, again and again;
where every name is given, nothing is scanned. All keys of a look are asked in two round trips. To
Redis an empty list is none: one that was seen before and is not there any more has nothing waiting.

Source: https://redis.io/docs/latest/commands/xinfo-groups/ (`lag` and `entries-read` are nil where
they cannot be told; versions before 7.0 have neither), https://redis.io/docs/latest/commands/scan/
(what a whole walk guarantees).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError
from redis.exceptions import ConnectionError as RedisConnectionError

from streamgauge.receive.collectors.collector import AgeMethod, CollectorSettings, QueueReading
from streamgauge.receive.collectors.faults import not_permitted, wrong_credentials
from streamgauge.receive.collectors.redis_keys import Remembered, Walk

TYPES = ("stream", "list")
EARLIEST_MS = 1_262_304_000_000
"""2010: an id below it was given by hand and is no time."""
_LOCKED_OUT = ("NOAUTH", "WRONGPASS", "invalid username-password", "invalid password")


def make(settings: CollectorSettings) -> RedisCollector:
    """A collector that is not connected yet."""
    return RedisCollector(settings)


class RedisCollector:
    """One connection."""

    kind = "redis"

    def __init__(self, settings: CollectorSettings) -> None:
        self._settings, self._address = settings, settings.address
        self._redis: Redis | None = None
        self._walks = {kind: Walk(kind) for kind in TYPES}
        self._lists = Remembered()

    async def open(self) -> None:
        """Connect, and see whether we are let in."""
        address, timeout_s = self._address, self._settings.timeout_s
        self._redis = Redis(
            host=address.parts.hostname or "127.0.0.1",
            port=address.parts.port or 6379,
            db=int(address.parts.path.strip("/") or 0),
            username=address.user or None,
            password=address.secret() or None,
            ssl=address.parts.scheme == "rediss",
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            decode_responses=True,
            single_connection_client=True,
            retry=Retry(NoBackoff(), 0),
        )
        try:
            await self._redis.ping()
        except RedisError as error:
            raise self._explained(error) from error

    async def close(self) -> None:
        """Disconnect."""
        redis, self._redis = self._redis, None
        if redis is not None:
            await redis.aclose()

    async def read(self) -> Sequence[QueueReading]:
        """All streams and lists that are known by now."""
        redis = self._redis
        if redis is None:
            raise ConnectionResetError
        try:
            streams, lists = await self._keys(redis)
            seconds, micros = await redis.time()
            now = seconds + micros / 1e6
            remembered = sorted(self._lists.with_those(lists, now) - set(streams))
            return [
                *await _streams(redis, streams, now),
                *await _lists(redis, remembered),
            ]
        except RedisError as error:
            raise self._explained(error) from error

    async def _keys(self, redis: Redis) -> tuple[list[str], list[str]]:
        """Streams and lists."""
        naming = self._settings.naming
        if not naming.is_exact:
            for walk in self._walks.values():
                await walk.go_on(redis)
            return sorted(self._walks["stream"].known), sorted(self._walks["list"].known)
        names = sorted({key for name in naming.exact for key in (name, name.rpartition("/")[0])})
        found = await _ask(redis, [("TYPE", name) for name in names if name])
        types = dict(zip(filter(None, names), found, strict=True))
        streams, lists = ([key for key, is_a in types.items() if is_a == kind] for kind in TYPES)
        return streams, lists

    def _explained(self, error: RedisError) -> Exception:
        where, user = self._address.where, self._address.user
        text = str(error)
        if isinstance(error, AuthenticationError) or any(word in text for word in _LOCKED_OUT):
            return wrong_credentials(where, user)
        if isinstance(error, NoPermissionError):
            return not_permitted(where, user, f"read queues ({text})")
        is_cut = isinstance(error, RedisConnectionError) and not _has_cause(error)
        return ConnectionResetError() if is_cut else error


def _has_cause(error: BaseException) -> bool:
    return isinstance(error.__cause__ or error.__context__, OSError)


async def _ask(redis: Redis, commands: Iterable[tuple[str, ...]]) -> list[Any]:
    """The answers to many commands in one round trip; what one of them refuses is its answer."""
    pipeline = redis.pipeline(transaction=False)
    for command in commands:
        pipeline.execute_command(*command)
    return list(await pipeline.execute(raise_on_error=False))


async def _streams(redis: Redis, keys: Sequence[str], now: float) -> list[QueueReading]:
    """`now`: epoch seconds by the clock of Redis, which ids are made with."""
    answers = await _ask(redis, [("XINFO GROUPS", key) for key in keys])
    found, groups, bare = list[QueueReading](), list[tuple[str, dict[str, Any]]](), list[str]()
    for key, answer in zip(keys, answers, strict=True):
        if isinstance(answer, Exception):
            found += _trouble(key, answer)
        elif answer:
            groups += [(key, group) for group in answer]
        else:
            bare.append(key)
    return [*found, *await _groups(redis, groups, now), *await _bare(redis, bare, now)]


async def _groups(
    redis: Redis, groups: Sequence[tuple[str, dict[str, Any]]], now: float
) -> list[QueueReading]:
    pending = await _ask(redis, [("XPENDING", key, group["name"]) for key, group in groups])
    waiting = await _ask(
        redis,
        [
            ("XRANGE", key, f"({group['last-delivered-id']}", "+", "COUNT", "1")
            for key, group in groups
        ],
    )
    return [
        _group(key, group, [*_pending_ids(held), *_ids(next_one)], now)
        for (key, group), held, next_one in zip(groups, pending, waiting, strict=True)
    ]


def _group(key: str, group: dict[str, Any], ids: Sequence[str], now: float) -> QueueReading:
    """`ids`: of the oldest message in hands and of the oldest that waits, as far as they are."""
    lag, read, pending = group.get("lag"), group.get("entries-read"), group["pending"]
    if read is None and group["last-delivered-id"] == "0-0":
        read = 0  # it has not begun
    is_empty = lag == 0 and pending == 0
    age_s = 0.0 if is_empty else _age_s(ids, now)
    return QueueReading(
        f"{key}/{group['name']}",
        backlog=lag,
        oldest_age_s=age_s,
        in_total=None if read is None or lag is None else read + lag,
        out_total=None if read is None else read - pending,
        consumers=group["consumers"],
        in_flight=pending,
        oldest_age_method=AgeMethod.NONE if age_s is None else AgeMethod.HEAD,
    )


async def _bare(redis: Redis, keys: Sequence[str], now: float) -> list[QueueReading]:
    """Streams that no group reads: everything in them waits."""
    counts = await _ask(redis, [("XLEN", key) for key in keys])
    heads = await _ask(redis, [("XRANGE", key, "-", "+", "COUNT", "1") for key in keys])
    found = []
    for key, count, head in zip(keys, counts, heads, strict=True):
        if isinstance(count, Exception):
            found += _trouble(key, count)
            continue
        age_s = _age_s(_ids(head), now) if count else 0.0
        method = AgeMethod.NONE if age_s is None else AgeMethod.HEAD
        found.append(QueueReading(key, backlog=count, oldest_age_s=age_s, oldest_age_method=method))
    return found


async def _lists(redis: Redis, keys: Sequence[str]) -> list[QueueReading]:
    """Lists carry no times and count nothing but what they hold."""
    found = []
    for key, count in zip(keys, await _ask(redis, [("LLEN", key) for key in keys]), strict=True):
        if isinstance(count, Exception):
            found += _trouble(key, count)
        else:
            found.append(QueueReading(key, backlog=count))
    return found


def _trouble(key: str, error: Exception) -> list[QueueReading]:
    """A key that may not be read; one that has just gone, or became something else, is none."""
    if isinstance(error, NoPermissionError):
        return [QueueReading(key, problem=f"no permission: {error}")]
    if isinstance(error, RedisError) and ("no such key" in str(error) or "WRONGTYPE" in str(error)):
        return []
    raise error


def _pending_ids(answer: object) -> list[str]:
    """Of XPENDING: how many, the first id, the last, consumers."""
    match answer:
        case {"min": str(first)}:
            return [first]
        case [_, str(first), *_]:
            return [first]
    return []


def _ids(answer: object) -> list[str]:
    match answer:
        case [[str(first), *_], *_] | [(str(first), _), *_]:
            return [first]
    return []


def _age_s(ids: Iterable[str], now: float) -> float | None:
    """Age of the oldest; None where no id is a time."""
    times = [int(one.partition("-")[0]) for one in ids]
    if not times or min(times) < EARLIEST_MS:
        return None
    return max(now - min(times) / 1e3, 0.0)
