"""A server in memory: keeps batches, and can be told how to answer."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field

from streamgauge.client.batch import Batch
from streamgauge.client.transport import Answer, Verdict


@dataclass
class Taking:
    """A transport that goes nowhere; as streamgauge does, it takes a batch of a known key once."""

    answer: Answer = field(default_factory=lambda: Answer(Verdict.TAKEN))
    attempts: list[Batch] = field(default_factory=list)
    taken: list[Batch] = field(default_factory=list)
    is_closed: bool = False

    def post(self, batch: Batch) -> Answer:
        self.attempts.append(batch)
        known = {one.key for one in self.taken}
        if self.answer.verdict is Verdict.TAKEN and batch.key not in known:
            self.taken.append(batch)
        return self.answer

    def close(self) -> None:
        self.is_closed = True

    def body(self, path: str) -> str:
        """What was taken at paths that begin so."""
        return "".join(
            gzip.decompress(one.body).decode() for one in self.taken if one.path.startswith(path)
        )

    @property
    def text(self) -> str:
        """The lines taken."""
        return self.body("/write")

    @property
    def messages(self) -> int:
        """Counted by all that was taken."""
        return sum(one.messages for one in self.taken)
