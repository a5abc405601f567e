"""What several processes of one deployment agree on, each by one conditional statement.

- Whose a body is: a sender's retry may reach another receiver; the first that is about to insert it
  has it, all others drop theirs.
- Who decides: one process at a time, as long as it renews its lease.
- How far receivers are, so that nobody is called silent whose lines wait in a journal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select

from streamgauge.model.clock import Clock
from streamgauge.state.database import insert_of, transaction
from streamgauge.state.leases import Leases
from streamgauge.state.state import State
from streamgauge.state.tables import ClaimedBodyRow, ReceiverRow

REMEMBERED_S = 86_400.0
"""How long a retry is known (DESIGN section 4)."""
GONE_AFTER_S = 120.0
"""A receiver that was not seen for so long is not waited for any more."""
_ROWS_A_STATEMENT = 1000


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits in the journals of all receivers."""

    lines: int
    since: float | None
    """When the oldest came, epoch seconds; None: nothing waits."""


class Shared:
    """One process's view. Calls block for milliseconds, and raise StoreError when refused."""

    def __init__(self, state: State, clock: Clock, owner: str) -> None:
        """Nothing is asked yet.

        Args:
            state: open before anything is asked.
            clock: tells when leases end; the clocks of all processes have to agree to seconds.
            owner: names this process, for a receiver the same over restarts.
        """
        self._engine, self._clock, self.owner = state.engine, clock, owner
        self.leases = Leases(state.engine, clock, owner)

    def claim_bodies(self, bodies: Sequence[tuple[bytes, int]]) -> set[int]:
        """Claim bodies, each by its retry key and our number for it; asked again, the same answer.

        Returns:
            The numbers of those that are ours; the others were inserted by someone else.
        """
        mine: set[int] = set()
        for start in range(0, len(bodies), _ROWS_A_STATEMENT):
            some = sorted(bodies[start : start + _ROWS_A_STATEMENT])  # one order: no deadlock
            with transaction(self._engine, is_write=True) as connection:
                mine |= self._claim(connection, some)
        return mine

    def _claim(self, connection: Connection, bodies: Sequence[tuple[bytes, int]]) -> set[int]:
        now = self._clock.now()
        insert = insert_of(connection, ClaimedBodyRow).on_conflict_do_nothing()
        row = {"owner": self.owner, "at": now}
        rows = [{"key": key, "number": number, **row} for key, number in bodies]
        connection.execute(insert, rows)
        keys = [key for key, _ in bodies]
        found = connection.execute(
            select(ClaimedBodyRow.number)
            .where(ClaimedBodyRow.key.in_(keys))
            .where(ClaimedBodyRow.owner == self.owner)
        )
        return set(found.scalars()) & {number for _, number in bodies}

    def forget_bodies(self) -> int:
        """Let go of what is older than a retry is known; how many."""
        oldest = self._clock.now() - REMEMBERED_S
        with transaction(self._engine, is_write=True) as connection:
            done = connection.execute(delete(ClaimedBodyRow).where(ClaimedBodyRow.at < oldest))
            return int(done.rowcount)

    def hold(self, name: str, lease_s: float) -> bool:
        """Take or renew a lease; False: another process has it."""
        return bool(self.leases.hold({name: None}, lease_s))

    def release(self, name: str) -> None:
        """Give a lease up, if it is ours: another process need not wait for its end."""
        self.leases.give_up([name])

    def report(self, waiting_since: float | None, waiting_lines: int) -> None:
        """Say that this receiver lives, and what waits in its journal."""
        values = {
            "seen_at": self._clock.now(),
            "waiting_since": waiting_since,
            "waiting_lines": waiting_lines,
        }
        with transaction(self._engine, is_write=True) as connection:
            insert = insert_of(connection, ReceiverRow)
            connection.execute(
                insert.values(name=self.owner, **values).on_conflict_do_update(
                    index_elements=[ReceiverRow.name], set_=values
                )
            )

    def leave(self) -> None:
        """This receiver ends, and leaves nothing that anyone has to wait for."""
        with transaction(self._engine, is_write=True) as connection:
            connection.execute(delete(ReceiverRow).where(ReceiverRow.name == self.owner))

    def waiting(self, silent_after_s: float) -> Waiting:
        """What waits in all journals. A receiver not seen for a while may hold what came since."""
        now = self._clock.now()
        lives = ReceiverRow.seen_at > now - GONE_AFTER_S
        with transaction(self._engine, is_write=False) as connection:
            rows = connection.execute(
                select(
                    ReceiverRow.seen_at, ReceiverRow.waiting_since, ReceiverRow.waiting_lines
                ).where(lives)
            ).all()
        since = [row.waiting_since for row in rows if row.waiting_since is not None]
        since += [row.seen_at for row in rows if row.seen_at < now - silent_after_s]
        return Waiting(sum(row.waiting_lines for row in rows), min(since, default=None))
