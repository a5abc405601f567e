"""What an explanation says in sentences: the answer first, then what it rests on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from streamgauge.detect.excuses import ALL
from streamgauge.detect.sentences import at_utc, count_of, duration, number, share
from streamgauge.model.explanation import ErrorsWeighed, SilenceWeighed
from streamgauge.model.finding import Finding
from streamgauge.model.flow import Scope
from streamgauge.model.words import Kind

_LAGS_S = 120.0


@dataclass(frozen=True, slots=True)
class Told:
    """What the sentences are made from."""

    scope: Scope
    at: float
    seen_until: float | None
    silence: SilenceWeighed | None
    errors: ErrorsWeighed | None
    findings: Sequence[Finding]
    excuse: str
    is_silent: bool
    """Its own silence is open, told by itself or as part of a wider one."""


def words_of(told: Told) -> tuple[str, ...]:
    """The sentences."""
    return tuple(_sentences(told))


def _sentences(told: Told) -> Iterator[str]:
    yield _answer(told)
    for finding in told.findings:
        yield f"{finding.severity.value} {finding.kind.value}: {finding.summary}"
    if told.seen_until is None:
        yield "Nothing of anybody was stored before it."
        return
    if told.at - told.seen_until > _LAGS_S and not _is_told(told, Kind.BLIND):
        yield (
            f"Nobody was heard after {_at(told, told.seen_until)}: what comes after that is not "
            "judged."
        )
    if told.silence is None:
        yield "No message of it is known from the 35 days before; nothing is usual, so no silence."
    else:
        yield _of_silence(told, told.silence)
    if told.errors is not None:
        yield _of_errors(told.errors)


def _at(told: Told, at: float) -> str:
    return at_utc(at, told.at)


def _is_told(told: Told, kind: Kind) -> bool:
    return any(finding.kind is kind for finding in told.findings)


def _answer(told: Told) -> str:
    who, at = told.scope.describe(), at_utc(told.at, told.at)
    if told.findings:
        return f"Of {who}, {count_of(len(told.findings), 'thing')} held at {at}:"
    return f"Of {who}, nothing was told at {at}."


def _of_silence(told: Told, quiet: SilenceWeighed) -> str:
    last = f"Silence: its last message came at {_at(told, quiet.last_message_at)}"
    if told.excuse:
        return f"{last}, and {told.excuse}: its quiet is not judged."
    if quiet.excused_ratio >= ALL:
        return f"{last}; none of it is expected now (paused, retired, or out of its hours)."
    if told.is_silent:
        return f"{last}, and it is silent since: {_missed(quiet)}."
    if (told.seen_until or told.at) < quiet.due_at:
        pace = f"it usually reports every {duration(quiet.interval_s)}"
        due = f"so its quiet counts only from {_at(told, quiet.due_at)} on"
        return f"{last}; {pace}, {due}{_if_nothing(told, quiet)}."
    return f"{last}; {_against_bar(told, quiet)}."


def _against_bar(told: Told, quiet: SilenceWeighed) -> str:
    if quiet.bar_nats is None:
        known = count_of(quiet.active_minutes, "active minute")
        return f"{known} of it are known, too little for a page"
    if quiet.nats < quiet.bar_nats:
        return f"{_missed(quiet)}, less than a page takes{_if_nothing(told, quiet)}"
    return f"{_missed(quiet)}: enough, but a wider silence is about to tell it"


def _missed(quiet: SilenceWeighed) -> str:
    messages = number(quiet.expected_messages)
    bar = f" of {quiet.bar_nats:.1f}" if quiet.bar_nats is not None else ""
    return f"{messages} messages were to be expected since, evidence of {quiet.nats:.1f}{bar} nats"


def _if_nothing(told: Told, quiet: SilenceWeighed) -> str:
    if quiet.opens_at is None:
        return ""
    return f". If nothing comes, it opens at {_at(told, quiet.opens_at)}"


def _of_errors(errors: ErrorsWeighed) -> str:
    if not errors.ended:
        return "Errors: no message of it ended in the hour before."
    seen = f"Errors: {errors.failed:,} of {errors.ended:,} failed in the hour before"
    usual = f"usually {share(errors.usual_ratio)} or less"
    return f"{seen}, {usual}: evidence of {errors.nats:.1f} of {errors.bar_nats:.1f} nats."
