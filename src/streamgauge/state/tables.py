"""The tables of the state database. Instants are epoch seconds in double precision, UTC."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Double, ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

Json = JSON().with_variant(JSONB(), "postgresql")


class Base(DeclarativeBase):
    """The root of all tables."""

    type_annotation_map = {str: Text(), float: Double()}  # noqa: RUF012


class IncidentRow(Base):
    """One incident as it is now; its `timeline_entry` rows say how it came to be so."""

    __tablename__ = "incident"

    id: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str]
    kind: Mapped[str]
    tenant: Mapped[str | None]
    source: Mapped[str | None]
    integration: Mapped[str | None]
    pipeline: Mapped[str | None]
    state: Mapped[str]
    severity: Mapped[str]
    suspected: Mapped[str]
    since: Mapped[float]
    opened_at: Mapped[float]
    closed_at: Mapped[float | None]
    summary: Mapped[str]
    evidence: Mapped[dict[str, Any]] = mapped_column(Json)
    affected: Mapped[list[str]] = mapped_column(Json)
    sequence: Mapped[int]
    told_severity: Mapped[str | None]
    told_affected_count: Mapped[int]
    is_held: Mapped[bool]

    __table_args__ = (
        Index(
            "one_open_incident_per_key",
            "key",
            unique=True,
            sqlite_where=text("state <> 'closed'"),
            postgresql_where=text("state <> 'closed'"),
        ),
        Index("incident_by_opened_at", "opened_at"),
        Index("incident_by_closed_at", "closed_at"),
    )


class TimelineRow(Base):
    """One transition or note; only ever added."""

    __tablename__ = "timeline_entry"

    incident_id: Mapped[str] = mapped_column(ForeignKey("incident.id"), primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[float]
    action: Mapped[str]
    actor: Mapped[str]
    reason: Mapped[str]


class NotificationRow(Base):
    """The outbox: one row a transition and notifier, with how far the telling has come."""

    __tablename__ = "notification"

    id: Mapped[str] = mapped_column(primary_key=True)
    incident_id: Mapped[str] = mapped_column(ForeignKey("incident.id"))
    sequence: Mapped[int]
    notifier: Mapped[str]
    action: Mapped[str]
    reason: Mapped[str]
    state: Mapped[str]
    created_at: Mapped[float]
    due_at: Mapped[float]
    attempts: Mapped[int]
    last_error: Mapped[str]
    finished_at: Mapped[float | None]
    receipt: Mapped[str]
    lease_owner: Mapped[str | None]
    lease_until: Mapped[float | None]

    __table_args__ = (
        UniqueConstraint("incident_id", "sequence", "notifier", name="told_once"),
        Index("notification_due", "state", "notifier", "due_at"),
    )


class ClaimedBodyRow(Base):
    """A body that was inserted, or is about to be, and by whom."""

    __tablename__ = "claimed_body"

    key: Mapped[bytes] = mapped_column(primary_key=True)
    owner: Mapped[str]
    number: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[float]

    __table_args__ = (Index("claimed_body_by_age", "at"),)


class LeaseRow(Base):
    """What one process at a time does."""

    __tablename__ = "lease"

    name: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str]
    until: Mapped[float]
    told: Mapped[dict[str, Any] | None] = mapped_column(Json)
    """What its owner lets the others know."""


class ReceiverRow(Base):
    """A receiver, when it was last seen, and what waits in its journal."""

    __tablename__ = "receiver"

    name: Mapped[str] = mapped_column(primary_key=True)
    seen_at: Mapped[float]
    waiting_since: Mapped[float | None]
    waiting_lines: Mapped[int] = mapped_column(BigInteger)


class ExpectedFlowRow(Base):
    """What was said of the flows of one scope."""

    __tablename__ = "expected_flow"

    key: Mapped[str] = mapped_column(primary_key=True)
    tenant: Mapped[str]
    source: Mapped[str | None]
    integration: Mapped[str | None]
    pipeline: Mapped[str | None]
    declared_at: Mapped[float]
    expected_within_s: Mapped[float | None]
    first_message_by: Mapped[float | None]
    first_within_s: Mapped[float]
    calendar: Mapped[str | None]
    paused_until: Mapped[float | None]
    retired_at: Mapped[float | None]
    changed_at: Mapped[float]
    changed_by: Mapped[str]

    __table_args__ = (Index("expected_flow_by_tenant", "tenant"),)


class ConfiguredFlowRow(Base):
    """Since when the configuration says something of a scope: restarts must not begin it anew."""

    __tablename__ = "configured_flow"

    key: Mapped[str] = mapped_column(primary_key=True)
    since: Mapped[float]


class AuditRow(Base):
    """Who changed what; added, and taken away when it is old."""

    __tablename__ = "audit_entry"

    id: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[float]
    actor: Mapped[str]
    action: Mapped[str]
    subject: Mapped[str]
    tenant: Mapped[str | None]
    before: Mapped[dict[str, Any] | None] = mapped_column(Json)
    after: Mapped[dict[str, Any] | None] = mapped_column(Json)

    __table_args__ = (
        Index("audit_entry_by_tenant", "tenant", "at"),
        Index("audit_entry_by_time", "at"),
    )
