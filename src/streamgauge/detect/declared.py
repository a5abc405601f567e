"""What was declared and does not hold: no first message came, or a pause is too long."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from streamgauge.detect.arrays import Bools, Floats, Ints
from streamgauge.detect.calendars import parse_calendar
from streamgauge.detect.excuses import Excuses
from streamgauge.detect.levels import Levels
from streamgauge.detect.open_time import OpenTime
from streamgauge.detect.sentences import at_utc, duration
from streamgauge.detect.silence_words import key
from streamgauge.detect.sums import Sums
from streamgauge.model.expected import ExpectedFlow
from streamgauge.model.finding import Finding
from streamgauge.model.flow import Scope
from streamgauge.model.words import Kind, Severity, Suspected

_OVER = "messages came, or nothing is expected any more"


class Declarations:
    """Looks after every scope of which something was said.

    Those that are not overdue are sorted out all at once; the few others are looked at one by one.
    """

    def __init__(
        self,
        levels: Levels,
        sums: Sums,
        excuses: Excuses,
        open_time: OpenTime,
        being_loaded: Callable[[Ints, float], Bools],
    ) -> None:
        """Nothing is said yet.

        Args:
            levels: the index of flows.
            sums: what they counted.
            excuses: what was said, and of whom nothing is expected.
            open_time: knows calendars.
            being_loaded: which rows are, at an instant.
        """
        self._levels, self._sums = levels, sums
        self._excuses, self._open_time = excuses, open_time
        self._being_loaded = being_loaded
        self._unseen: list[ExpectedFlow] = []
        """Nothing of their scopes was ever seen."""
        self._due_at: Floats = np.zeros(0)
        self._limited: list[tuple[ExpectedFlow, Ints]] = []
        """With the flows that are meant."""
        self._within_s: Floats = np.zeros(0)
        self._rows: Ints = np.zeros(0, np.int64)
        """Of all these flows; where the next scope begins stands in `_starts`."""
        self._starts: Ints = np.zeros(0, np.int64)
        self._read_from: tuple[object, int] = (None, -1)
        self.ended: dict[str, str] = {}
        """Keys that were told at the last turn and are not now, and why."""
        self._overdue: set[str] = set()

    @property
    def is_waiting(self) -> bool:
        """Whether anything has to be looked after at every turn."""
        self._read()
        return bool(self._unseen or self._limited)

    def restore(self, keys: Iterable[str]) -> None:
        """These were told before a restart."""
        self._overdue.update(one for one in keys if one.startswith(f"{Kind.SILENCE}/"))

    def findings(
        self, watermark: float, now: float, silences: list[Finding], *, is_blind: bool
    ) -> list[Finding]:
        """One for each scope that did not keep what was said of it.

        Args:
            watermark: up to which time is judged; -inf before the first line.
            now: epoch seconds.
            silences: what is told already, and explains others.
            is_blind: what should have come after the watermark may have come.
        """
        self._read()
        due = [*self._never(watermark, now, is_blind), *self._too_long(watermark, now)]
        found = [finding for finding in due if not _is_explained(finding, silences)]
        keys = {finding.key for finding in found}
        self.ended = dict.fromkeys(self._overdue - keys, _OVER)
        self._overdue = keys
        return found

    def _read(self) -> None:
        """The scopes of which something must come; anew when these, or the flows, change."""
        version = (self._excuses.said, len(self._levels.flows))
        if version == self._read_from:
            return
        self._read_from = version
        self._unseen, self._limited = [], []
        for one in self._excuses.said.flows:
            flows = self._excuses.reach.flows_of(one.scope)
            if not len(flows):
                self._unseen.append(one)
            elif one.expected_within_s is not None:
                self._limited.append((one, flows))
        self._due_at = np.array([one.first_due_at for one in self._unseen])
        self._within_s = np.array([one.expected_within_s for one, _ in self._limited], float)
        meant = [flows for _, flows in self._limited]
        self._starts = np.cumsum([0, *map(len, meant)])[:-1]
        self._rows = self._levels.flow_rows[np.concatenate([_NO_FLOWS, *meant]), 0]

    def _never(self, watermark: float, now: float, is_blind: bool) -> Iterable[Finding]:
        for place in np.flatnonzero(now > self._due_at):
            said = self._unseen[place]
            told = _never_spoke(said, now)
            may_have_come = is_blind and watermark <= said.first_due_at
            if self._is_open(said, now) and (not may_have_come or told.key in self._overdue):
                yield told

    def _too_long(self, watermark: float, now: float) -> Iterable[Finding]:
        if not self._limited:
            return
        last_s = np.maximum.reduceat(self._sums.last_s[self._rows], self._starts)
        is_loaded = np.logical_or.reduceat(self._being_loaded(self._rows, now), self._starts)
        is_quiet = np.isfinite(last_s) & (watermark - last_s > self._within_s)
        for place in np.flatnonzero(is_quiet & ~is_loaded):
            said, flows = self._limited[place]
            quiet_s = self._quiet_s(said, float(last_s[place]), watermark)
            is_expected = self._is_open(said, now) and not self._excuses.is_excused(flows)
            if quiet_s > self._within_s[place] and is_expected:
                yield _too_long(said, float(last_s[place]), quiet_s, now)

    def _is_open(self, said: ExpectedFlow, now: float) -> bool:
        """Whether it is neither retired nor paused."""
        is_paused = said.paused_until is not None and said.paused_until > now
        return not is_paused and not self._excuses.is_retired(_names_of(said.scope))

    def _quiet_s(self, said: ExpectedFlow, last_s: float, watermark: float) -> float:
        """Since the last message or the pause after it, in the hours that were given."""
        since = max(last_s, said.paused_until or 0.0)
        if not said.calendar or since >= watermark:
            return watermark - since
        number = self._open_time.number(parse_calendar(said.calendar))
        return float(self._open_time.seconds(number, np.array([since]), watermark)[0])


_NO_FLOWS: Ints = np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class _ScopeNames:
    tenant: str | None
    source: str | None
    integration: str | None
    pipeline: str | None


def _names_of(scope: Scope) -> _ScopeNames:
    return _ScopeNames(*scope)


def _is_explained(finding: Finding, silences: list[Finding]) -> bool:
    """Whether a silence is told already that is the same, or wider."""
    tenant = finding.scope.tenant
    return any(
        other.key == key(finding.scope, "")
        or (not other.over_reason and other.scope.tenant is None and tenant in other.affected)
        or (other.scope == Scope(tenant=tenant))
        for other in silences
        if other.kind is Kind.SILENCE
    )


def _never_spoke(said: ExpectedFlow, now: float) -> Finding:
    since, due_at = said.declared_at, said.first_due_at
    was_told = said.first_message_by is not None
    return Finding(
        Kind.SILENCE,
        said.scope,
        Severity.P3 if was_told else Severity.P4,
        Suspected.CUSTOMER,
        since,
        f"Declared but never seen: {said.scope.describe()}. It never spoke since it was declared "
        f"at {at_utc(since, now)} ({duration(now - since)}); its first message was expected by "
        f"{at_utc(due_at, now)}. Retire it if it is not meant to send.",
        {
            "waited_s": round(now - since, 1),
            "expected_within_s": round(due_at - since, 1),
            "first_message_by": due_at,
        },
        (said.scope.tenant,) if said.scope.tenant else (),
        "never seen",
    )


def _too_long(said: ExpectedFlow, last_s: float, quiet_s: float, now: float) -> Finding:
    within_s = said.expected_within_s or 0.0
    hours = f" of its hours ({said.calendar})" if said.calendar else ""
    what = said.scope.describe()
    return Finding(
        Kind.SILENCE,
        said.scope,
        Severity.P3,
        Suspected.CUSTOMER,
        last_s,
        f"{what[:1].upper()}{what[1:]} has sent nothing since {at_utc(last_s, now)} "
        f"({duration(quiet_s)}{hours}); it was declared to send within {duration(within_s)}.",
        {
            "last_message_at": last_s,
            "silent_s": round(quiet_s, 1),
            "expected_within_s": within_s,
        },
        (said.scope.tenant,) if said.scope.tenant else (),
    )
