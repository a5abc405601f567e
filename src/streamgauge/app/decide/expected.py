"""What people say of flows, from the file and from the state database, for detection and pages.

Of one scope the database's word holds: it was said later, and on purpose. Detection asks at every
turn, so what was said here or in another process is judged by within a tick.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import structlog

from streamgauge.alert.actions import close
from streamgauge.app import wiring
from streamgauge.app.configuration import Configuration
from streamgauge.detect.expectations import Expectations
from streamgauge.model.audit import AuditEntry
from streamgauge.model.change import Change, Routing
from streamgauge.model.clock import Clock
from streamgauge.model.errors import StoreError
from streamgauge.model.expected import Applied, ExpectedFlow, FlowEdit, Offboarded
from streamgauge.model.flow import Scope
from streamgauge.model.incident import Incident
from streamgauge.model.router import RouterStatus
from streamgauge.model.words import IncidentState
from streamgauge.state.expected import ExpectedFlows
from streamgauge.state.state import State

log = structlog.get_logger()


def own_expectations(configuration: Configuration, state: State, clock: Clock) -> OwnExpectations:
    """What the file and the database say."""
    now = clock.now()
    return OwnExpectations(
        state,
        ExpectedFlows(state, clock, configuration.state.audit_retention),
        wiring.router(configuration),
        lambda since: wiring.expectations(configuration, now, since),
        [one.scope for one in wiring.expectations(configuration, now).flows],
    )


class OwnExpectations:
    """Both words as one; what `web` asks about expectations (its `Expected`)."""

    def __init__(
        self,
        state: State,
        flows: ExpectedFlows,
        routing: Routing,
        configured: Callable[[Mapping[Scope, float]], Expectations],
        scopes: Sequence[Scope],
    ) -> None:
        """Nothing is asked yet: the database may not be open.

        Args:
            state: where incidents are.
            flows: what was said since.
            routing: who is told that an incident is closed.
            configured: the file's word, given since when it names each scope.
            scopes: those that the file names.
        """
        self._state, self._flows, self._routing = state, flows, routing
        self._make_configured, self._scopes = configured, scopes
        self._routers: Callable[[], list[RouterStatus]] = list
        self._guard = threading.Lock()
        self._configured: Expectations | None = None
        self._known: tuple[tuple[int, float], Expectations] | None = None

    def routers_from(self, routers: Callable[[], list[RouterStatus]]) -> None:
        """Who is asked about routers."""
        self._routers = routers

    def said(self) -> Expectations:
        """All that holds now; the same object until something changes.

        Raises:
            StoreError: the database refused.
        """
        with self._guard:
            version = self._flows.version()
            if self._known is None or self._known[0] != version:
                configured = {one.scope: one for one in self._read_configured().flows}
                configured |= {one.scope: one for one in self._flows.all()}
                self._known = (version, Expectations(tuple(configured.values())))
            return self._known[1]

    def list_flows(self, tenant: str | None = None) -> list[ExpectedFlow]:
        """All that was said, of one customer or of all, by scope."""
        said = self.said().flows
        mine = (one for one in said if tenant is None or one.scope.tenant == tenant)
        return sorted(mine, key=lambda one: tuple(part or "" for part in one.scope))

    def apply(self, edits: Sequence[FlowEdit], actor: str) -> list[Applied]:
        """Carry out edits, all or none."""
        with self._guard:
            configured = {one.scope: one for one in self._read_configured().flows}
        return self._flows.apply(edits, actor, configured)

    def offboard(self, tenant: str, actor: str) -> Offboarded:
        """Retire all of a customer's flows, and close what is open about it."""
        narrower = [one.scope for one in self.list_flows(tenant) if one.scope != Scope(tenant)]
        edits = [FlowEdit(scope, {"is_retired": True}) for scope in (Scope(tenant), *narrower)]
        applied = self.apply(edits, actor)
        reason = f"customer {tenant} was offboarded"
        closed = [
            incident.id
            for incident in self._state.list_incidents(tenant=tenant)
            if incident.scope.tenant == tenant
            and incident.state is not IncidentState.CLOSED
            and self._close(incident.id, actor, reason)
        ]
        retired = next(one.after for one in applied if one.scope == Scope(tenant))
        log.info("a customer was offboarded", tenant=tenant, actor=actor, closed=len(closed))
        return Offboarded(retired, closed)

    def list_routers(self) -> list[RouterStatus]:
        """Every router that detection knows, the worst first."""
        return self._routers()

    def list_audit(self, tenant: str | None = None, limit: int = 100) -> list[AuditEntry]:
        """Who changed what, newest first."""
        return self._flows.audit(tenant, limit)

    def _close(self, incident_id: str, actor: str, reason: str) -> bool:
        try:
            transition = partial(_closed, actor=actor, reason=reason)
            incident = self._state.act(incident_id, transition, self._routing)
        except StoreError as error:
            log.warning("an incident was not closed", incident=incident_id, reason=str(error))
            return False
        return incident.state is IncidentState.CLOSED

    def _read_configured(self) -> Expectations:
        if self._configured is None:
            since = self._flows.remember_configured(self._scopes)
            self._configured = self._make_configured(since)
        return self._configured


def _closed(incident: Incident, now: float, *, actor: str, reason: str) -> Change | None:
    return close(incident, actor, reason, now)
