"""The questions of the query bench, as each server is asked them.

Each is asked many times, every time about another customer or a range moved by a minute, so that no
cache has the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from bench.month import TENANTS, Fleet

HOUR, DAY = 60, 1440


@dataclass(frozen=True, slots=True)
class Range:
    """Minutes since the epoch, `first` <= minute < `end`, and whom it is about."""

    first: int
    end: int
    tenant: str

    @property
    def bounds_s(self) -> tuple[int, int]:
        """Epoch seconds."""
        return self.first * 60, self.end * 60


Parameters = dict[str, str | int]
Request = tuple[str, Parameters]
Ask = Callable[[Range], Request]


@dataclass(frozen=True, slots=True)
class Question:
    """One thing that people look at."""

    words: str
    minutes: int
    is_fleet_wide: bool
    step: int = 1
    """Minutes by which the range moves from one time to the next."""

    def range_of(self, fleet: Fleet, turn: int) -> Range:
        """The range of the turn-th time it is asked."""
        end = fleet.end_minute - 60 - turn % 50 * self.step
        return Range(end - self.minutes, end, f"t{turn * 37 % TENANTS:03}")


QUESTIONS = {
    "fleet": Question("the fleet's messages per minute, 24 h", DAY, True),
    "top": Question("top 20 customers by error share, 1 h", HOUR, True),
    "customer": Question("one customer's p99 per minute, 24 h", DAY, False),
    "month": Question("the fleet's messages per hour, 29 days", 29 * DAY, True, step=0),
}


def _timeseries(metric: str, step_s: int, with_tenant: bool = False) -> Ask:
    def ask(asked: Range) -> Request:
        low, high = asked.bounds_s
        question: Parameters = {"metric": metric, "from": low, "to": high, "step": step_s}
        if with_tenant:
            question["tenant"] = asked.tenant
        return "/api/v1/timeseries", question

    return ask


def _flows(asked: Range) -> Request:
    low, high = asked.bounds_s
    return "/api/v1/flows", {
        **{"by": "tenant", "sort": "error_ratio", "limit": 20},
        **{"from": low, "to": high},
    }


def _promql(expression: str, step_s: int) -> Ask:
    """A sample at the end of each step; the last one lies in the range's last minute."""

    def ask(asked: Range) -> Request:
        low, high = asked.bounds_s
        query = expression.replace("TENANT", asked.tenant)
        if not step_s:
            return "/api/v1/query", {"query": query, "time": high - 1, "nocache": 1}
        question: Parameters = {"query": query, "start": low + step_s - 1, "end": high - 1}
        return "/api/v1/query_range", question | {"step": step_s, "nocache": 1}

    return ask


def _influxql(statement: str) -> Ask:
    def ask(asked: Range) -> Request:
        low, high = asked.bounds_s
        where = f"time >= {low}s AND time < {high}s"
        query = statement.replace("RANGE", where).replace("TENANT", asked.tenant)
        return "/query", {"db": "bench", "epoch": "s", "q": query}

    return ask


_SHARE = (
    'topk(20, sum by (tenant) (sum_over_time(messages_count{outcome="error"}[1h])) '
    "/ sum by (tenant) (sum_over_time(messages_count[1h])))"
)
ASKS: Mapping[str, Mapping[str, Ask]] = {
    "streamgauge": {
        "fleet": _timeseries("messages", 60),
        "top": _flows,
        "customer": _timeseries("latency_p99", 60, with_tenant=True),
        "month": _timeseries("messages", 3600),
    },
    "VictoriaMetrics": {
        "fleet": _promql("sum(sum_over_time(messages_count[1m]))", 60),
        "top": _promql(_SHARE, 0),
        "customer": _promql('quantile(0.99, messages_latency_ms{tenant="TENANT"})', 60),
        "month": _promql("sum(sum_over_time(messages_count[1h]))", 3600),
    },
    "InfluxDB": {
        "fleet": _influxql("SELECT sum(count) FROM messages WHERE RANGE GROUP BY time(1m)"),
        "top": _influxql("SELECT sum(count) FROM messages WHERE RANGE GROUP BY tenant, outcome"),
        "customer": _influxql(
            "SELECT percentile(latency_ms, 99) FROM messages WHERE RANGE AND "
            "tenant = 'TENANT' GROUP BY time(1m)"
        ),
        "month": _influxql("SELECT sum(count) FROM messages WHERE RANGE GROUP BY time(1h)"),
    },
}
SMALL: Mapping[str, Ask] = {
    "streamgauge": _timeseries("messages", 60, with_tenant=True),
    "VictoriaMetrics": _promql('sum(sum_over_time(messages_count{tenant="TENANT"}[1m]))', 60),
    "InfluxDB": _influxql(
        "SELECT sum(count) FROM messages WHERE RANGE AND tenant = 'TENANT' GROUP BY time(1m)"
    ),
}


def total(server: str, answer: httpx.Response) -> int:
    """The sum over a series of counts, to see that all of them answer the same."""
    told: Any = answer.json()
    if server == "streamgauge":
        return int(sum(value or 0 for value in told["series"][0]["values"]))
    if server == "VictoriaMetrics":
        return int(sum(float(value) for _, value in told["data"]["result"][0]["values"]))
    return int(sum(row[1] or 0 for row in told["results"][0]["series"][0]["values"]))
