"""What people expect of flows, in the state database: changed in one transaction with its audit.

Several processes may share it: each asks `version` at its every turn, which is cheap, and reads
the rest when that has changed. Calls block for milliseconds, and raise StoreError when refused.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Row, delete, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from streamgauge.model.audit import AuditEntry
from streamgauge.model.clock import Clock
from streamgauge.model.expected import Applied, ExpectedFlow, FlowEdit
from streamgauge.model.flow import Scope
from streamgauge.state.database import transaction
from streamgauge.state.rows import plain
from streamgauge.state.state import State
from streamgauge.state.tables import AuditRow, Base, ConfiguredFlowRow, ExpectedFlowRow

AUDIT_MOST = 1_000_000
"""Entries: a script that changes 100,000 flows an hour fills no disk."""
_KEYS_A_STATEMENT = 500


class ExpectedFlows:
    """One process's view."""

    def __init__(
        self,
        state: State,
        clock: Clock,
        audit_kept_s: float = math.inf,
        audit_most: int = AUDIT_MOST,
    ) -> None:
        """Nothing is asked yet.

        Args:
            state: open before anything is asked.
            clock: tells when somebody changes something.
            audit_kept_s: how long it is remembered who changed what, seconds …
            audit_most: … and how many changes; those of one request go together.
        """
        self._engine, self._clock = state.engine, clock
        self._audit_kept_s, self._audit_most = audit_kept_s, audit_most

    def version(self) -> tuple[int, float]:
        """Differs after every change."""
        asked = select(func.count(), func.coalesce(func.max(AuditRow.at), 0.0)).select_from(
            AuditRow
        )
        with transaction(self._engine, is_write=False) as connection:
            row = connection.execute(asked).one()
        return int(row[0]), float(row[1])

    def all(self, tenant: str | None = None) -> list[ExpectedFlow]:
        """Everything that was said, of one customer or of all, by scope."""
        asked = select(ExpectedFlowRow.__table__).order_by(ExpectedFlowRow.key)
        if tenant is not None:
            asked = asked.where(ExpectedFlowRow.tenant == tenant)
        with transaction(self._engine, is_write=False) as connection:
            return [_flow_of(row) for row in connection.execute(asked)]

    def apply(
        self,
        edits: Sequence[FlowEdit],
        actor: str,
        configured: Mapping[Scope, ExpectedFlow],
    ) -> list[Applied]:
        """Carry out edits, all or none, in their order; what changes nothing is not written.

        Args:
            edits: of two about one scope the later one comes on top.
            actor: who does it, for the audit.
            configured: what the file says: an edit of such a scope begins from there.
        """
        now = self._clock.now()
        with transaction(self._engine, is_write=True) as connection:
            known = self._known(connection, [edit.scope for edit in edits])
            done, audited = [], []
            for edit in edits:
                before = known.get(edit.scope)
                after = edit.apply(before or configured.get(edit.scope), actor, now)
                if after is not None and after == configured.get(edit.scope):
                    after = before
                known[edit.scope] = after
                one = Applied(edit.scope, before, after)
                done.append(one)
                if one.has_changed:
                    _write(connection, one)
                    audited.append(_audit_values(one, actor, now))
            if audited:
                connection.execute(insert(AuditRow), audited)
                self._trim_audit(connection, now)
        return done

    def remember_configured(self, scopes: Iterable[Scope]) -> dict[Scope, float]:
        """Since when (epoch seconds) the file says something of each scope; now, if it is new.

        What the file does not name any more is forgotten.
        """
        by_key = {key_of(scope): scope for scope in scopes}
        now = self._clock.now()
        with transaction(self._engine, is_write=True) as connection:
            rows = connection.execute(select(ConfiguredFlowRow.__table__)).all()
            since = {row.key: float(row.since) for row in rows}
            if gone := sorted(since.keys() - by_key.keys()):
                for start in range(0, len(gone), _KEYS_A_STATEMENT):
                    some = gone[start : start + _KEYS_A_STATEMENT]
                    connection.execute(
                        delete(ConfiguredFlowRow).where(ConfiguredFlowRow.key.in_(some))
                    )
            if fresh := [{"key": key, "since": now} for key in by_key if key not in since]:
                connection.execute(
                    _insert(connection, ConfiguredFlowRow).on_conflict_do_nothing(), fresh
                )
        return {scope: since.get(key, now) for key, scope in by_key.items()}

    def audit(self, tenant: str | None = None, limit: int = 100) -> list[AuditEntry]:
        """Who changed what, newest first."""
        asked = select(AuditRow.__table__).order_by(AuditRow.at.desc(), AuditRow.id).limit(limit)
        if tenant is not None:
            asked = asked.where(AuditRow.tenant == tenant)
        with transaction(self._engine, is_write=False) as connection:
            return [
                AuditEntry(row.at, row.actor, row.action, row.subject, row.before, row.after)
                for row in connection.execute(asked)
            ]

    def _trim_audit(self, connection: Connection, now: float) -> None:
        """The audit grows by changes only, so each of them makes room for itself."""
        newest_first = select(AuditRow.at).order_by(AuditRow.at.desc())
        last_kept = connection.scalar(newest_first.offset(self._audit_most - 1).limit(1))
        oldest = max(now - self._audit_kept_s, -math.inf if last_kept is None else last_kept)
        if math.isfinite(oldest):
            connection.execute(delete(AuditRow).where(AuditRow.at < oldest))

    def _known(
        self, connection: Connection, scopes: Sequence[Scope]
    ) -> dict[Scope, ExpectedFlow | None]:
        keys = sorted({key_of(scope) for scope in scopes})
        known: dict[Scope, ExpectedFlow | None] = {}
        for start in range(0, len(keys), _KEYS_A_STATEMENT):
            asked = (
                select(ExpectedFlowRow.__table__)
                .where(ExpectedFlowRow.key.in_(keys[start : start + _KEYS_A_STATEMENT]))
                .with_for_update()
            )
            known |= {flow.scope: flow for flow in map(_flow_of, connection.execute(asked))}
        return known


def key_of(scope: Scope) -> str:
    """One text for a scope; parts are percent-encoded, `*` is every value."""
    return "/".join("*" if part is None else quote(part, safe="") for part in scope)


def _write(connection: Connection, one: Applied) -> None:
    key = key_of(one.scope)
    if one.after is None:
        connection.execute(delete(ExpectedFlowRow).where(ExpectedFlowRow.key == key))
        return
    values = _values(one.after)
    row = _insert(connection, ExpectedFlowRow).values(key=key, **values)
    connection.execute(row.on_conflict_do_update(index_elements=[ExpectedFlowRow.key], set_=values))


def _values(flow: ExpectedFlow) -> dict[str, Any]:
    values = asdict(flow)
    del values["scope"], values["is_configured"]
    retired_at = flow.retired_at
    if retired_at is not None and retired_at == float("inf"):  # as the file says it
        values["retired_at"] = flow.changed_at
    return {**flow.scope._asdict(), **values}


def _flow_of(row: Row[Any]) -> ExpectedFlow:
    return ExpectedFlow(
        scope=Scope(row.tenant, row.source, row.integration, row.pipeline),
        declared_at=row.declared_at,
        expected_within_s=row.expected_within_s,
        first_message_by=row.first_message_by,
        first_within_s=row.first_within_s,
        calendar=row.calendar,
        paused_until=row.paused_until,
        retired_at=row.retired_at,
        changed_at=row.changed_at,
        changed_by=row.changed_by,
    )


def _audit_values(one: Applied, actor: str, now: float) -> dict[str, Any]:
    action = "declared" if one.before is None else "removed" if one.after is None else "changed"
    return {
        "id": uuid.uuid4().hex,
        "at": now,
        "actor": actor,
        "action": f"flow {action}",
        "subject": one.scope.describe(),
        "tenant": one.scope.tenant,
        "before": None if one.before is None else plain(_values(one.before)),
        "after": None if one.after is None else plain(_values(one.after)),
    }


def _insert(connection: Connection, row: type[Base]) -> postgresql.Insert | sqlite.Insert:
    is_sqlite = connection.dialect.name == "sqlite"
    return sqlite.insert(row) if is_sqlite else postgresql.insert(row)
