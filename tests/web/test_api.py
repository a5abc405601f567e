"""The JSON API: shapes, parameters, errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.web.sites import NOW_S, Site

from streamgauge.model.errors import StoreError
from streamgauge.model.flow import PLATFORM, Scope
from streamgauge.model.incident import Incident, replay_shape
from streamgauge.model.words import IncidentState, Kind, Severity
from streamgauge.testing.incidents import a_notification, an_incident

Make = Callable[..., Site]


def test_overview_has_the_shape_of_the_contract(site: Site) -> None:
    answer = site.json("/api/v1/overview")
    assert set(answer) == {
        "messages", "received", "errors", "filtered", "messages_per_second", "success_ratio",
        "error_ratio", "latency", "queue", "capacity", "state", "lag",
    }  # fmt: skip
    assert set(answer["latency"]) == {"p50_s", "p90_s", "p99_s"}
    assert set(answer["queue"]) == {"backlog", "oldest_age_s", "drain_eta_s", "wait"}
    assert set(answer["queue"]["wait"]) == {"p50_s", "p90_s", "p99_s"}
    assert set(answer["capacity"]) == {"messages_per_second", "utilization_ratio", "reached_at"}
    assert answer["capacity"]["reached_at"] == "2027-01-04T06:00:00Z"
    assert answer["lag"] == {"lines": 0, "seconds": 0.0}
    assert answer["success_ratio"] + answer["error_ratio"] == pytest.approx(1)


def test_what_is_not_known_is_null_and_never_zero(empty_site: Site) -> None:
    answer = empty_site.json("/api/v1/overview")
    assert answer["state"] == "unknown"
    assert answer["messages"] is None
    assert answer["latency"] == {"p50_s": None, "p90_s": None, "p99_s": None}
    assert answer["queue"]["backlog"] is None


def test_filters_reach_the_store(site: Site) -> None:
    everyone = site.json("/api/v1/overview")["messages"]
    acme = site.json("/api/v1/overview?tenant=acme")["messages"]
    web = site.json("/api/v1/overview?tenant=acme&source=web")["messages"]
    assert everyone > acme > web > 0
    assert site.json("/api/v1/overview?tenant=nobody")["messages"] == 0


def an(severity: Severity, scope: Scope = PLATFORM, kind: Kind = Kind.ERRORS) -> Incident:
    return replace(
        an_incident("one", NOW_S - 60), severity=severity, scope=scope, kind=kind, affected=()
    )


ACME = Scope(tenant="acme")


@pytest.mark.parametrize(
    ("incidents", "query", "state"),
    [
        pytest.param([], "", "ok", id="nothing open"),
        pytest.param([an(Severity.P5)], "", "ok", id="an informational one"),
        pytest.param([an(Severity.P4)], "", "degraded", id="a low one"),
        pytest.param([an(Severity.P1)], "", "down", id="a critical one"),
        pytest.param([an(Severity.P1, ACME)], "", "down", id="a customer's critical one"),
        pytest.param([an(Severity.P2, PLATFORM, Kind.BLIND)], "", "unknown", id="blind"),
        pytest.param([an(Severity.P2, ACME)], "?tenant=acme", "degraded", id="its own"),
        pytest.param([an(Severity.P2, ACME)], "?tenant=globex", "ok", id="another customer's"),
        pytest.param([an(Severity.P2)], "?tenant=acme", "ok", id="the platform's, not critical"),
        pytest.param([an(Severity.P1)], "?tenant=acme", "down", id="the platform's critical one"),
        pytest.param(
            [replace(an(Severity.P3, Scope(integration="s3")), affected=("acme",))],
            "?tenant=acme", "degraded", id="it is affected",
        ),
        pytest.param(
            [an(Severity.P2, Scope(integration="s3"))],
            "?integration=ga4", "ok", id="another integration's",
        ),
        pytest.param(
            [an(Severity.P2, PLATFORM, Kind.BLIND)], "?tenant=acme", "unknown", id="blind for it"
        ),
        pytest.param([], "?tenant=nobody", "unknown", id="nothing seen of it"),
        pytest.param(
            [an(Severity.P2, Scope(tenant="nobody"))],
            "?tenant=nobody", "degraded", id="silent while others speak",
        ),
    ],
)  # fmt: skip
def test_state_follows_what_is_open(
    site_with: Make, incidents: list[Incident], query: str, state: str
) -> None:
    site = site_with()
    site.incidents.incidents = incidents
    assert site.json(f"/api/v1/overview{query}")["state"] == state


def test_state_of_the_past_follows_what_was_open_then(site_with: Make) -> None:
    site = site_with()
    over = replace(
        an(Severity.P1),
        state=IncidentState.CLOSED,
        opened_at=NOW_S - 7200,
        closed_at=NOW_S - 3600,
    )
    site.incidents.incidents = [over]
    assert site.json("/api/v1/overview")["state"] == "ok"
    assert site.json(f"/api/v1/overview?to={NOW_S - 3601}")["state"] == "down"
    assert site.json(f"/api/v1/overview?to={NOW_S - 3600}")["state"] == "ok"
    assert site.json(f"/api/v1/overview?to={NOW_S - 7201}")["state"] == "ok"


def test_timeseries_has_the_shape_of_the_contract(site: Site) -> None:
    answer = site.json("/api/v1/timeseries?metric=messages&by=outcome&step=5m")
    assert answer["timestamps"] == [NOW_S - 3600 + 300 * i for i in range(12)]
    assert [series["labels"]["outcome"] for series in answer["series"]] == [
        "ok", "filtered", "error", "expired",
    ]  # fmt: skip
    assert {len(series["values"]) for series in answer["series"]} == {12}


def test_several_metrics_are_asked_at_once(site: Site) -> None:
    query = f"from={NOW_S - 600}&to={NOW_S}&step=60&by=source"
    answer = site.json(f"/api/v1/timeseries?metric=latency_p50,latency_p99&{query}")
    alone = site.json(f"/api/v1/timeseries?metric=latency_p99&{query}")
    assert {one["labels"]["metric"] for one in answer["series"]} == {"latency_p50", "latency_p99"}
    last = [one for one in answer["series"] if one["labels"]["metric"] == "latency_p99"]
    assert [one["values"] for one in last] == [one["values"] for one in alone["series"]]
    assert all(set(one["labels"]) == {"source"} for one in alone["series"])


def test_an_incident_tells_whom_it_was_told_to(site: Site) -> None:
    assert site.json("/api/v1/incidents/inc-silence")["notifications"] == []
    site.incidents.notifications = [a_notification("inc-silence", NOW_S - 240)]
    (told,) = site.json("/api/v1/incidents/inc-silence")["notifications"]
    assert told == {
        "notifier": "opsgenie",
        "action": "create",
        "state": "delivered",
        "reason": "takes P2",
        "created_at": "2026-11-24T05:56:00Z",
        "due_at": "2026-11-24T05:56:00Z",
        "finished_at": "2026-11-24T05:56:01Z",
        "attempts": 1,
        "last_error": "",
    }


def test_flows_add_up_by_the_labels_asked(site: Site) -> None:
    rows = site.json("/api/v1/flows?by=tenant&sort=messages&limit=3")["flows"]
    assert [row["labels"] for row in rows] == [
        {"tenant": "northwind"}, {"tenant": "initech"}, {"tenant": "acme"},
    ]  # fmt: skip
    assert set(rows[0]) == {
        "labels", "messages", "errors", "filtered", "error_ratio", "last_seen_at",
        "latency_p99_s", "health", "expected",
    }  # fmt: skip
    by_name = {
        row["labels"]["tenant"]: row for row in site.json("/api/v1/flows?by=tenant")["flows"]
    }
    assert by_name["dunder"]["health"] == "degraded"
    assert by_name["dunder"]["last_seen_at"] == "2026-11-24T05:38:00Z"
    assert by_name["acme"]["health"] == "ok"


def test_flows_of_a_range_in_which_nobody_was_seen_have_no_counts(site_with: Make) -> None:
    site = site_with(tenants=["acme"], silent={"acme": NOW_S - 7200})
    (row,) = site.json("/api/v1/flows?by=tenant")["flows"]
    assert (row["messages"], row["errors"], row["filtered"]) == (None, None, None)
    assert row["health"] == "unknown"
    cells = site.page("/customers").cssselect("tbody td.num")
    assert [" ".join(cell.text_content().split()) for cell in cells] == [
        "unknown", "unknown", "2 h ago",
    ]  # fmt: skip


def test_incidents_are_the_replay_shape_and_more(site: Site) -> None:
    silence = site.incidents.incidents[0]
    answer = site.json("/api/v1/incidents/inc-silence")
    assert replay_shape(silence).items() <= answer.items()
    assert set(answer) - set(replay_shape(silence)) == {
        *("state", "since", "affected", "timeline", "notifications"),
    }
    assert answer["since"] == "2026-11-24T05:38:00Z"
    assert answer["affected"] == ["dunder"]
    assert [entry["action"] for entry in answer["timeline"]] == ["opened"]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        pytest.param("", ["inc-silence", "inc-errors", "inc-backlog"], id="all, newest first"),
        pytest.param("?state=open", ["inc-silence", "inc-errors"], id="open"),
        pytest.param("?state=closed", ["inc-backlog"], id="closed"),
        pytest.param("?tenant=wonka", ["inc-errors"], id="those that affect a customer"),
        pytest.param("?limit=1", ["inc-silence"], id="the newest"),
    ],
)
def test_incidents_can_be_chosen(site: Site, query: str, ids: list[str]) -> None:
    answer = site.json(f"/api/v1/incidents{query}")
    assert [incident["id"] for incident in answer["incidents"]] == ids


def test_evidence_out_of_range_is_null(site: Site) -> None:
    broken = replace(site.incidents.incidents[0], evidence={"growth_ratio": float("inf"), "n": 3})
    site.incidents.incidents = [broken]
    assert site.json("/api/v1/incidents/inc-silence")["evidence"] == {"growth_ratio": None, "n": 3}


@pytest.mark.parametrize(
    ("address", "status", "says"),
    [
        pytest.param("/api/v1/overview?from=soon", 400, "epoch seconds", id="not an instant"),
        pytest.param("/api/v1/overview?tenat=acme", 400, "tenat", id="a misspelt filter"),
        pytest.param("/api/v1/timeseries", 400, "metric", id="a missing parameter"),
        pytest.param("/api/v1/timeseries?metric=joy", 400, "error_ratio", id="an unknown metric"),
        pytest.param("/api/v1/timeseries?metric=messages&by=x", 400, "tenant", id="unknown label"),
        pytest.param("/api/v1/timeseries?metric=messages&step=0", 400, "step", id="no step"),
        pytest.param("/api/v1/flows?sort=size", 400, "error_ratio", id="an unknown order"),
        pytest.param("/api/v1/flows?limit=0", 400, "limit", id="a limit of 0"),
        pytest.param("/api/v1/flows?limit=many", 400, "limit", id="a limit in words"),
        pytest.param("/api/v1/incidents?state=lost", 400, "acknowledged", id="an unknown state"),
        pytest.param("/api/v1/incidents/none", 404, "none", id="an unknown incident"),
        pytest.param("/api/v1/nothing", 404, "/api/docs", id="an unknown address"),
    ],
)
def test_errors_say_what_and_what_to_do(site: Site, address: str, status: int, says: str) -> None:
    response = site.get(address)
    assert response.status_code == status
    assert list(response.json()) == ["error"]
    assert says in response.json()["error"]


def test_only_reading_is_served(site: Site) -> None:
    response = site.ask("DELETE", "/api/v1/incidents/inc-silence", None)
    assert (response.status_code, list(response.json())) == (405, ["error"])


def test_a_store_that_refuses_is_503_with_a_time_to_come_back(site: Site) -> None:
    site.metrics.failure = StoreError("the engine is restarting: ask again", permanent=False)
    response = site.get("/api/v1/overview")
    assert response.status_code == 503
    assert response.json() == {"error": "the engine is restarting: ask again"}
    assert int(response.headers["retry-after"]) > 0


def test_what_nobody_expected_is_500_with_an_id_and_no_trace(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.metrics.failure = ZeroDivisionError("a secret detail")
    response = site.get("/api/v1/overview")
    assert response.status_code == 500
    message = response.json()["error"]
    assert "secret" not in message
    error_id = message.split("error ")[1][:8]
    assert error_id in capsys.readouterr().out
    assert response.headers["x-content-type-options"] == "nosniff"


def test_the_description_names_every_question(site: Site) -> None:
    paths = site.json("/api/openapi.json")["paths"]
    assert {"/api/v1/overview", "/api/v1/timeseries", "/api/v1/flows", "/api/v1/incidents"} <= set(
        paths
    )


def test_alive_even_when_not_ready(site: Site) -> None:
    assert site.get("/ready").status_code == 200
    site.operations.told_problems = ["the journal is being replayed"]
    answer = site.get("/ready")
    assert answer.status_code == 503
    assert answer.json()["reasons"] == ["the journal is being replayed"]
    health = site.json("/health")
    assert (health["name"], health["status"]) == ("streamgauge", "pass")
    assert site.ask("HEAD", "/health", None).status_code == 200


def test_our_own_metrics_are_prometheus_text(site: Site) -> None:
    response = site.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "streamgauge_up 1" in response.text
