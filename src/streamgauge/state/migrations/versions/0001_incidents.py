"""Incidents, their timelines, and the outbox of notifications."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Apply."""
    _create_incident()
    _create_timeline_entry()
    _create_notification()


def _create_incident() -> None:
    op.create_table(
        "incident",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text()),
        sa.Column("source", sa.Text()),
        sa.Column("integration", sa.Text()),
        sa.Column("pipeline", sa.Text()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("suspected", sa.Text(), nullable=False),
        sa.Column("since", sa.Double(), nullable=False),
        sa.Column("opened_at", sa.Double(), nullable=False),
        sa.Column("closed_at", sa.Double()),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("evidence", _JSON, nullable=False),
        sa.Column("affected", _JSON, nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("told_severity", sa.Text()),
        sa.Column("told_affected_count", sa.Integer(), nullable=False),
        sa.Column("is_held", sa.Boolean(), nullable=False),
    )
    is_open = sa.text("state <> 'closed'")
    op.create_index(
        "one_open_incident_per_key",
        "incident",
        ["key"],
        unique=True,
        sqlite_where=is_open,
        postgresql_where=is_open,
    )
    op.create_index("incident_by_opened_at", "incident", ["opened_at"])
    op.create_index("incident_by_closed_at", "incident", ["closed_at"])


def _create_timeline_entry() -> None:
    op.create_table(
        "timeline_entry",
        sa.Column("incident_id", sa.Text(), sa.ForeignKey("incident.id"), primary_key=True),
        sa.Column("sequence", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
    )


def _create_notification() -> None:
    op.create_table(
        "notification",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("incident_id", sa.Text(), sa.ForeignKey("incident.id"), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("notifier", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("due_at", sa.Double(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.Column("finished_at", sa.Double()),
        sa.Column("receipt", sa.Text(), nullable=False),
        sa.Column("lease_owner", sa.Text()),
        sa.Column("lease_until", sa.Double()),
        sa.UniqueConstraint("incident_id", "sequence", "notifier", name="told_once"),
    )
    op.create_index("notification_due", "notification", ["state", "notifier", "due_at"])


def downgrade() -> None:
    """Take back."""
    op.drop_table("notification")
    op.drop_table("timeline_entry")
    op.drop_table("incident")
