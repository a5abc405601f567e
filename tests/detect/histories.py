"""The one table of histories that drives all detectors: each case a sentence, each with every
detector's expected answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from ledgers import ledger, lose

from fleet import DAY, Fleet, Sender, make, queue_table, steady
from streamgauge.model.flow import Flow
from streamgauge.model.words import Suspected

WEEK_LEARNED = 7 * DAY


@dataclass
class Case:
    """A history, and what shall be open at its end."""

    sentence: str
    fleet: Callable[[], Fleet]
    learned: int
    """Minutes that are learned from rollups; the rest is observed minute by minute."""
    silence: set[str] = field(default_factory=set)
    errors: set[str] = field(default_factory=set)
    backlog: set[str] = field(default_factory=set)
    loss: set[str] = field(default_factory=set)
    blind: bool = False
    suspected: Suspected | None = None
    """Whose side every finding is on; None: not asked."""
    wait_s: float = 2.0
    """How long after the last line's stamp the question is asked."""
    queues: Callable[[int], pa.Table] | None = None


def fans_out(tenants: int, minutes: int, per_hour: float = 600.0, **changes: object) -> Fleet:
    """Customers whose messages are received once and delivered to two integrations."""
    senders = []
    for i in range(tenants):
        for stage, integration in (("received", ""), ("delivered", "ga4"), ("delivered", "s3")):
            flow = Flow(f"t{i:02d}", "web", integration, "main", stage)
            senders.append(Sender(flow, per_hour, error_ratio=0.002 if integration else 0.0))
    return make(senders, minutes)


def of(fleet: Fleet, **wanted: object) -> list[int]:
    """The senders whose flow has these tags."""
    return [
        i
        for i, sender in enumerate(fleet.senders)
        if all(
            getattr(sender.flow, k) in (v if isinstance(v, set) else {v}) for k, v in wanted.items()
        )
    ]


def _two_hours_silent() -> Fleet:
    return steady(20, 3 * DAY).silence([7], -120)


def _customer_stops() -> Fleet:
    fleet = fans_out(6, WEEK_LEARNED + 30)
    return fleet.silence(of(fleet, tenant="t02"), -10)


def _integration_of_one_stops() -> Fleet:
    fleet = fans_out(6, WEEK_LEARNED + 30)
    return fleet.silence(of(fleet, tenant="t02", integration="s3"), -15)


def _integration_stops() -> Fleet:
    fleet = fans_out(6, WEEK_LEARNED + 30)
    return fleet.silence(of(fleet, integration="s3"), -10)


def _source_stops() -> Fleet:
    senders = [
        Sender(Flow(f"t{i}", source, "ga4", "main", "delivered"), 300.0)
        for i in range(5)
        for source in ("web", "ios")
    ]
    fleet = make(senders, WEEK_LEARNED + 30)
    return fleet.silence(of(fleet, tenant="t3", source="ios"), -15)


def _only_integration_of_each_stops() -> Fleet:
    senders = [
        Sender(Flow(f"t{i}", "web", "ga4" if i < 3 else "s3", "main", "delivered"), 300.0)
        for i in range(6)
    ]
    fleet = make(senders, WEEK_LEARNED + 30)
    return fleet.silence(of(fleet, integration="s3"), -10)


def _several_customers_stop() -> Fleet:
    fleet = fans_out(9, WEEK_LEARNED + 30)
    return fleet.silence(of(fleet, tenant={"t01", "t02", "t05", "t06"}), -10)


def _few_fail() -> Fleet:
    senders = [
        Sender(Flow(f"t{i:02d}", "web", name, "main", "delivered"), rate, error_ratio=0.003)
        for i, rate in enumerate([60, 120, 600, 6000, 400_000] * 5)
        for name in ("ga4", "s3")
    ]
    fleet = make(senders, WEEK_LEARNED + 5)
    return fleet.fail(of(fleet, tenant={"t02", "t08", "t13"}, integration="ga4"), -3, None, 0.8)


def _one_fails() -> Fleet:
    fleet = fans_out(6, WEEK_LEARNED + 10)
    return fleet.fail(of(fleet, tenant="t04", integration="s3"), -5, None, 0.9, reason="403")


def _three_of_three() -> Fleet:
    fleet = fans_out(6, WEEK_LEARNED + 10, per_hour=30.0)
    who = of(fleet, tenant="t04", integration="s3")
    fleet.ok[who, -6:] = fleet.failed[who, -6:] = 0
    fleet.failed[who, -6::2] = 1
    return fleet


def _filtered_instead() -> Fleet:
    return _filtering(WEEK_LEARNED + 30, 20, filtered=20, count=10)


def _filtered_as_usual() -> Fleet:
    return _filtering(WEEK_LEARNED + 50, 5, filtered=50, count=3)


def _filtering(minutes: int, silent: int, filtered: int, count: int) -> Fleet:
    """A delivery stops; `count` messages a minute are filtered, for the last `filtered` minutes."""
    fleet = fans_out(6, minutes)
    lost = of(fleet, tenant="t02", integration="s3")
    before = Sender(Flow("t02", "web", "s3", "main", "processed"), 600.0)
    at = len(fleet.senders)
    fleet.senders.append(before)
    fleet.ok = np.vstack([fleet.ok, np.zeros((1, fleet.minutes), np.int64)])
    fleet.failed = np.vstack([fleet.failed, np.zeros((1, fleet.minutes), np.int64)])
    fleet.failed[at, -filtered:] = count
    fleet.outcome[at] = "filtered"
    return fleet.silence(lost, -silent)


def _one_of_one() -> Fleet:
    fleet = fans_out(6, WEEK_LEARNED + 10)
    who = of(fleet, tenant="t04", integration="s3")
    fleet.ok[who, -1:] = 0
    fleet.failed[who, -1:] = 1
    return fleet


def _customer_fails_everywhere() -> Fleet:
    fleet = fans_out(6, WEEK_LEARNED + 10)
    return fleet.fail(of(fleet, tenant="t04", stage="delivered"), -5, None, 0.9, reason="invalid")


def _batches(silent: int | None) -> Fleet:
    senders = [
        Sender(Flow(f"t{i}", "batch", "s3", "main", "delivered"), 5000.0, every=60)
        for i in range(5)
    ]
    fleet = make(senders, WEEK_LEARNED + 8 * 60)
    return fleet.silence([2], -silent) if silent else fleet


def _three_a_day(quiet_days: float) -> Fleet:
    senders = [Sender(Flow("tiny", "web", "ga4", "main", "delivered"), 3 / 24)]
    senders += [Sender(Flow(f"t{i}", "web", "ga4", "main", "delivered"), 60.0) for i in range(5)]
    fleet = make(senders, 21 * DAY)
    return fleet.silence([0], -int(quiet_days * DAY))


def _handful() -> Fleet:
    fleet = steady(5, 3 * DAY)
    fleet.senders[0] = Sender(Flow("trial", "web", "ga4", "main", "delivered"), 1.0)
    fleet.ok[0] = 0
    fleet.ok[0, [100, 130, 200]] = 1
    return fleet


def _retired() -> Fleet:
    return steady(20, 3 * DAY).silence([19], -120)


def _a_third_vanishes() -> Fleet:
    """Received, and neither delivered nor failed, for three hours."""
    fleet = ledger(tenants=6, days=8, per_hour=3000.0)
    end = WEEK_LEARNED + 260
    fleet.ok, fleet.failed = fleet.ok[:, :end], fleet.failed[:, :end]
    lose(fleet, of(fleet, tenant="t02", integration="ga4"), -260, -60, 0.33)
    return fleet


def _queue(
    backlog: Callable[[np.ndarray], np.ndarray],
    age: Callable[[np.ndarray], np.ndarray],
    consumers: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Callable[[int], pa.Table]:
    def table(last_minute: int) -> pa.Table:
        left = np.arange(-300, 0)  # minutes to the end
        fields = {"backlog": backlog(left).tolist(), "oldest_age_s": age(left).tolist()}
        if consumers is not None:
            fields["consumers"] = consumers(left).tolist()
        return queue_table("out", (last_minute + 1 + left).tolist(), fields)

    return table


def _small(left: np.ndarray) -> np.ndarray:
    return 20.0 + left % 7


def _from(start: int, base: float, step: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda left: base + step * np.maximum(left + start, 0)


def _quiet_fleet() -> Fleet:
    return steady(5, 3 * DAY)


CASES = [
    Case("three days of minutes and one customer silent for two hours is that customer's silence",
         _two_hours_silent, 0, silence={"silence/t07/*/*/*/"}),
    Case("the same asked five hours later is that silence, and we are blind",
         _two_hours_silent, 3 * DAY, silence={"silence/t07/*/*/*/"}, blind=True, wait_s=18_000),
    Case("nobody stops: nothing", _quiet_fleet, 3 * DAY),
    Case("everybody stops: blind, not silence", _quiet_fleet, 3 * DAY, blind=True, wait_s=600),
    Case("a customer stops on everything: one silence of the customer",
         _customer_stops, WEEK_LEARNED, silence={"silence/t02/*/*/*/"}),
    Case("a customer's messages are received but not delivered to one integration",
         _integration_of_one_stops, WEEK_LEARNED, silence={"silence/t02/*/s3/*/"}),
    Case("a customer's filter takes everything out: the filter is suspected",
         _filtered_instead, WEEK_LEARNED, silence={"silence/t02/*/s3/*/"},
         suspected=Suspected.FILTER),
    Case("some is filtered as ever and a delivery stops: the filter is not suspected",
         _filtered_as_usual, WEEK_LEARNED, silence={"silence/t02/*/s3/*/"},
         suspected=Suspected.INTEGRATION),
    Case("an integration stops for all: one silence of the integration",
         _integration_stops, WEEK_LEARNED, silence={"silence/*/*/s3/*/"}),
    Case("one source stops while its sibling speaks: the customer's source",
         _source_stops, WEEK_LEARNED, silence={"silence/t3/ios/*/*/"}),
    Case("customers known only by one integration stop with it: the integration",
         _only_integration_of_each_stops, WEEK_LEARNED, silence={"silence/*/*/s3/*/"}),
    Case("four of nine customers stop together: one silence that names them",
         _several_customers_stop, WEEK_LEARNED, silence={"silence/*/*/*/*/several%20customers"}),
    Case("one integration fails for three of 25 customers: one incident of the integration",
         _few_fail, WEEK_LEARNED, errors={"errors/*/*/ga4/*/"}),
    Case("one customer fails on one integration: that customer there",
         _one_fails, WEEK_LEARNED, errors={"errors/t04/*/s3/*/"}),
    Case("three of three failed where nothing ever did: evidence",
         _three_of_three, WEEK_LEARNED, errors={"errors/t04/*/s3/*/"}),
    Case("one of one failed: none", _one_of_one, WEEK_LEARNED),
    Case("one customer fails on every integration: the customer",
         _customer_fails_everywhere, WEEK_LEARNED, errors={"errors/t04/*/*/*/"}),
    Case("a third of what is received for one integration vanishes: loss",
         _a_third_vanishes, WEEK_LEARNED, loss={"loss/t02/*/ga4/*/"}),
    Case("hourly batches that come: nothing", lambda: _batches(None), WEEK_LEARNED),
    Case("hourly batches that stopped five hours ago: silence",
         lambda: _batches(300), WEEK_LEARNED, silence={"silence/t2/*/*/*/"}),
    Case("three messages a day missing for three and a half days: silence",
         lambda: _three_a_day(3.5), 21 * DAY, silence={"silence/tiny/*/*/*/"}),
    Case("three messages a day missing for a day: nothing yet", lambda: _three_a_day(1), 21 * DAY),
    Case("a trial of three messages two days ago: too little to page", _handful, 3 * DAY),
    Case("a retired customer stops: nothing", _retired, 3 * DAY),
    Case("a queue as usual: nothing", _quiet_fleet, 3 * DAY, queues=_queue(_small, _small)),
    Case("the oldest message of a queue is five minutes old: backlog",
         _quiet_fleet, 3 * DAY, backlog={"backlog/*/*/*/*/out"},
         queues=_queue(_small, _from(5, 2.0, 60.0))),
    Case("a queue grows by a thousand a minute: backlog",
         _quiet_fleet, 3 * DAY, backlog={"backlog/*/*/*/*/out"},
         queues=_queue(_from(12, 20.0, 1000.0), lambda left: 2.0 + 0.0 * left)),
    Case("consumers are gone and messages wait: backlog",
         _quiet_fleet, 3 * DAY, backlog={"backlog/*/*/*/*/out"},
         queues=_queue(_from(4, 20.0, 10.0), lambda left: 2.0 + 0.0 * left,
                       lambda left: np.where(left < -4, 3.0, 0.0))),
]  # fmt: skip
