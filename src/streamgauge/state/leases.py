"""What one process at a time does: taken, renewed and given up by conditional statements.

Who held a lease last is remembered after its end: whoever takes it knows whether somebody else did
the work meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, delete, select, update

from streamgauge.model.clock import Clock
from streamgauge.state.database import insert_of, transaction
from streamgauge.state.tables import LeaseRow

Told = dict[str, Any]
"""JSON that the owner of a lease lets the others know."""

FORGOTTEN_AFTER_S = 86_400.0
"""Nobody wants a lease that ended so long ago."""


@dataclass(frozen=True, slots=True)
class Held:
    """A lease that is ours now."""

    owner_before: str | None
    """Who held it last, which may be we; None: nobody did within the last day."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease as others see it."""

    owner: str
    is_held: bool
    told: Told | None


class Leases:
    """One process's view. Calls block for milliseconds, and raise StoreError when refused."""

    def __init__(self, engine: Engine, clock: Clock, owner: str) -> None:
        """Nothing is asked yet; see `sharing.Shared`."""
        self._engine, self.clock, self.owner = engine, clock, owner

    def hold(self, wanted: Mapping[str, Told | None], lease_s: float) -> dict[str, Held]:
        """Take or renew leases, each by itself.

        Args:
            wanted: by name, what the others are to know.
            lease_s: how long it is ours if it is not renewed.

        Returns:
            Those that are ours; another process has the rest.
        """
        if not wanted:
            return {}
        now, found = self.clock.now(), {}
        with transaction(self._engine, is_write=True) as connection:
            before = _owners(connection, wanted)
            for name in sorted(wanted):  # one order: no deadlock
                if self._take(connection, name, wanted[name], now, lease_s):
                    found[name] = Held(before.get(name))
        return found

    def _take(
        self, connection: Connection, name: str, told: Told | None, now: float, lease_s: float
    ) -> bool:
        values = {"owner": self.owner, "until": now + lease_s, "told": told}
        taken = connection.execute(
            insert_of(connection, LeaseRow)
            .values(name=name, **values)
            .on_conflict_do_update(
                index_elements=[LeaseRow.name],
                set_=values,
                where=(LeaseRow.owner == self.owner) | (LeaseRow.until <= now),
            )
            .returning(LeaseRow.owner)
        )
        return taken.first() is not None

    def give_up(self, names: Collection[str]) -> None:
        """End leases, as far as they are ours: another process need not wait for their end."""
        ours = LeaseRow.name.in_(names) & (LeaseRow.owner == self.owner)
        with transaction(self._engine, is_write=True) as connection:
            connection.execute(update(LeaseRow).where(ours).values(until=self.clock.now()))

    def told(self, prefix: str) -> dict[str, Lease]:
        """The leases whose names begin so, also those that ended within the last day."""
        now = self.clock.now()
        wanted = LeaseRow.name.startswith(prefix, autoescape=True)
        columns = (LeaseRow.name, LeaseRow.owner, LeaseRow.until, LeaseRow.told)
        with transaction(self._engine, is_write=False) as connection:
            rows = connection.execute(
                select(*columns).where(wanted, LeaseRow.until > now - FORGOTTEN_AFTER_S)
            ).all()
        return {row.name: Lease(row.owner, row.until > now, row.told) for row in rows}

    def forget(self) -> int:
        """Let go of what ended long ago; how many."""
        ended = LeaseRow.until <= self.clock.now() - FORGOTTEN_AFTER_S
        with transaction(self._engine, is_write=True) as connection:
            return int(connection.execute(delete(LeaseRow).where(ended)).rowcount)


def _owners(connection: Connection, names: Collection[str]) -> dict[str, str]:
    columns = select(LeaseRow.name, LeaseRow.owner).where(LeaseRow.name.in_(names))
    return {row.name: row.owner for row in connection.execute(columns)}
