"""Remembers metrics that look like messages or queues and are not understood, with a proposal.

Bounded, and kept in a small file of their own: written when a name is new, and at the end.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import structlog

from streamgauge.model.clock import Clock
from streamgauge.model.unmapped import Unmapped
from streamgauge.model.whole import replace_whole
from streamgauge.receive.meaning.proposals import propose
from streamgauge.receive.meaning.rules import MapRule, find_rule

log = structlog.get_logger(__name__)

MAX_NAMES = 500
"""Of more, those seen last longest ago are forgotten."""
MAX_SAMPLES = 3
MAX_LABELS = 32
_MAX_CHARACTERS = 200


@dataclass(slots=True)
class _Stranger:
    way: str
    first_at: float
    last_at: float
    series_count: int = 0
    samples: list[dict[str, str]] = field(default_factory=list)


class Strangers:
    """By name. Threads may share it."""

    def __init__(self, clock: Clock, path: Path | None, rules: Sequence[MapRule] = ()) -> None:
        """Nothing is read before `load`.

        Args:
            clock: tells when they were seen.
            path: of the file; None: in memory alone.
            rules: what is understood by them now is forgotten.
        """
        self._clock, self._path, self._rules = clock, path, rules
        self._names: dict[str, _Stranger] = {}
        self._lock = threading.Lock()

    def note(self, name: str, labels: Mapping[str, str], way: str) -> None:
        """A series that nobody knew is one of them."""
        name, now = name[:_MAX_CHARACTERS], self._clock.now()
        with self._lock:
            is_new = name not in self._names
            one = self._names.pop(name, None) or _Stranger(way, now, now)
            self._names[name] = one
            one.last_at = now
            one.series_count += 1
            if len(one.samples) < MAX_SAMPLES:
                one.samples.append(_cut(labels))
            if len(self._names) > MAX_NAMES:
                del self._names[next(iter(self._names))]
        if is_new:
            self.save()

    @property
    def counts(self) -> tuple[int, int]:
        """Names, and series of them that were met since they were first seen."""
        with self._lock:
            return len(self._names), sum(one.series_count for one in self._names.values())

    def list_unmapped(self) -> list[Unmapped]:
        """Those seen last first."""
        with self._lock:
            found = list(self._names.items())
        return [
            Unmapped(
                name=name,
                way=one.way,
                series_count=one.series_count,
                samples=tuple(one.samples),
                first_at=one.first_at,
                last_at=one.last_at,
                proposal=propose(name, dict.fromkeys(label for s in one.samples for label in s)),
            )
            for name, one in reversed(found)
        ]

    def load(self) -> None:
        """Go on where a former process ended; what cannot be read is passed over."""
        if self._path is None:
            return
        try:
            kept = json.loads(self._path.read_bytes())
            names = {str(name): _Stranger(**one) for name, one in list(kept.items())[:MAX_NAMES]}
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError, AttributeError) as error:
            log.warning("metrics that were not understood before are forgotten", error=repr(error))
            return
        with self._lock:
            self._names = {
                name: one
                for name, one in names.items()
                if not any(find_rule(self._rules, name, sample) for sample in one.samples or [{}])
            }

    def save(self) -> None:
        """Write them down; a full disk costs nothing else."""
        if self._path is None:
            return
        with self._lock:
            content = json.dumps({name: asdict(one) for name, one in self._names.items()})
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                replace_whole(self._path, content.encode())
            except OSError as error:
                log.warning("metrics that are not understood cannot be kept", error=str(error))


def _cut(labels: Mapping[str, str]) -> dict[str, str]:
    return {
        name[:_MAX_CHARACTERS]: value[:_MAX_CHARACTERS]
        for name, value in list(labels.items())[:MAX_LABELS]
    }
