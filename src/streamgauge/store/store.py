"""The store as the rest of streamgauge knows it: takes bodies, answers questions, feeds detection.

It only joins: the parts and their life stand in `store.parts`, what detection hears in
`store.telling`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from streamgauge.model.batch import Parsed
from streamgauge.model.clock import Clock
from streamgauge.model.errors import StoreError
from streamgauge.model.feed import Delta, History
from streamgauge.model.journeys import ErrorGroup, Journey
from streamgauge.model.refusal import RefusedLine
from streamgauge.model.stored import StoredCount
from streamgauge.model.usage import StoreUsage, TenantUsage
from streamgauge.model.views import CapacityFigures, Filters, FlowRow, Lag, Overview, TimeSeries
from streamgauge.store import care, queries
from streamgauge.store import usage as usages
from streamgauge.store.engine.place import Place
from streamgauge.store.journal.intake import body_of
from streamgauge.store.journal.retrykeys import digest
from streamgauge.store.moves.backup import copy_frozen, freeze
from streamgauge.store.moves.snapshot import Copy
from streamgauge.store.numbers import numbers
from streamgauge.store.parts import Parts
from streamgauge.store.retention import Retention
from streamgauge.store.settings import StoreSettings
from streamgauge.store.telling import Telling
from streamgauge.store.writer.sharing import Sharing

SETTLE_S = 30.0
"""How long a count waits for what was acknowledged."""


PRESENT_S = 3600.0
"""A range that ends within it of now is asked about the present."""


class Store:
    """Thread-safe between `open` and `close`."""

    def __init__(
        self,
        url: str | None,
        data_dir: Path,
        clock: Clock,
        settings: StoreSettings,
        sharing: Sharing | None = None,
    ) -> None:
        """Nothing is touched before `open`.

        Args:
            url: `chdb:///absolute/path` for the embedded engine, `clickhouse://…` for a server;
                None: `engine_found` will tell.
            data_dir: Where journal and lock stand.
            clock: Tells the age of keys and lines.
            settings: Limits.
            sharing: With whom the engine is shared; None: it is ours alone.
        """
        self._parts = Parts(url, data_dir, clock, settings, sharing)
        self._engine = self._parts.engine
        self._telling = Telling(self._parts)
        self._capacity = queries.CapacityMemory()
        self._clock = clock
        self._known_capacity: Callable[[Filters], CapacityFigures | None] = lambda _: None

    # -- life ---------------------------------------------------------------------------------

    def open(self, is_patient: bool = False) -> None:
        """Take bodies and answer questions from now on.

        Args:
            is_patient: Return once bodies are taken, whether or not the engine answers yet; see
                `Parts.open`.

        Raises:
            ConfigError: another process uses the folder.
            StoreError: the folder or the engine cannot be used; says what to do.
        """
        self._parts.open(is_patient)

    def engine_found(self, url: str) -> None:
        """The engine answers at `url`: whatever waits for it goes on."""
        self._parts.engine_found(url)

    def engine_lost(self, why: str) -> None:
        """The engine is away until `engine_found`: questions are refused with this reason."""
        self._parts.engine_lost(why)

    def close(self, flush_timeout_s: float = 30.0) -> None:
        """Insert what is acknowledged, as far as time allows; then end threads and connections.

        What could not be inserted stays in the journal.
        """
        self._parts.close(flush_timeout_s)

    def problems(self) -> list[str]:
        """Reasons for not being ready, for people; empty: writes and queries are served."""
        return self._parts.problems()

    # -- receive's sink -----------------------------------------------------------------------

    def write(self, parsed: Parsed, retry_key: bytes | None, received_at: float) -> bool:
        """Keep a body; when this returns it survives a crash. False: it is a known retry.

        Args:
            parsed: The columns, and the lines that were refused.
            retry_key: What the request is known by, any length; None: by nothing.
            received_at: Epoch seconds.

        Raises:
            Overloaded: the journal's budget is used.
            StoreError: the disk refused.
        """
        journal = self._parts.opened_journal()
        body = body_of(parsed, retry_key, received_at)
        if not body.line_count:
            return True
        try:
            is_new = journal.append(body)
        except StoreError as error:
            self._parts.disk.failed(error)
            raise
        self._parts.disk.worked()
        return is_new

    def knows(self, retry_key: bytes) -> bool:
        """Whether a body of that key was kept before, so that `write` would return False."""
        return self._parts.opened_journal().knows(digest(retry_key))

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that was acknowledged is queryable; False: not within `timeout_s`."""
        end = time.monotonic() + timeout_s
        is_inserted = self._parts.opened_writer().flush(timeout_s)
        return is_inserted and self._parts.wait_ready(max(end - time.monotonic(), 0.0))

    def settle(self, timeout_s: float) -> bool:
        """Wait until hours and days hold all that was acknowledged; False: not in `timeout_s`.

        No question needs it: until then minutes stand in. For those who read the tables past us.
        """
        return self._parts.opened_writer().settle(timeout_s)

    # -- questions ----------------------------------------------------------------------------

    def capacity_from(self, known: Callable[[Filters], CapacityFigures | None]) -> None:
        """Who knows better than a look at the past week what can be taken; asked of the present."""
        self._known_capacity = known

    def overview(self, from_s: float, to_s: float, filters: Filters) -> Overview:
        """See `queries.overview`; capacity as detection knows it, if the range is of late."""
        found = queries.overview(
            self._parts.asked(), self._parts.known_flows(), from_s, to_s, filters, self._capacity
        )
        is_of_late = abs(self._clock.now() - to_s) <= PRESENT_S
        known = self._known_capacity(filters) if is_of_late else None
        return replace(found, capacity=known) if known else found

    def timeseries(
        self,
        metric: str,
        from_s: float,
        to_s: float,
        step_s: float,
        by: Sequence[str],
        filters: Filters,
    ) -> TimeSeries:
        """See `queries.timeseries`."""
        asked, known = self._parts.asked(), self._parts.known_flows()
        return queries.timeseries(asked, known, metric, from_s, to_s, step_s, by, filters)

    def flows(
        self,
        from_s: float,
        to_s: float,
        by: Sequence[str],
        sort: str,
        limit: int,
        filters: Filters,
    ) -> list[FlowRow]:
        """See `queries.flows`."""
        return queries.flows(
            self._parts.asked(), self._parts.known_flows(), from_s, to_s, by, sort, limit, filters
        )

    def stored(self, from_s: float, to_s: float) -> list[StoredCount]:
        """See `queries.stored`; all that is acknowledged when it is called.

        Raises:
            StoreError: it is not in the sums by the day yet, or the engine refused.
        """
        if not self.settle(SETTLE_S):
            raise StoreError("what was acknowledged is not summed yet: try again", permanent=False)
        return queries.stored(self._parts.asked(), from_s, to_s)

    def refused_lines(self, tenant: str | None, since_s: float, limit: int) -> list[RefusedLine]:
        """See `queries.refused_lines`."""
        return queries.refused_lines(self._parts.asked(), tenant, since_s, limit)

    def journey(self, message_id: str, tenant: str | None = None) -> Journey | None:
        """What a message went through; None: nothing is known of it.

        Args:
            message_id: As its sender named it.
            tenant: Whose; None: anybody's.

        Raises:
            StoreError: the engine refused.
        """
        return queries.journey(self._parts.asked(), message_id, tenant)

    def errors(
        self, from_s: float, to_s: float, sort: str, limit: int, filters: Filters
    ) -> list[ErrorGroup]:
        """See `queries.errors`."""
        return queries.errors(self._parts.asked(), from_s, to_s, sort, limit, filters)

    def lag(self) -> Lag:
        """What is acknowledged and not yet queryable."""
        journal = self._parts.opened_journal()
        _, lines = journal.pending()
        oldest = journal.oldest_received_at()
        seconds = max(self._parts.clock.now() - oldest, 0.0) if oldest is not None else 0.0
        return Lag(lines=lines, seconds=seconds)

    def waiting_since(self) -> float | None:
        """When the oldest line came that is not queryable, epoch seconds; None: none waits."""
        return self._parts.opened_journal().oldest_received_at()

    # -- detection ----------------------------------------------------------------------------

    def take(self) -> Delta | None:
        """What was inserted since the last call; None: it overflowed, ask `history`."""
        return self._telling.take()

    def history(self, until_s: float) -> History:
        """See `Telling.history`."""
        return self._telling.history(until_s)

    def past(self, until_s: float) -> History:
        """See `Telling.past`."""
        return self._telling.past(until_s)

    def minutes(self, first: int, end: int) -> Delta:
        """See `Telling.minutes`."""
        return self._telling.minutes(first, end)

    def replay_slices(
        self, from_s: float, to_s: float, tick_s: float
    ) -> Iterator[tuple[float, Delta]]:
        """See `queries.replay_slices`."""
        return queries.replay_slices(self._parts.asked(), from_s, to_s, tick_s)

    # -- care ---------------------------------------------------------------------------------

    def retain(self, retention: Retention | None = None) -> int:
        """Forget what is older than it has to be kept, thin hops; returns how many parts went.

        Args:
            retention: Instead of what is set.

        Raises:
            StoreError: the engine refused.
        """
        return care.forget(self._parts, retention)

    def usage(self) -> StoreUsage:
        """See `usages.usage`.

        Raises:
            StoreError: the engine cannot be asked.
        """
        return usages.usage(self._parts.asked(), self._parts.data_dir, self._parts.clock.now())

    def tenant_usage(self, from_s: float, to_s: float) -> list[TenantUsage]:
        """See `usages.tenants`.

        Raises:
            StoreError: the engine cannot be asked.
        """
        return usages.tenants(self._parts.asked(), from_s, to_s)

    def room_bytes(self) -> int:
        """What is free where the data stands.

        Raises:
            StoreError: it cannot be asked.
        """
        return usages.room_bytes(
            self._parts.asked(), self._parts.data_dir if self._parts.is_local else None
        )

    def notices(self) -> list[str]:
        """What somebody has to look at while all is served, for people: damage, set-aside rows."""
        parts = self._parts
        damage = parts.opened_journal().damage.notice() if parts.is_open else ""
        return [told for told in (damage, parts.aside.notice(), *parts.broken.notices()) if told]

    def tend(self) -> None:
        """Look for damage in the engine's files, and put back what is wanted; every few seconds.

        Raises:
            StoreError: the engine or the disk refused.
        """
        care.tend(self._parts)

    def freeze(self, folder: Path) -> Copy:
        """See `backup.freeze`; `copy_frozen` writes it somewhere.

        Raises:
            StoreError: the engine refused, or it is a server's, which backs itself up.
        """
        if not self._parts.is_local:
            text = "the engine is a server: back it up by its own BACKUP (docs/moving.md)"
            raise StoreError(text, permanent=True)
        parts = self._parts
        return freeze(
            parts.asked(), parts.opened_writer(), parts.opened_journal(), parts.aside, folder
        )

    def copy_frozen(self, place: Place, stop: threading.Event) -> None:
        """See `backup.copy_frozen`."""
        copy_frozen(self._parts.asked(), place, stop)

    def stats(self) -> dict[str, float]:
        """Numbers about the store itself, for `/metrics`."""
        parts = self._parts
        if not parts.is_open:
            return {}
        journal, writer = parts.opened_journal(), parts.opened_writer()
        return numbers(journal, writer, parts.feed, parts.aside) | {
            "engine_is_away": float(bool(parts.engine.problem)),
            "engine_starts_total": float(parts.engine_starts),
        }
