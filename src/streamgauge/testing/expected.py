"""What people say of flows, in memory, in place of the state database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from streamgauge.model.audit import AuditEntry
from streamgauge.model.clock import Clock
from streamgauge.model.expected import Applied, ExpectedFlow, FlowEdit, Offboarded
from streamgauge.model.flow import Scope
from streamgauge.model.router import RouterStatus


@dataclass
class FakeExpected:
    """Keeps what is said, and who said it."""

    clock: Clock
    said: dict[Scope, ExpectedFlow] = field(default_factory=dict)
    routers: list[RouterStatus] = field(default_factory=list)
    entries: list[AuditEntry] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    """Ids that the next offboarding closes."""

    def list_flows(self, tenant: str | None = None) -> list[ExpectedFlow]:
        """All, or one customer's."""
        return [one for one in self.said.values() if tenant in {None, one.scope.tenant}]

    def apply(self, edits: Sequence[FlowEdit], actor: str) -> list[Applied]:
        """One after the other."""
        return [self._apply(edit, actor) for edit in edits]

    def offboard(self, tenant: str, actor: str) -> Offboarded:
        """Retires the customer."""
        one = self._apply(FlowEdit(Scope(tenant), {"is_retired": True}), actor)
        return Offboarded(one.after, self.closed)

    def list_routers(self) -> list[RouterStatus]:
        """As they were given."""
        return self.routers

    def list_audit(self, tenant: str | None = None, limit: int = 100) -> list[AuditEntry]:
        """Newest first."""
        mine = [e for e in reversed(self.entries) if tenant is None or tenant in e.subject]
        return mine[:limit]

    def _apply(self, edit: FlowEdit, actor: str) -> Applied:
        before = self.said.get(edit.scope)
        after = edit.apply(before, actor, self.clock.now())
        self.said.pop(edit.scope, None)
        if after is not None:
            self.said[edit.scope] = after
        if after != before:
            text = edit.scope.describe()
            self.entries.append(
                AuditEntry(self.clock.now(), actor, "flow changed", text, None, None)
            )
        return Applied(edit.scope, before, after)
