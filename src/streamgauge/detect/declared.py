"""What was declared and does not hold: no first message came, or a pause is too long."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from streamgauge.detect.arrays import Ints
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


@dataclass
class _Watched:
    """One scope that has to speak."""

    said: ExpectedFlow
    flows: Ints


class Declarations:
    """Looks after every scope of which something was said."""

    def __init__(self, levels: Levels, sums: Sums, excuses: Excuses, open_time: OpenTime) -> None:
        self._levels, self._sums = levels, sums
        self._excuses, self._open_time = excuses, open_time
        self._watched: list[_Watched] = []
        self._read_from: tuple[object, int] = (None, -1)
        self.ended: dict[str, str] = {}
        self._overdue: set[str] = set()
        self._is_blind = False

    @property
    def is_waiting(self) -> bool:
        """Whether anything has to be looked after at every turn."""
        self._read()
        return bool(self._watched)

    def restore(self, keys: Iterable[str]) -> None:
        """These were told before a restart."""
        self._overdue.update(one for one in keys if one.startswith(f"{Kind.SILENCE}/"))

    def findings(
        self,
        watermark: float,
        now: float,
        silences: list[Finding],
        *,
        has_settled: bool,
        is_blind: bool,
    ) -> list[Finding]:
        """One for each scope that did not keep what was said of it.

        Args:
            watermark: up to which time is judged; -inf before the first line.
            now: epoch seconds.
            silences: what is told already, and explains others.
            has_settled: whether no history is being loaded.
            is_blind: what should have come after the watermark may have come.
        """
        self._read()
        self._is_blind = is_blind
        found = []
        for one in self._watched:
            finding = self._look(one, watermark, now, has_settled)
            if finding is not None and not _is_explained(finding, silences):
                found.append(finding)
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
        self._watched = []
        for one in self._excuses.said.flows:
            flows = self._excuses.reach.flows_of(one.scope)
            must_come_first = not len(flows) and one.retired_at is None
            if must_come_first or one.expected_within_s is not None:
                self._watched.append(_Watched(one, flows))

    def _look(
        self, one: _Watched, watermark: float, now: float, has_settled: bool
    ) -> Finding | None:
        said = one.said
        if self._excuses.is_retired(_names_of(said.scope)):
            return None
        if said.paused_until is not None and said.paused_until > now:
            return None
        rows = self._levels.flow_rows[one.flows, 0]
        last_s = float(self._sums.last_s[rows].max(initial=-np.inf))
        if not np.isfinite(last_s):
            never = _never_spoke(said, now)
            is_due = (watermark if self._is_blind else now) > said.first_due_at
            return never if is_due or (self._is_blind and never.key in self._overdue) else None
        within_s = said.expected_within_s
        if within_s is None or not has_settled or self._excuses.is_excused(one.flows):
            return None
        since = max(last_s, said.paused_until or 0.0)
        quiet_s = watermark - since
        if quiet_s > within_s and said.calendar:
            quiet_s = self._open_s(said.calendar, since, watermark)
        if quiet_s <= within_s:
            return None
        return _too_long(said, within_s, last_s, quiet_s, now)

    def _open_s(self, calendar: str, since: float, until: float) -> float:
        number = self._open_time.number(parse_calendar(calendar))
        return float(self._open_time.seconds(number, np.array([since]), until)[0])


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


def _too_long(
    said: ExpectedFlow, within_s: float, last_s: float, quiet_s: float, now: float
) -> Finding:
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
