"""What people read of failing messages: the sentence, whose side it is on, and why we think so."""

from __future__ import annotations

import re
from dataclasses import dataclass

from streamgauge.detect.failing import Failing
from streamgauge.detect.levels import Level, Names
from streamgauge.detect.sentences import at_utc, count_of, named, number, share
from streamgauge.model.finding import Finding
from streamgauge.model.words import Kind, Severity, Suspected

_CUSTOMERS_OWN = re.compile(
    r"\b(40[0134]|413|422)\b|auth|forbidden|invalid|credential|token|signature|schema|payload"
    r"|malformed|too.?large|bad.?request|not.?found",
    re.IGNORECASE,
)
"""Reasons that a vendor gives when the customer's keys or messages are wrong."""


def error_key(names: Names) -> str:
    """The key of a group's own finding."""
    return Finding(
        Kind.ERRORS,
        names.scope,
        Severity.P3,
        Suspected.UNKNOWN,
        0.0,
        "",
        subject=names.stage or "",
    ).key


def is_customers_own(reason: str) -> bool:
    """Whether a receiver says so of a customer's keys or messages."""
    return bool(_CUSTOMERS_OWN.search(reason))


@dataclass(frozen=True, slots=True)
class Told:
    """All that a sentence is made of."""

    names: Names
    failing: list[Failing]
    """Who fails, most failures first."""
    affected: tuple[str, ...]
    """Customers."""
    top: list[tuple[str, int]]
    """The commonest reasons with their counts."""
    customers: int
    """Of the integration, whether they fail or not; 0: it is not about one."""
    well: int
    """Of those who failed, how many are well again."""

    @property
    def failed(self) -> int:
        """Messages that failed."""
        return sum(one.failed for one in self.failing)

    @property
    def total(self) -> int:
        """All that ended."""
        return sum(one.total for one in self.failing)

    @property
    def reason(self) -> str:
        """What most fail for; a reason that is new there before all others."""
        new = [one.new_reason for one in self.failing if one.new_reason]
        return new[0] if new else self.top[0][0] if self.top else self.failing[0].reason


def sentence(told: Told, now: float) -> str:
    """Who, since when, how many, why, compared with what."""
    since = min(one.since for one in told.failing)
    usual = max(one.usual for one in told.failing)
    is_new = any(one.new_reason == told.reason for one in told.failing)
    new = ", which is new there" if is_new and told.reason else ""
    mostly = f", mostly “{told.reason}”{new}" if told.reason else ""
    verb = "is" if told.well == 1 else "are"
    again = f" {told.well} of them {verb} well again." if told.well else ""
    return (
        f"{_who(told)} since {at_utc(since, now)}: "
        f"{number(told.failed)} of {number(told.total)} failed "
        f"({share(told.failed / max(told.total, 1))})"
        f"{mostly}; usually {share(usual)} or less.{again}{_others(told)}"
    )


def suspect(told: Told) -> tuple[Suspected, str]:
    """Whose side it is on, and the evidence for it in words."""
    names, rest = told.names, told.customers - len(told.affected)
    if names.level is Level.PLATFORM:
        return Suspected.PLATFORM, "messages of several customers and integrations fail"
    others = f"; the other {rest} of {names.integration} do not fail" if rest > 0 else ""
    if names.level is Level.TENANT:
        return Suspected.CUSTOMER, "all that it sends fails, wherever it goes, and no one else's"
    is_one = names.level is not Level.INTEGRATION and len(told.affected) == 1
    if is_one and is_customers_own(told.reason):
        says = "is what receivers answer when keys or messages are wrong"
        return Suspected.CUSTOMER, f"“{told.reason}” {says}{others}"
    if names.integration is None:
        return Suspected.PLATFORM, "they fail before they reach an integration"
    if len(told.affected) > 1:
        of = f"{len(told.affected)} of its {told.customers} customers fail"
        return Suspected.INTEGRATION, f"{of}{', and not elsewhere' if rest > 0 else ''}"
    says = "says nothing of the customer's keys or messages"
    why = f"“{told.reason}” {says}" if told.reason else "no reason points at the customer"
    return Suspected.INTEGRATION, f"{why}{others}"


def _who(told: Told) -> str:
    names = told.names
    if names.level is Level.INTEGRATION:
        who = f"{len(told.affected)} of {count_of(told.customers, 'customer')}"
        return f"Integration {names.integration} fails for {who} ({named(list(told.affected))})"
    if names.level is Level.TENANT_INTEGRATION:
        return f"Integration {names.integration} fails for customer {names.tenant}"
    if names.level is Level.TENANT:
        return f"Messages of customer {names.tenant} fail"
    if names.level is Level.PLATFORM:
        return "Messages fail all over the platform"
    stage = f" at stage {names.stage}" if names.stage else ""
    return f"Messages of {names.scope.describe()} fail{stage}"


def _others(told: Told) -> str:
    rest = told.customers - len(told.affected)
    is_of_one = told.names.level in {Level.INTEGRATION, Level.TENANT_INTEGRATION}
    if rest <= 0 or not is_of_one:
        return ""
    return " The other customer is fine." if rest == 1 else f" The other {rest} are fine."
