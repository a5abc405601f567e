"""The integration worker: takes messages, filters, delivers with retries, keeps dead letters."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from examples.router.clock import Clock
from examples.router.delivery import Answer, VendorClient
from examples.router.queues import DEAD_LETTER, MessageQueue, Taken
from examples.router.reporting import Hop, Reporting
from examples.router.routes import Routes


@dataclass(frozen=True, slots=True)
class Policy:
    """How hard a worker tries."""

    attempts: int = 3
    first_backoff_s: float = 0.5
    longest_backoff_s: float = 30.0
    expire_after_s: float = 3600.0
    """A message older than that is not worth delivering any more."""
    take_limit: int = 500
    batch_limit: int = 100
    """Events in one request to a vendor."""
    linger_s: float = 0.02
    """Waited before taking, so that messages share requests."""
    max_requests: int = 32
    """Requests to the vendor at the same time."""
    max_batches: int = 256
    """Batches in hand, being sent or waiting for their next attempt; then no more are taken."""

    def backoff_s(self, attempt: int, asked_s: float) -> float:
        """Seconds to wait after that attempt (1 is the first), with a fifth of jitter."""
        wait_s: float = min(self.first_backoff_s * 2 ** (attempt - 1), self.longest_backoff_s)
        return max(asked_s, wait_s * random.uniform(0.8, 1.2))


class Worker:
    """Empties one integration's queue."""

    def __init__(
        self,
        integration: str,
        queue: MessageQueue,
        vendor: VendorClient,
        routes: Routes,
        reporting: Reporting,
        clock: Clock,
        policy: Policy,
    ) -> None:
        self._integration, self._queue, self._vendor = integration, queue, vendor
        self._routes, self._reporting = routes, reporting
        self._clock, self._policy = clock, policy
        self._requests = asyncio.Semaphore(policy.max_requests)
        self._batches = asyncio.Semaphore(policy.max_batches)
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Take and deliver for ever; batches of different tenants do not wait for each other."""
        while True:
            await self._clock.sleep(self._policy.linger_s)
            await self._batches.acquire()
            self._batches.release()
            taken = await self._queue.take(self._integration, self._policy.take_limit)
            for batch in self._batched(taken):
                await self._batches.acquire()
                task = asyncio.create_task(self._handle(batch))
                self._tasks.add(task)
                task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._batches.release()

    async def finish(self) -> None:
        """Wait for what is in hand."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _batched(self, taken: Sequence[Taken]) -> Iterator[list[Taken]]:
        by_tenant: dict[str, list[Taken]] = defaultdict(list)
        for one in taken:
            by_tenant[one.message.tenant].append(one)
        limit = self._policy.batch_limit
        for batch in by_tenant.values():
            for start in range(0, len(batch), limit):
                yield batch[start : start + limit]

    async def _handle(self, batch: list[Taken]) -> None:
        wanted: list[Taken] = []
        ended: list[Taken] = []
        for one in batch:
            (ended if self._ended_early(one) else wanted).append(one)
        await self._queue.acknowledge(self._integration, ended)
        if wanted:
            await self._deliver(wanted)
            await self._queue.acknowledge(self._integration, wanted)

    def _ended_early(self, one: Taken) -> bool:
        message = one.message
        if self._clock.now() - message.received_at > self._policy.expire_after_s:
            self._count(one, "processed", "expired", "too_old")
            return True
        rule = self._routes.find_filter(message.tenant, self._integration, message.event)
        if rule is not None:
            self._count(one, "processed", "filtered", rule)
        return rule is not None

    async def _deliver(self, batch: list[Taken]) -> None:
        answer = await self._attempt(batch)
        for attempt in range(1, self._policy.attempts):
            if not answer.is_transient:
                break
            for one in batch:
                self._count(one, "delivered", "retried", answer.reason, error=answer.error)
            await self._clock.sleep(self._policy.backoff_s(attempt, answer.retry_after_s))
            answer = await self._attempt(batch)
        await self._settle(batch, answer)

    async def _attempt(self, batch: Sequence[Taken]) -> Answer:
        async with self._requests:
            messages = [one.message for one in batch]
            return await self._vendor.send(messages[0].tenant, messages)

    async def _settle(self, batch: Sequence[Taken], answer: Answer) -> None:
        now = self._clock.now()
        failed = []
        for position, one in enumerate(batch):
            reason = answer.reason or ("bad_request" if position in answer.rejected else "")
            if reason:
                failed.append(one.message)
                self._count(one, "delivered", "error", reason, error=answer.error)
            else:
                self._count(one, "delivered", "ok", "", now - one.message.received_at)
        if failed:
            await self._queue.put(failed, DEAD_LETTER)

    def _count(
        self,
        one: Taken,
        stage: str,
        outcome: str,
        reason: str,
        latency_s: float | None = None,
        error: str = "",
    ) -> None:
        message = one.message
        is_end = outcome != "retried"
        self._reporting.message(
            Hop(
                tenant=message.tenant,
                source=message.source,
                integration=self._integration,
                stage=stage,
                outcome=outcome,
                reason=reason,
                size_bytes=message.size_bytes if is_end else 0,
                latency_s=latency_s,
                wait_s=max(0.0, one.taken_at - message.queued_at) if is_end else None,
                message_id=message.id,
                error=error,
            )
        )
