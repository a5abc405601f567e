"""What people expect of flows, since when the file says something, and who changed what."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "expected_flow",
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("source", sa.Text()),
        sa.Column("integration", sa.Text()),
        sa.Column("pipeline", sa.Text()),
        sa.Column("declared_at", sa.Double(), nullable=False),
        sa.Column("expected_within_s", sa.Double()),
        sa.Column("first_message_by", sa.Double()),
        sa.Column("first_within_s", sa.Double(), nullable=False),
        sa.Column("calendar", sa.Text()),
        sa.Column("paused_until", sa.Double()),
        sa.Column("retired_at", sa.Double()),
        sa.Column("changed_at", sa.Double(), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
    )
    op.create_index("expected_flow_by_tenant", "expected_flow", ["tenant"])
    op.create_table(
        "configured_flow",
        sa.Column("key", sa.Text(), primary_key=True),
        sa.Column("since", sa.Double(), nullable=False),
    )
    op.create_table(
        "audit_entry",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text()),
        sa.Column("before", _JSON),
        sa.Column("after", _JSON),
    )
    op.create_index("audit_entry_by_tenant", "audit_entry", ["tenant", "at"])
    op.create_index("audit_entry_by_time", "audit_entry", ["at"])
