"""What a store has to know that is not the only one in front of its engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from streamgauge.store.journal.journal import Entry, Journal
from streamgauge.store.journal.records import retry_key_of


class Claims(Protocol):
    """Where all receivers of an engine say which bodies they insert."""

    def claim_bodies(self, bodies: Sequence[tuple[bytes, int]]) -> set[int]:
        """Claim bodies by retry key and our own number; the numbers of those that are ours.

        The same claim has the same answer again, also after a crash.

        Raises:
            StoreError: it cannot be told now.
        """
        ...


@dataclass(frozen=True, slots=True)
class Sharing:
    """How an engine is shared.

    Attributes:
        claims: By which a sender's retry counts once, whichever receiver it reached.
        migrates: Whether this process brings the schema up to date; one at a time may.
    """

    claims: Claims
    migrates: bool

    def ours(self, entries: list[Entry], journal: Journal) -> list[Entry]:
        """Those that nobody else has inserted, in their order. Without a retry key: all.

        Raises:
            StoreError: it cannot be told now, or the disk refused.
        """
        keys = [(_key_of(entry, journal), entry.seq) for entry in entries]
        told = [(key, seq) for key, seq in keys if key]
        mine = self.claims.claim_bodies(told) if told else set()
        by_seq = {seq: key for key, seq in keys}
        return [one for one in entries if not by_seq[one.seq] or one.seq in mine]


def _key_of(entry: Entry, journal: Journal) -> bytes:
    if entry.body is not None:
        return entry.body.retry_key
    return retry_key_of(journal.read(entry))[1]
