"""What was refused, of whom and why: counted while receiving, shown on pages and by the API."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class RefusalReason(StrEnum):
    """Classes of reasons; the names stand in `/metrics` and in the API."""

    SYNTAX = "syntax"
    """Not in the format of the route."""
    ENCODING = "encoding"
    """Not UTF-8."""
    STAMP = "stamp"
    """A time stamp before 1970, or too far ahead."""
    COUNT = "count"
    """A `count` that is no count."""
    SERIES = "series"
    """The cardinality guard: more new series than a customer may have in an hour."""
    LINES_PER_S = "lines_per_s"
    """Over the customer's limit of lines a second."""
    BYTES_PER_S = "bytes_per_s"
    """Over the customer's limit of bytes a second."""
    ACTIVE_SERIES = "active_series"
    """Over the customer's limit of active series."""
    BODY_TOO_LARGE = "body_too_large"
    """A whole request beyond the size that is taken."""
    UNREADABLE_BODY = "unreadable_body"
    """A whole request that cannot be read: damaged gzip, wrong parameters, cut off."""
    OVERLOADED = "overloaded"
    """A whole request that came while nothing could be taken; the sender was told to wait."""
    UNANSWERED = "unanswered"
    """A datagram that came while nothing could be taken; its sender does not know. Of a stream, a
    line that could not be kept when we were stopped."""
    NOT_ALLOWED = "not_allowed"
    """A datagram of an address that may not send."""


LIMITS = (RefusalReason.LINES_PER_S, RefusalReason.BYTES_PER_S, RefusalReason.ACTIVE_SERIES)
"""Reasons that stand in the configuration."""
DATAGRAMS = (RefusalReason.UNANSWERED, RefusalReason.NOT_ALLOWED)
"""Reasons that are counted in datagrams."""
WHOLE_BODIES = (
    RefusalReason.BODY_TOO_LARGE,
    RefusalReason.UNREADABLE_BODY,
    RefusalReason.OVERLOADED,
    *DATAGRAMS,
)
"""Reasons that are counted in requests or datagrams, not in lines: nobody knows whose lines were in
them."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One customer and one reason, over the last day."""

    tenant: str | None
    """None: whole requests, or customers that are too many to be counted one by one."""
    reason: RefusalReason
    lost_hour: int
    """Lines of the last hour that were refused for good (requests, for WHOLE_BODIES)."""
    lost_day: int
    deferred_hour: int
    """Those whose sender was told to send them again later (429, 503); counted at every try."""
    deferred_day: int
    first_at: float
    """Epoch seconds of the first one that is counted here."""
    last_at: float
    sample_line: str
    """One of them; empty where there is none to show."""
    sample_reason: str
    """What is wrong with it."""
    is_told: bool = True
    """Whether the sender of the sample was told so; who sends datagrams, or is scraped, is not."""


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """One line that was not kept, as the store remembers it."""

    at: float
    """Epoch seconds when it came."""
    tenant: str
    line_number: int
    line: str
    reason: str
