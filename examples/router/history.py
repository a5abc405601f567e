"""A history as the router would have reported it, made up vectorised, a line a minute and flow.

It draws from the same fleet, day and vendors as the live load, so that the habits it teaches are
the habits that live traffic keeps. It ends at any instant: the last line of each flow then covers
less than a minute, and live load that begins at that instant leaves neither gap nor overlap.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from examples.router.fleet import PERIOD_S, SEED, VENDORS, Customer, daily_factor
from examples.router.history_queues import MEAN_WAIT_S, QueueHistory
from examples.router.lines import PIPELINE, STAMP_BEFORE_END_NS, Identity, tags
from numpy.typing import NDArray

STEP_S = 60.0
EVENT_BYTES = 160
"""Mean size of an event of `load` as compact JSON."""
FINE_S = 7200.0
"""The newest part of the history has several latencies a minute, for smooth percentiles."""
FINE_DRAWS = 6


@dataclass(frozen=True, slots=True)
class Body:
    """Some thousand lines: whole minutes, oldest first."""

    content: bytes
    line_count: int
    ends: int
    """Messages that came to an end: what `messages` of the overview counts."""
    received: int


@dataclass(frozen=True, slots=True)
class _Series:
    """What the columns of a block are: one per tag set."""

    prefixes: list[str]
    latency: NDArray[np.float64]
    """float64 [n_series, 2]: log of the median (s) and sigma; NaN where there is no latency."""
    has_wait: NDArray[np.bool_]
    is_end: NDArray[np.bool_]
    is_received: NDArray[np.bool_]


class History:
    """Generates one history; the same for the same fleet, identity and seed."""

    def __init__(self, fleet: Sequence[Customer], identity: Identity, seed: int = SEED) -> None:
        self._fleet, self._identity, self._seed = fleet, identity, seed
        self._series = _list_series(fleet, identity)

    def bodies(
        self, start_at: float, end_at: float, steps: int = 60, step_s: float = STEP_S
    ) -> Iterator[Body]:
        """The lines of [start_at, end_at), epoch seconds, in bodies of so many steps.

        `start_at` has to be a whole step; the last step ends at `end_at` exactly. In the last two
        hours latencies are drawn in more detail.
        """
        fine_at = end_at - FINE_S
        edges = np.append(np.arange(start_at, end_at, step_s), end_at)
        queues = QueueHistory(self._fleet, self._identity)
        for first in range(0, len(edges) - 1, steps):
            chosen = edges[first : first + steps + 1]
            draws = FINE_DRAWS if chosen[0] >= fine_at else 1
            yield self._body(chosen, draws, queues)

    def _body(self, edges: NDArray[np.float64], draws: int, queues: QueueHistory) -> Body:
        rng = np.random.default_rng((self._seed, int(edges[0])))
        counts = _draw_counts(rng, self._fleet, edges)
        is_end, is_received = self._series.is_end, self._series.is_received
        lines = [*_lines(rng, self._series, counts, edges, draws), *queues.lines(rng, edges)]
        return Body(
            ("\n".join(lines) + "\n").encode(),
            len(lines),
            int(counts[:, is_end].sum()),
            int(counts[:, is_received].sum()),
        )


def _list_series(fleet: Sequence[Customer], identity: Identity) -> _Series:
    """Every tag set, in the order in which `_draw_counts` fills its columns."""
    habits = {one.name: one for one in VENDORS}
    prefixes: list[str] = []
    latency: list[tuple[float, float]] = []
    none = (math.nan, math.nan)

    def add(
        name: str, source: str, at: tuple[str, str, str, str], took: tuple[float, float]
    ) -> None:
        integration, stage, outcome, reason = at
        labels = tags(
            tenant=name,
            source=source,
            integration=integration,
            pipeline=PIPELINE,
            stage=stage,
            outcome=outcome,
            reason=reason,
            router=identity.router,
            version=identity.version,
        )
        prefixes.append(f"messages{labels} count=")
        latency.append(took)

    for one in fleet:
        for source, _share in one.sources:
            add(one.name, source, ("", "received", "ok", ""), none)
            for name in one.integrations:
                took = (math.log(habits[name].median_s), habits[name].sigma)
                add(one.name, source, (name, "delivered", "ok", ""), took)
                add(one.name, source, (name, "delivered", "error", "bad_request"), none)
                add(one.name, source, (name, "processed", "filtered", "consent"), none)
                add(one.name, source, (name, "delivered", "retried", "http_503"), none)
    is_received = np.array(["stage=received" in one for one in prefixes])
    is_retried = np.array(["outcome=retried" in one for one in prefixes])
    return _Series(
        prefixes,
        np.array(latency),
        ~is_received & ~is_retried,
        ~is_received & ~is_retried,
        is_received,
    )


def _draw_counts(
    rng: np.random.Generator, fleet: Sequence[Customer], edges: NDArray[np.float64]
) -> NDArray[np.int64]:
    """int64 [n_steps, n_series]: messages in each step."""
    habits = {one.name: one for one in VENDORS}
    seconds = np.diff(edges)
    load = daily_factor(edges[:-1] + seconds / 2) * seconds
    columns: list[NDArray[np.int64]] = []
    for one in fleet:
        for _source, share in one.sources:
            received = rng.poisson(one.messages_per_s * share * load)
            columns.append(received)
            for name in one.integrations:
                filtered = rng.binomial(received, one.filtered_ratio(name))
                sent = received - filtered
                rejected = rng.binomial(sent, habits[name].rejected_ratio)
                retried = _draw_retried(rng, sent, seconds, habits[name].unavailable_ratio)
                columns += [sent - rejected, rejected, filtered, retried]
    return np.stack(columns, axis=1).astype(np.int64)


def _draw_retried(
    rng: np.random.Generator,
    sent: NDArray[np.int64],
    seconds: NDArray[np.float64],
    unavailable_ratio: float,
) -> NDArray[np.int64]:
    """Whole requests are answered 503, and the events of one post share a request."""
    posts = np.ceil(seconds / PERIOD_S).astype(np.int64)
    requests = np.maximum(np.minimum(sent, posts), 1)
    batch = -(-sent // requests)
    return rng.binomial(requests, unavailable_ratio) * batch


def _lines(
    rng: np.random.Generator,
    series: _Series,
    counts: NDArray[np.int64],
    edges: NDArray[np.float64],
    draws: int,
) -> pl.Series:
    """The lines of a block, minute by minute."""
    shares = rng.multinomial(counts, np.full(draws, 1 / draws)) if draws > 1 else counts[..., None]
    has_latency = ~np.isnan(series.latency[:, 0])
    if draws > 1:  # only what has a latency is worth several lines
        whole = np.zeros_like(shares)
        whole[..., 0] = counts
        shares = np.where(has_latency[:, None], shares, whole)
    step, column, draw = np.nonzero(shares)
    count = shares[step, column, draw]
    wait_s = rng.exponential(MEAN_WAIT_S, len(count))
    log_median, sigma = series.latency[column].T
    latency_s = np.exp(log_median + sigma * rng.standard_normal(len(count))) + wait_s
    end_ns = np.round(edges[1:] * 1e9).astype(np.int64) - STAMP_BEFORE_END_NS
    frame = pl.DataFrame(
        {
            "prefix": pl.Series(series.prefixes).gather(column),
            "count": count,
            "bytes": count * EVENT_BYTES,
            "latency": np.round(latency_s * 1000, 3),
            "wait": np.round(wait_s * 1000, 3),
            "ns": end_ns[step] + column * draws + draw,
            "has_latency": has_latency[column],
            "has_wait": series.has_wait[column],
        }
    )
    return frame.select(_line().alias("line"))["line"]


def _line() -> pl.Expr:
    latency = pl.when("has_latency").then(pl.format(",latency_ms={}", "latency"))
    wait = pl.when("has_wait").then(pl.format(",queue_ms={}", "wait"))
    none = pl.lit("")
    return pl.format(
        "{}{}i,bytes={}i{}{} {}",
        "prefix", "count", "bytes", latency.otherwise(none), wait.otherwise(none), "ns",
    )  # fmt: skip
