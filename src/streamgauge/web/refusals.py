"""Refusals as people and programs read them: what happened, how much, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from streamgauge.model.clock import rfc3339
from streamgauge.model.refusal import (
    DATAGRAMS,
    LIMITS,
    WHOLE_BODIES,
    Refusal,
    RefusalReason,
    RefusedLine,
)
from streamgauge.web.answers import Sources, in_thread
from streamgauge.web.format import count, plural
from streamgauge.web.shapes import Json
from streamgauge.web.words import Sign

DAY_S = 86_400.0
GOING_ON_S = 600.0
"""What was refused last so long ago goes on."""
LOST = Sign("Lost", "bad", "cross")
DEFERRED = Sign("Told to wait", "warn", "clock")
OVER = Sign("Over for now", "muted", "check")

TITLES: dict[RefusalReason, str] = {
    RefusalReason.SYNTAX: "Lines that are not line protocol",
    RefusalReason.ENCODING: "Lines that are not UTF-8",
    RefusalReason.STAMP: "Time stamps that cannot be",
    RefusalReason.COUNT: "Counts that are none",
    RefusalReason.SERIES: "Too many new series in an hour",
    RefusalReason.LINES_PER_S: "Over the limit of lines a second",
    RefusalReason.BYTES_PER_S: "Over the limit of bytes a second",
    RefusalReason.ACTIVE_SERIES: "Over the limit of active series",
    RefusalReason.BODY_TOO_LARGE: "Requests that are too large",
    RefusalReason.UNREADABLE_BODY: "Requests that cannot be read",
    RefusalReason.OVERLOADED: "Requests while nothing could be taken",
    RefusalReason.UNANSWERED: "Datagrams while nothing could be taken",
    RefusalReason.NOT_ALLOWED: "Datagrams of addresses that may not send",
}
_RAISE = (
    "Ask the customer why it sends so much more. Raise the limit in [limits], or by a [[limit]] of "
    "its own, if that is what it should send."
)
ADVICE: dict[RefusalReason, str] = {
    RefusalReason.SYNTAX: (
        "The sender builds broken lines: look at the sample, mend it there. Sending them again "
        "cannot help."
    ),
    RefusalReason.ENCODING: "The sender must encode its text as UTF-8.",
    RefusalReason.STAMP: (
        "Compare the sender's clock, and the precision it declares, with its stamps: a stamp in "
        "the wrong unit lands before 1970 or far ahead."
    ),
    RefusalReason.COUNT: "The field count of messages must be a whole number: mend the sender.",
    RefusalReason.SERIES: (
        "A tag has a value of its own in every line, usually an id: send it as a field. The "
        "sample says which one. Series that were known go on; the rest may come in the next hour."
    ),
    RefusalReason.LINES_PER_S: _RAISE,
    RefusalReason.BYTES_PER_S: _RAISE,
    RefusalReason.ACTIVE_SERIES: (
        "Look for a tag that changes with every deployment or request. Series not seen for an "
        "hour make room. Raise active_series if the customer needs as many."
    ),
    RefusalReason.BODY_TOO_LARGE: (
        "The sender must send smaller batches, or [receive] max_body must be larger."
    ),
    RefusalReason.UNREADABLE_BODY: "The sample says what is wrong: mend the sender.",
    RefusalReason.OVERLOADED: (
        "Senders try again by themselves and nothing of it is lost. If it goes on, look at /ready "
        "and at the disk: the engine is behind, or the journal's budget is too small."
    ),
    RefusalReason.UNANSWERED: (
        "Their senders do not know, and send nothing again. Look at /ready and at the disk. If it "
        "is bursts that are too fast, let what sends most write over HTTP, which is told to wait."
    ),
    RefusalReason.NOT_ALLOWED: (
        "If the address is one of yours, add its network to [udp] allow; if not, close the port "
        "to it."
    ),
}


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """One customer and one reason, in words."""

    tenant: str | None
    title: str
    sign: Sign
    amount: str
    """What was lost, and what was told to wait."""
    advice: str
    refusal: Refusal

    @property
    def telling(self) -> str:
        """What stands before the reason of the sample."""
        if self.refusal.is_told:
            return "Its sender was told"
        return "What is wrong, which nobody told its sender"


def rows_of(refusals: Sequence[Refusal], now_s: float) -> list[RefusedRow]:
    """What goes on first, then the most lines."""
    rows = [_row(one, now_s) for one in refusals]
    return sorted(rows, key=lambda row: row.sign is OVER)


def goes_on(refusals: Sequence[Refusal], now_s: float) -> list[Refusal]:
    """Those that were refused only just now."""
    return [one for one in refusals if now_s - one.last_at <= GOING_ON_S]


def _row(one: Refusal, now_s: float) -> RefusedRow:
    is_over = now_s - one.last_at > GOING_ON_S
    sign = OVER if is_over else LOST if one.lost_hour else DEFERRED
    return RefusedRow(one.tenant, TITLES[one.reason], sign, amount_of(one), ADVICE[one.reason], one)


def amount_of(one: Refusal) -> str:
    """How much, in a sentence."""
    unit = unit_of(one.reason)
    parts = []
    if one.lost_day:
        parts.append(f"{_many(one.lost_day, unit)} lost in the last day, {_within(one.lost_hour)}")
    if one.deferred_day:
        parts.append(
            f"{_many(one.deferred_day, unit)} told to come again later, "
            f"{_within(one.deferred_hour)} (counted at every try)"
        )
    return "; ".join(parts)


def unit_of(reason: RefusalReason) -> str:
    """What is counted."""
    if reason in DATAGRAMS:
        return "datagram"
    return "request" if reason in WHOLE_BODIES else "line"


def _within(number: int) -> str:
    return f"{count(number)} of them in the last hour" if number else "none in the last hour"


def _many(number: int, unit: str) -> str:
    return plural(number, unit) if number < 100_000 else f"{count(number)} {unit}s"


def refused_sentence(refusals: Sequence[Refusal], now_s: float) -> str:
    """Whether lines of a customer are refused just now, and why; empty if not."""
    now = goes_on(refusals, now_s)
    if not now:
        return ""
    lost = sum(one.lost_hour for one in now)
    deferred = sum(one.deferred_hour for one in now)
    what = [f"{count(lost)} lost"] if lost else []
    what += [f"{count(deferred)} told to come again later"] if deferred else []
    reasons = ", ".join(dict.fromkeys(TITLES[one.reason].lower() for one in now))
    return f"Lines of this customer are refused ({reasons}): {' and '.join(what)} in the last hour."


async def ask_refusals(sources: Sources, tenant: str | None = None) -> list[Refusal]:
    """What was refused in the last day."""
    return await in_thread(lambda: sources.operations.refusals(tenant))


def refusal_shape(one: Refusal) -> Json:
    """One row of `/api/v1/refusals`."""
    shape: dict[str, Any] = {
        "tenant": one.tenant,
        "reason": one.reason.value,
        "is_limit": one.reason in LIMITS,
        "unit": f"{unit_of(one.reason)}s",
        "lost": {"last_hour": one.lost_hour, "last_day": one.lost_day},
        "deferred": {"last_hour": one.deferred_hour, "last_day": one.deferred_day},
        "first_at": rfc3339(one.first_at),
        "last_at": rfc3339(one.last_at),
        "sample": {
            "line": one.sample_line or None,
            "reason": one.sample_reason or None,
            "sender_was_told": one.is_told if one.sample_reason else None,
        },
        "what_to_do": ADVICE[one.reason],
    }
    return shape


def refused_line_shape(one: RefusedLine) -> Json:
    """One line that was not kept."""
    return {
        "at": rfc3339(one.at),
        "tenant": one.tenant,
        "line_number": one.line_number,
        "line": one.line,
        "reason": one.reason,
    }
