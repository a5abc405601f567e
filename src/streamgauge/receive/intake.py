"""Keeps what a receiver understood, whatever it speaks: quotas, retries, the store, the counts.

Everything here blocks (disk, parsing): call it in a thread, `workshop` does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from streamgauge.model.batch import Parsed
from streamgauge.model.errors import Overloaded, StoreError
from streamgauge.model.refusal import RefusalReason
from streamgauge.receive import metrics
from streamgauge.receive.bodies import BodyTooLarge
from streamgauge.receive.gates import Gates
from streamgauge.receive.messages.redaction import Redaction
from streamgauge.receive.ports import Sink
from streamgauge.receive.quotas import Admission, OverLimit, OverQuota
from streamgauge.receive.redacting import redacted
from streamgauge.receive.retry import retry_key

Read = Callable[[Admission | None], Parsed]
"""Understands a body; asks the admission, if there is one, for the lines of each tenant."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a body comes from: what its retries have in common with it."""

    path: str
    """Of the request; also the label in /metrics. Other ways in have a word of their own."""
    query: Sequence[tuple[str, str]] = ()
    credential: str = ""
    sender: str = ""
    """The address of the sender without its port."""
    idempotency_key: str | None = None
    is_answered: bool = True
    """Whether its sender reads answers; who sends datagrams, or is asked by us, does not."""
    is_collected: bool = False
    """On: our own collectors looked it up; nobody has reported it to us."""

    def retry_key(self, body: bytes, *, has_all_timestamps: bool) -> bytes | None:
        """16 bytes; None where a retry cannot be told from a second body."""
        return retry_key(
            path=self.path,
            query=list(self.query),
            credential=self.credential,
            sender=self.sender,
            body=body,
            idempotency_key=self.idempotency_key,
            has_all_timestamps=has_all_timestamps,
        )


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a body."""

    parsed: Parsed
    over: Sequence[OverLimit] = ()
    """Limits that kept lines out."""
    is_new: bool = True
    """Off: it was known as a retry, and nothing is counted again."""


class Intake:
    """The one way to the store. Threads may share it."""

    def __init__(self, sink: Sink, gates: Gates, redaction: Redaction | None = None) -> None:
        """A way to one store.

        Args:
            sink: the store.
            gates: shared by all ways.
            redaction: of texts, before anything is kept; the built-in rules without it.
        """
        self.sink, self.gates, self.redaction = sink, gates, redaction or Redaction()

    def take(self, origin: Origin, body: bytes, read: Read) -> Taken:
        """Understand and keep one body.

        Args:
            origin: whose it is.
            body: unzipped; only its hash is used, to know a retry.
            read: makes columns of it. It is asked a second time, without admission, where the body
                turns out to be one that was kept before.

        Raises:
            OverQuota: all of it belongs to tenants over their limits; nothing was kept.
            Overloaded, StoreError: nothing was kept.
        """
        parsed, admission = self._read(origin, body, read)
        if origin.is_collected:
            parsed = replace(parsed, is_collected=True)
        is_new = not parsed.line_count or self._keep(origin, body, parsed, admission)
        if is_new:
            self.gates.ledger.count_body(parsed, is_deferred=False, is_told=origin.is_answered)
        else:
            metrics.DUPLICATES.labels(origin.path).inc()
        metrics.count_parsed(origin.path, parsed)
        return Taken(parsed, admission.over if admission else (), is_new)

    def _read(self, origin: Origin, body: bytes, read: Read) -> tuple[Parsed, Admission | None]:
        """The lines of a body, without those of tenants that are over their limits.

        A body that was kept before is not asked for again, whatever its tenants have left.
        """
        admission = self.gates.quotas.admission()
        parsed = redacted(read(admission), self.redaction)
        if admission is None or not admission.over:
            return parsed, admission
        key = origin.retry_key(body, has_all_timestamps=parsed.has_all_timestamps)
        if key is not None and self.sink.knows(key):
            admission.give_back()
            return redacted(read(None), self.redaction), None
        if parsed.rejected_count == parsed.line_count:
            raise OverQuota(admission.over, parsed)
        return parsed, admission

    def _keep(
        self, origin: Origin, body: bytes, parsed: Parsed, admission: Admission | None
    ) -> bool:
        """Whether it was new; what is not kept costs its tenants nothing."""
        key = origin.retry_key(body, has_all_timestamps=parsed.has_all_timestamps)
        is_new = False
        try:
            is_new = self.sink.write(parsed, key, self.gates.clock.now())
        finally:
            if admission is not None and not is_new:
                admission.give_back()
        return is_new

    def count_failure(self, error: Exception) -> None:
        """Count a body of which nothing was kept, and why."""
        ledger = self.gates.ledger
        match error:
            case OverQuota():
                ledger.count_body(error.parsed, is_deferred=True)
                metrics.count_deferred(error.parsed)
            case BodyTooLarge():
                ledger.count_request(RefusalReason.BODY_TOO_LARGE, str(error), is_deferred=False)
            case Overloaded() | StoreError():
                ledger.count_request(RefusalReason.OVERLOADED, str(error), is_deferred=True)
            case _:
                ledger.count_request(RefusalReason.UNREADABLE_BODY, str(error), is_deferred=False)
