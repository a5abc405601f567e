"""The state of the platform or a customer in one sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from streamgauge.model.incident import Incident
from streamgauge.model.words import Health, Severity
from streamgauge.web import words
from streamgauge.web.format import NBSP, ago, duration, plural, rate, utc_short
from streamgauge.web.health import hides_messages, is_about_us, is_all_blind
from streamgauge.web.pages.windows import is_flowing
from streamgauge.web.ports import Expectation
from streamgauge.web.ranges import HOUR_S
from streamgauge.web.words import Sign


class Verdict(NamedTuple):
    """A sentence and the sign beside it."""

    sign: Sign
    sentence: str


class Customers(NamedTuple):
    """How many customers there are, and how many of them spoke of late."""

    total: int
    flowing: int
    is_cut: bool = False
    """There are more than were looked at."""


NONE_WITHIN_H = 14 * 24
"""A message expected more seldom than once in so many hours is none."""
NOTHING_YET = Verdict(words.HEALTH[Health.UNKNOWN], "Nothing has arrived yet.")


def platform_verdict(
    incidents: Sequence[Incident], customers: Customers, last_seen_at: float | None, now_s: float
) -> Verdict:
    """What someone should know who looks for one second.

    Args:
        incidents: the open ones.
        customers: how many there are.
        last_seen_at: epoch seconds of the newest message ever; None in an empty store.
        now_s: epoch seconds.
    """
    if last_seen_at is None:
        return NOTHING_YET
    is_blind = any(is_all_blind(incident) for incident in incidents)
    if is_blind or now_s - last_seen_at > HOUR_S:
        since = utc_short(last_seen_at, now_s)
        ending = ": we are blind." if is_blind else "."
        return Verdict(words.HEALTH[Health.UNKNOWN], f"Nothing has arrived since {since}{ending}")
    pressing = _pressing(incidents)
    if pressing:
        return _attention(pressing)
    return Verdict(words.HEALTH[Health.OK], _all_well(customers))


def _pressing(incidents: Sequence[Incident]) -> list[Incident]:
    """Those about the platform that somebody has to see to."""
    return [
        incident
        for incident in incidents
        if incident.severity is not Severity.P5 and not is_about_us(incident)
    ]


def _attention(pressing: Sequence[Incident]) -> Verdict:
    critical = sum(incident.severity is Severity.P1 for incident in pressing)
    number = len(pressing)
    sentence = f"{number:,} thing{' needs' if number == 1 else 's need'} attention"
    if critical:
        sentence += f", {critical:,} of them critical" if number > 1 else " and is critical"
    sign = words.HEALTH[Health.DOWN if critical else Health.DEGRADED]
    return Verdict(sign, f"{sentence}.".replace(" ", NBSP, 1))


def _all_well(customers: Customers) -> str:
    quiet = customers.total - customers.flowing
    if quiet:
        parts = [plural(customers.flowing, "customer") + " flowing"] if customers.flowing else []
        return f"Nothing needs attention: {', '.join([*parts, f'{quiet:,} quiet'])}."
    if customers.total == 1:
        return "The one customer is flowing."
    return f"All {plural(customers.total, 'customer')} are flowing."


def customer_verdict(
    incidents: Sequence[Incident], last_seen_at: float | None, now_s: float
) -> Verdict:
    """The same for one customer.

    Args:
        incidents: open ones that concern it.
        last_seen_at: epoch seconds of its newest message ever.
        now_s: epoch seconds.
    """
    if any(is_all_blind(incident) for incident in incidents):
        return Verdict(words.HEALTH[Health.UNKNOWN], "We cannot see this customer: we are blind.")
    if any(hides_messages(incident) for incident in incidents):
        text = "We cannot see this customer: the router it comes through has stopped reporting."
        return Verdict(words.HEALTH[Health.UNKNOWN], text)
    pressing = _pressing(incidents)
    if pressing:
        return _attention(pressing)
    if is_flowing(last_seen_at, now_s):
        return Verdict(words.HEALTH[Health.OK], "Messages are flowing.")
    if last_seen_at is None:
        return Verdict(words.HEALTH[Health.UNKNOWN], "No message was ever seen.")
    return Verdict(words.QUIET, f"Quiet for now: the last message came {ago(last_seen_at, now_s)}.")


def habit_words(expectation: Expectation | None) -> str:
    """What a customer usually sends at this hour of the week; empty while that is not known."""
    if expectation is None:
        return ""
    per_hour = expectation.per_hour
    if per_hour * NONE_WITHIN_H < 1:
        return "usually sends nothing at this hour"
    if per_hour < 60:
        return f"usually sends one every {duration(HOUR_S / per_hour)}"
    return f"usually sends {rate(per_hour / HOUR_S)} at this hour"
