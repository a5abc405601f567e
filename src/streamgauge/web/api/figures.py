"""The key metrics as JSON: overview, time series, flows."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from fastapi import APIRouter

from streamgauge.model.expected import ExpectedFlow
from streamgauge.model.incident import Incident
from streamgauge.model.views import Filters, FlowRow
from streamgauge.web.answers import (
    Sources,
    ask_engine,
    ask_flows,
    ask_open,
    ask_overview,
    in_thread,
)
from streamgauge.web.api.parameters import FlowsQuery, RangeQuery, TimeseriesQuery, split_labels
from streamgauge.web.declared import ask_declared
from streamgauge.web.expected import by_tenant, declared_shape, expected_shape
from streamgauge.web.health import concerning, health_of
from streamgauge.web.ranges import parse_range, parse_step
from streamgauge.web.shapes import Json, flow_shape, overview_shape, timeseries_shape


def figures_router(sources: Sources) -> APIRouter:
    """`/overview`, `/timeseries` and `/flows`."""
    router = APIRouter(tags=["Figures"])

    @router.get("/overview", summary="The key metrics of a range")
    async def overview(query: RangeQuery) -> Json:
        asked = parse_range(query.from_, query.to, sources.clock.now())
        figures, incidents, lag = await asyncio.gather(
            ask_overview(sources, asked, query.filters),
            ask_open(sources, asked.to_s),
            in_thread(sources.metrics.lag),
        )
        health = health_of(
            concerning(incidents, query.filters), figures.messages, query.filters.tenant
        )
        return overview_shape(figures, health, lag)

    @router.get("/timeseries", summary="A metric over time")
    async def timeseries(query: TimeseriesQuery) -> Json:
        asked = parse_range(query.from_, query.to, sources.clock.now())
        step_s, by = parse_step(query.step, asked), split_labels(query.by)
        answer = await ask_engine(
            lambda: sources.metrics.timeseries(
                query.metric, asked.from_s, asked.to_s, step_s, by, query.filters
            )
        )
        return timeseries_shape(answer)

    @router.get("/flows", summary="Flows, or customers, sources or integrations")
    async def flows(query: FlowsQuery) -> Json:
        asked = parse_range(query.from_, query.to, sources.clock.now())
        rows, incidents, declared = await asyncio.gather(
            ask_flows(
                sources, asked, split_labels(query.by), query.sort, query.limit, query.filters
            ),
            ask_open(sources, asked.to_s),
            ask_declared(sources, query.filters),
        )
        said, now = by_tenant(one.said for one in declared), sources.clock.now()
        return {
            "flows": [_row_shape(row, incidents, said, now) for row in rows],
            "declared": [declared_shape(one.said, one.last_seen_at, now) for one in declared],
        }

    return router


def _row_shape(
    row: FlowRow,
    incidents: Sequence[Incident],
    said: Mapping[str, list[ExpectedFlow]],
    now: float,
) -> Json:
    filters = filters_of(row)
    about = concerning(incidents, filters)
    shape = flow_shape(row, health_of(about, row.messages, filters.tenant))
    expected = expected_shape(row.labels, row.last_seen_at, said, about, now)
    return shape | {"expected": expected}


def filters_of(row: FlowRow) -> Filters:
    """What selects a row's messages."""
    labels = row.labels
    return Filters(*(labels.get(name) for name in ("tenant", "source", "integration", "pipeline")))
