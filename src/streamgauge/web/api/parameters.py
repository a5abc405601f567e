"""What questions to the API may carry.

A parameter that is not known is an error, not ignored: a misspelt filter would otherwise answer for
everyone.
"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from streamgauge.model.views import Filters
from streamgauge.model.words import IncidentState

LABELS = ("tenant", "source", "integration", "pipeline")
Instant = Annotated[
    str | None,
    Field(
        max_length=64,
        description="Epoch seconds or RFC 3339; the last hour by default",
        examples=["1764000000"],
    ),
]


class FilterParameters(BaseModel):
    """Which messages count; a label left out is every value of it."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    tenant: str | None = Field(None, max_length=1024, description="The customer")
    source: str | None = Field(None, max_length=1024, description="Where its messages come from")
    integration: str | None = Field(None, max_length=1024, description="Where they are delivered")
    pipeline: str | None = Field(None, max_length=1024, description="Their route")

    @property
    def filters(self) -> Filters:
        """As the store takes them."""
        return Filters(self.tenant, self.source, self.integration, self.pipeline)


class RangeParameters(FilterParameters):
    """`from` <= event time < `to`; the last hour when neither is given."""

    from_: Instant = Field(None, alias="from")
    to: Instant = None


class TimeseriesParameters(RangeParameters):
    """A metric over time."""

    metric: str = Field(
        max_length=400,
        examples=["messages"],
        description=(
            "One, or several with commas between (each series then has a label `metric`), of "
            "messages, received, errors, filtered, error_ratio, latency_p50, latency_p90, "
            "latency_p99, latency_min, latency_max, wait_p50, wait_p90, wait_p99, backlog, "
            "oldest_age or bytes"
        ),
    )
    step: str | None = Field(
        None, max_length=24, description="60, 30s, 5m, 1h, 1d; a round one by default"
    )
    by: str = Field(
        "",
        max_length=200,
        examples=["tenant"],
        description="Comma-separated: tenant, source, integration, pipeline, outcome or queue",
    )


class FlowsParameters(RangeParameters):
    """Flows, or what they add up to."""

    by: str = Field(
        "tenant,source,integration,pipeline,stage",
        max_length=200,
        description="Labels, comma-separated; `tenant` gives one row a customer",
    )
    sort: Literal["errors", "error_ratio", "messages", "last_seen", "name"] = "errors"
    limit: int = Field(100, ge=1, le=10_000)


class IncidentsParameters(BaseModel):
    """Which incidents."""

    model_config = ConfigDict(extra="forbid")

    state: IncidentState | None = Field(None, description="open, acknowledged or closed")
    tenant: str | None = Field(
        None, max_length=1024, description="The customer whose they are, or whom they affect"
    )
    limit: int = Field(1000, ge=1, le=1000)


def split_labels(by: str) -> list[str]:
    """`a,b` as a list without repeats; the store says which labels there are."""
    return list(dict.fromkeys(part for part in (part.strip() for part in by.split(",")) if part))


RangeQuery = Annotated[RangeParameters, Query()]
TimeseriesQuery = Annotated[TimeseriesParameters, Query()]
FlowsQuery = Annotated[FlowsParameters, Query()]
IncidentsQuery = Annotated[IncidentsParameters, Query()]
