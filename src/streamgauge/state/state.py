"""The state database as its users see it: one class, one transaction a call.

Calls block for milliseconds and may come from any thread: run them in a thread. Neighbours:
`alert` makes the changes kept here, `page` works off the outbox, `web` reads.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from sqlalchemy import Engine

from streamgauge.model.change import Change, Routing
from streamgauge.model.clock import Clock
from streamgauge.model.incident import Incident
from streamgauge.model.notification import Notification
from streamgauge.model.words import IncidentState
from streamgauge.state import changes as writing
from streamgauge.state import incidents, outbox
from streamgauge.state.database import make_engine, transaction
from streamgauge.state.migrate import upgrade


class State:
    """Incidents with their timelines, and the outbox of notifications.

    Every method but `open` and `close` raises StoreError when the database refuses.
    """

    def __init__(self, url: str, clock: Clock) -> None:
        """Connect to nothing yet.

        Args:
            url: `sqlite:////absolute/file` or `postgresql+psycopg://…`.
            clock: tells when people act.

        Raises:
            ConfigError: `url` is not one of these.
        """
        self._engine: Engine = make_engine(url)
        self._clock = clock

    @property
    def engine(self) -> Engine:
        """For what else stands in this database (`state.sharing`)."""
        return self._engine

    def open(self) -> None:
        """Bring the schema up to this version.

        Raises:
            ConfigError: the database cannot be opened; says what to do.
        """
        upgrade(self._engine)

    def close(self) -> None:
        """Let go of all connections."""
        self._engine.dispose()

    def list_incidents(
        self, state: IncidentState | None = None, tenant: str | None = None, limit: int = 1000
    ) -> list[Incident]:
        """Newest first, without timelines; `tenant` also finds those that merely affect it."""
        with transaction(self._engine, is_write=False) as connection:
            return incidents.list_newest(connection, state, tenant, limit)

    def get_incident(self, incident_id: str) -> Incident:
        """One incident with its timeline.

        Raises:
            NotFound: no incident has that id.
        """
        with transaction(self._engine, is_write=False) as connection:
            return incidents.get(connection, incident_id)

    def open_incidents(self) -> dict[str, Incident]:
        """Every incident that is not closed, by key, without timelines: read anew each turn."""
        with transaction(self._engine, is_write=False) as connection:
            return incidents.open_by_key(connection)

    def recently_closed(self, since: float) -> dict[str, Incident]:
        """By key, the last one closed at or after `since` (epoch s), and every one held."""
        with transaction(self._engine, is_write=False) as connection:
            return incidents.closed_by_key(connection, since)

    def apply(self, changes: Sequence[Change], routing: Routing) -> list[Change]:
        """Write changes, timeline and outbox in one transaction; a repeat changes nothing.

        Returns:
            The transitions written. One made from an incident that has moved on since, or of a
            key for which another opened meanwhile, is left out: the next turn decides anew.
        """
        if not changes:
            return []
        with transaction(self._engine, is_write=True) as connection:
            return writing.apply(connection, changes, routing)

    def act(
        self,
        incident_id: str,
        transition: Callable[[Incident, float], Change | None],
        routing: Routing,
    ) -> Incident:
        """A person's doing, on the newest state of the incident (see `alert.actions`).

        Args:
            incident_id: whose.
            transition: given the incident and the time; None changes nothing.
            routing: whom the change goes to.

        Returns:
            The incident with its timeline, after it.

        Raises:
            NotFound: no incident has that id.
        """
        with transaction(self._engine, is_write=True) as connection:
            incident = incidents.get(connection, incident_id, for_update=True)
            change = transition(incident, self._clock.now())
            if change is not None:
                writing.apply(connection, [change], routing)
            return incidents.get(connection, incident_id)

    def claim_due(
        self,
        now: float,
        limit: int,
        lease_s: float,
        owner: str,
        notifiers: Collection[str] | None = None,
    ) -> list[Notification]:
        """Take due notifications so that no other worker holds them for `lease_s`.

        Args:
            now: epoch seconds.
            limit: most to take.
            lease_s: after this long without an answer anyone may take it again.
            owner: names the worker.
            notifiers: only theirs; None for all.
        """
        with transaction(self._engine, is_write=False) as connection:
            if not outbox.has_due(connection, now, notifiers):
                return []
        with transaction(self._engine, is_write=True) as connection:
            return outbox.claim_due(connection, now, limit, lease_s, owner, notifiers)

    def delivered(self, notification_id: str, at: float, receipt: str) -> None:
        """The receiver took it, and answered `receipt`."""
        with transaction(self._engine, is_write=True) as connection:
            outbox.delivered(connection, notification_id, at, receipt)

    def failed(self, notification_id: str, at: float, error: str, retry_at: float | None) -> None:
        """The receiver did not take it: again at `retry_at`, or given up when that is None."""
        with transaction(self._engine, is_write=True) as connection:
            outbox.failed(connection, notification_id, at, error, retry_at)

    def retire_notifiers(self, configured: Collection[str]) -> int:
        """Give up what waits for notifiers that are no longer configured; how many."""
        with transaction(self._engine, is_write=True) as connection:
            return outbox.retire(connection, configured, self._clock.now())

    def notification_counts(self) -> dict[str, int]:
        """How many notifications are in each delivery state: `pending` is what waits."""
        with transaction(self._engine, is_write=False) as connection:
            return outbox.counts(connection)

    def list_notifications(self, incident_id: str) -> list[Notification]:
        """All notifications of an incident, in the order of its transitions."""
        with transaction(self._engine, is_write=False) as connection:
            return outbox.list_of(connection, incident_id)
