"""What the pages and the API need from store and state; `app` joins them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from streamgauge.model.audit import AuditEntry
from streamgauge.model.budget import Budget
from streamgauge.model.expected import Applied, ExpectedFlow, FlowEdit, Offboarded
from streamgauge.model.explanation import Explanation
from streamgauge.model.flow import Scope
from streamgauge.model.gatherer import GathererHealth
from streamgauge.model.incident import Incident
from streamgauge.model.journeys import ErrorGroup, Journey
from streamgauge.model.notification import Notification
from streamgauge.model.refusal import Refusal, RefusedLine
from streamgauge.model.router import RouterStatus
from streamgauge.model.stored import StoredCount
from streamgauge.model.unmapped import Unmapped
from streamgauge.model.views import Filters, FlowRow, Lag, Overview, TimeSeries
from streamgauge.model.words import IncidentState


class Metrics(Protocol):
    """Questions about the key metrics. Calls block (milliseconds): run them in a thread.

    Ranges are `from_s <= event time < to_s`, epoch seconds.
    """

    def overview(self, from_s: float, to_s: float, filters: Filters) -> Overview:
        """The key metrics of a range."""
        ...

    def timeseries(
        self,
        metric: str,
        from_s: float,
        to_s: float,
        step_s: float,
        by: Sequence[str],
        filters: Filters,
    ) -> TimeSeries:
        """A metric per step, one series per combination of the labels in `by`.

        Several metrics with commas between are answered at once, as series with a label `metric`.

        Metrics: `messages`, `received`, `errors`, `filtered`, `error_ratio`, `latency_p50`,
        `latency_p90`, `latency_p99`, `wait_p50`, `wait_p90`, `wait_p99`, `backlog`, `oldest_age`,
        `bytes`; labels: `tenant`, `source`, `integration`, `pipeline`, `outcome`, `queue` (for
        backlog and oldest_age).

        Raises:
            PayloadError: an unknown metric or label, or more than 11,000 steps; says what is
                accepted.
        """
        ...

    def flows(
        self,
        from_s: float,
        to_s: float,
        by: Sequence[str],
        sort: str,
        limit: int,
        filters: Filters,
    ) -> list[FlowRow]:
        """Rows per combination of `by` (tenant, source, integration, pipeline, stage).

        Flows that were ever seen are listed also when they sent nothing in the range. `sort` is
        `errors`, `error_ratio`, `messages`, `last_seen` (longest quiet first) or `name`.

        Raises:
            PayloadError: an unknown `by` or `sort`.
        """
        ...

    def journey(self, message_id: str, tenant: str | None = None) -> Journey | None:
        """What a message went through, of one customer or of anybody; None: nothing is known."""
        ...

    def errors(
        self, from_s: float, to_s: float, sort: str, limit: int, filters: Filters
    ) -> list[ErrorGroup]:
        """What failed, those that are alike together.

        `sort` is `count`, `tenants` (most customers), `last_seen` or `first_seen`: the greatest
        first.

        Raises:
            PayloadError: an unknown `sort`, or a limit out of range.
        """
        ...

    def stored(self, from_s: float, to_s: float) -> list[StoredCount]:
        """How much is stored of the days that a range touches, all that was acknowledged."""
        ...

    def lag(self) -> Lag:
        """What is acknowledged and not yet queryable."""
        ...


class Incidents(Protocol):
    """Reads incidents. Calls block (milliseconds): run them in a thread."""

    def list_incidents(
        self, state: IncidentState | None = None, tenant: str | None = None, limit: int = 1000
    ) -> list[Incident]:
        """Newest first, without timelines; `tenant` also finds those that merely affect it."""
        ...

    def get_incident(self, incident_id: str) -> Incident:
        """One incident with its timeline.

        Raises:
            NotFound: no incident has that id.
        """
        ...

    def list_notifications(self, incident_id: str) -> list[Notification]:
        """Whom it was told to, and how that went, in the order of its changes."""
        ...


class Operations(Protocol):
    """How the process itself is doing. All but `problems` may block for milliseconds."""

    def problems(self) -> list[str]:
        """Why writes and queries are not served yet, in words; empty when they are."""
        ...

    def notices(self) -> list[str]:
        """What somebody has to look at while all is served, in words: damage, set-aside rows."""
        ...

    def prometheus(self) -> bytes:
        """Our own metrics in Prometheus' text format 0.0.4."""
        ...

    def refusals(self, tenant: str | None = None) -> list[Refusal]:
        """What was refused in the last day, of one customer or of all; most lines first."""
        ...

    def refused_lines(self, tenant: str | None, since_s: float, limit: int) -> list[RefusedLine]:
        """Lines that were refused for good since an instant (epoch seconds), newest first.

        Raises:
            StoreError: the store does not answer.
        """
        ...

    def unmapped(self) -> list[Unmapped]:
        """Metrics that look like messages or queues and are not understood; newest first."""
        ...

    def budget(self) -> Budget | None:
        """Our own budget, use, forecast and cost; None before the first look."""
        ...

    def gatherers(self) -> list[GathererHealth]:
        """How each collector, scrape and listener is doing."""
        ...

    def expectation(self, tenant: str) -> Expectation | None:
        """How much a customer usually sends; None until its habit is known."""
        ...


class Explainer(Protocol):
    """Why something was, or was not, told. Blocks for seconds: five weeks of sums are read."""

    def explain(self, scope: Scope, at: float | None = None) -> Explanation:
        """What detection made of a scope at an instant (epoch seconds); None: now.

        Raises:
            PayloadError: the instant is to come.
            StoreError: the store does not answer.
        """
        ...


class Expected(Protocol):
    """What people say of flows, and routers. Calls block (milliseconds): run them in a thread.

    Every one raises StoreError where the database refuses.
    """

    def list_flows(self, tenant: str | None = None) -> list[ExpectedFlow]:
        """All that was said, of one customer or of all, by scope."""
        ...

    def apply(self, edits: Sequence[FlowEdit], actor: str) -> list[Applied]:
        """Carry out edits, all or none, and write down who did it."""
        ...

    def offboard(self, tenant: str, actor: str) -> Offboarded:
        """Retire all of a customer's flows, and close what is open about it."""
        ...

    def list_routers(self) -> list[RouterStatus]:
        """Every router that detection knows, the worst first."""
        ...

    def list_audit(self, tenant: str | None = None, limit: int = 100) -> list[AuditEntry]:
        """Who changed what, newest first."""
        ...


@dataclass(frozen=True, slots=True)
class Expectation:
    """The habit behind a customer's silence clock."""

    per_hour: float
    """Messages that it usually sends in the running hour of the week."""
