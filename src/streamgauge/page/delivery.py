"""Works off the outbox: claims what is due, sends it, writes down how it went.

At least once: a process killed between sending and writing it down sends again when the lease
ends, with the same id, which Opsgenie (alias) and webhooks (`Idempotency-Key`) know as a repeat. A
clean stop waits for what is being sent, so it doubles nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

import structlog

from streamgauge.model.clock import Clock
from streamgauge.model.errors import NotifyError, StreamgaugeError
from streamgauge.model.incident import Incident
from streamgauge.model.notification import Notification
from streamgauge.page.backoff import Backoff
from streamgauge.page.notifiers.base import Notifier


class Outbox(Protocol):
    """What delivery needs of the state database. Calls block: they are made in threads."""

    def claim_due(
        self,
        now: float,
        limit: int,
        lease_s: float,
        owner: str,
        notifiers: Collection[str] | None = None,
    ) -> list[Notification]:
        """Take due notifications so that no other worker holds them for `lease_s`."""
        ...

    def get_incident(self, incident_id: str) -> Incident:
        """One incident with its timeline."""
        ...

    def delivered(self, notification_id: str, at: float, receipt: str) -> None:
        """The receiver took it."""
        ...

    def failed(self, notification_id: str, at: float, error: str, retry_at: float | None) -> None:
        """The receiver did not take it: again at `retry_at`, or given up when that is None."""
        ...

    def retire_notifiers(self, configured: Collection[str]) -> int:
        """Give up what waits for notifiers that are no longer configured."""
        ...


@dataclass(frozen=True, slots=True)
class DeliverySettings:
    """How much at a time, and how patiently."""

    timeout_s: float = 10.0
    """For one attempt."""
    lease_s: float = 60.0
    """For claiming, sending and recording; well above `timeout_s`, or two workers may send one."""
    batch: int = 20
    """Notifications in flight to one notifier."""
    every_s: float = 0.5
    """Between two looks at the outbox."""
    backoff: Backoff = field(default_factory=Backoff)


class Delivery:
    """One worker; any number may share an outbox."""

    def __init__(
        self,
        outbox: Outbox,
        notifiers: Mapping[str, Notifier],
        clock: Clock,
        *,
        owner: str,
        settings: DeliverySettings | None = None,
        random: Random | None = None,
    ) -> None:
        """Nothing is claimed yet.

        Args:
            outbox: the state database.
            notifiers: by their names in the configuration.
            clock: tells when an attempt ended.
            owner: names this worker among those that share the outbox.
            settings: how much, how patiently.
            random: spreads the retries; seeded in tests.
        """
        self._outbox, self._notifiers, self._clock = outbox, notifiers, clock
        self._owner = owner
        self._settings = settings or DeliverySettings()
        self._random = random or Random()  # noqa: S311 -- no secret depends on it
        self._log = structlog.get_logger(__name__)

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop`: one loop a notifier, so that a slow one never delays another.

        What is being sent when `stop` is set is finished first, within the timeout.
        """
        await asyncio.gather(*(self._run_notifier(name, stop) for name in self._notifiers))

    async def retire(self) -> int:
        """Give up what waits for notifiers that are no longer configured; once, at the start."""
        return await asyncio.to_thread(self._outbox.retire_notifiers, list(self._notifiers))

    async def run_once(self, now: float) -> int:
        """Send everything due at `now` (a batch for each notifier), all at the same time.

        Returns:
            How many were delivered.

        Raises:
            StoreError: the outbox refuses.
        """
        turns = (self._deliver(name, now) for name in self._notifiers)
        return sum(await asyncio.gather(*turns))

    async def _run_notifier(self, name: str, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await self._deliver(name, self._clock.now())
            except StreamgaugeError as error:
                self._log.error("delivery stalled", notifier=name, error=str(error))
            except Exception:  # paging goes on, whatever broke in this turn
                self._log.exception("delivery broke", notifier=name)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._settings.every_s)

    async def _deliver(self, name: str, now: float) -> int:
        settings = self._settings
        claimed = await asyncio.to_thread(
            self._outbox.claim_due, now, settings.batch, settings.lease_s, self._owner, [name]
        )
        attempts = (self._attempt(self._notifiers[name], one) for one in claimed)
        ends = await asyncio.gather(*attempts, return_exceptions=True)
        for end in ends:
            if isinstance(end, BaseException):  # the outbox refused to write it down
                raise end
        return sum(end is True for end in ends)

    async def _attempt(self, notifier: Notifier, notification: Notification) -> bool:
        try:
            incident = await asyncio.to_thread(self._outbox.get_incident, notification.incident_id)
            async with asyncio.timeout(self._settings.timeout_s):
                receipt = await notifier.send(notification, incident)
        except Exception as error:  # whatever a notifier does, its next try is set
            await self._record_failure(notification, _as_notify_error(error, self._settings))
            return False
        await asyncio.to_thread(
            self._outbox.delivered, notification.id, self._clock.now(), receipt.text
        )
        return True

    async def _record_failure(self, notification: Notification, error: NotifyError) -> None:
        now = self._clock.now()
        retry_at = None
        if not error.permanent:
            retry_at = self._settings.backoff.retry_at(
                notification.created_at,
                now,
                notification.attempts,
                self._random,
                error.retry_after_s,
            )
        self._log.warning(
            "notification not taken",
            notification_id=notification.id,
            notifier=notification.notifier,
            attempt=notification.attempts,
            error=str(error),
            is_given_up=retry_at is None,
        )
        await asyncio.to_thread(self._outbox.failed, notification.id, now, str(error), retry_at)


def _as_notify_error(error: Exception, settings: DeliverySettings) -> NotifyError:
    if isinstance(error, NotifyError):
        return error
    if isinstance(error, TimeoutError):
        return NotifyError(f"no answer within {settings.timeout_s:g} s", permanent=False)
    return NotifyError(f"failed by {type(error).__name__}", permanent=False)
