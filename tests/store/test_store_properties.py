"""Whatever is written: what is asked equals what is computed from the raw rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.store.conftest import empty
from tests.store.lines import NOW, Row, body

from streamgauge.model.views import Filters
from streamgauge.model.words import EARLY_ENDS, FAILED
from streamgauge.store import Store
from streamgauge.store.rollup.histogram import ZERO_BUCKET, bucket_of, middle_s

FAILED_NAMES = [str(outcome) for outcome in FAILED]
EARLY = [str(outcome) for outcome in EARLY_ENDS]
RANK = {"received": 0, "queued": 1, "processed": 2, "delivered": 4}

ROW = st.fixed_dictionaries(
    {
        "at": st.integers(0, 299_999).map(lambda ms: NOW + ms / 1000),
        "tenant": st.sampled_from("ab"),
        "source": st.sampled_from(["", "web"]),
        "integration": st.sampled_from(["", "ga4", "s3"]),
        "stage": st.sampled_from([*RANK, "archived"]),
        "outcome": st.sampled_from(["ok", "ok", "ok", "retried", "odd", *EARLY]),
        "count": st.integers(0, 2**40),
        "latency_s": st.one_of(st.none(), st.floats(0, 1e6)),
    }
)


def ends(rows: pl.DataFrame) -> pl.DataFrame:
    """The definition of DESIGN section 4, once more and in other words."""
    rank = pl.col("stage").replace_strict(RANK, default=3)
    group = ["tenant", "source", "integration"]
    has_delivered = (pl.col("stage") == "delivered").any()
    last_stage = pl.col("stage").sort_by(rank, "stage").last().over(group)
    stands_in = ~has_delivered.over(group) & (
        (pl.col("integration") != "") | (pl.col("integration") == "").all().over(group[:2])
    )
    end_stage = pl.when(stands_in).then(last_stage).otherwise(pl.lit("delivered"))
    at_end = (pl.col("stage") == end_stage) & (pl.col("outcome") != "retried")
    return rows.filter(at_end | pl.col("outcome").is_in(EARLY))


@pytest.mark.chdb
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    bodies=st.lists(st.lists(ROW, min_size=1, max_size=12), min_size=1, max_size=3),
    low=st.integers(0, 300),
    length=st.integers(1, 300),
    tenant=st.sampled_from([None, "a"]),
)
def test_overview_is_what_the_rows_say(
    store: Store, bodies: Sequence[Sequence[Row]], low: int, length: int, tenant: str | None
) -> None:
    empty(store)
    for rows in bodies:
        store.write(body(rows), None, NOW)
    assert store.flush(30)
    every = pl.DataFrame([row for rows in bodies for row in rows], infer_schema_length=None)
    inside = ends(every).filter(
        pl.col("at").is_between(NOW + low, NOW + low + length, closed="left")
    )
    if tenant is not None:
        inside = inside.filter(pl.col("tenant") == tenant)
    found = store.overview(NOW + low, NOW + low + length, Filters(tenant=tenant))

    def total(rows: pl.DataFrame) -> int:
        return int(rows["count"].sum())

    assert (found.messages or 0) == total(inside)
    assert (found.errors or 0) == total(inside.filter(pl.col("outcome").is_in(FAILED_NAMES)))
    assert (found.filtered or 0) == total(inside.filter(pl.col("outcome") == "filtered"))
    told = inside.filter(pl.col("latency_s").is_not_null() & (pl.col("count") > 0))
    if told.height:
        assert found.latency.p50_s == pytest.approx(weighted_median(told), rel=0.0111, abs=1e-300)
    elif not inside["latency_s"].is_not_null().any():
        assert found.latency.p50_s is None


def weighted_median(rows: pl.DataFrame) -> float:
    ordered = rows.sort("latency_s")
    weights = ordered["count"].to_numpy().astype(np.float64).cumsum()
    return float(ordered["latency_s"][int(np.searchsorted(weights, weights[-1] * 0.5))])


@settings(deadline=None)
@given(st.floats(min_value=1e-300, max_value=1e300))
def test_a_bucket_stands_for_its_durations_within_1_1_percent(duration_s: float) -> None:
    bucket = int(bucket_of(np.array([duration_s]))[0])
    assert middle_s(bucket) == pytest.approx(duration_s, rel=0.0111)


@pytest.mark.parametrize("duration_s", [0.0, -0.0, -1.0, -np.inf])
def test_what_is_no_duration_is_in_the_lowest_bucket(duration_s: float) -> None:
    assert int(bucket_of(np.array([duration_s]))[0]) == ZERO_BUCKET
    assert middle_s(ZERO_BUCKET) == 0.0


@pytest.mark.parametrize("duration_s", [5e-324, 1.7e308, np.inf])
def test_extreme_durations_stay_in_range(duration_s: float) -> None:
    assert middle_s(int(bucket_of(np.array([duration_s]))[0])) > 0
