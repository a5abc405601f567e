"""What several processes agree on: whose a body is, who decides, which receivers there are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "claimed_body",
        sa.Column("key", sa.LargeBinary(), primary_key=True),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
    )
    op.create_index("claimed_body_by_age", "claimed_body", ["at"])
    op.create_table(
        "lease",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("until", sa.Double(), nullable=False),
    )
    op.create_table(
        "receiver",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("seen_at", sa.Double(), nullable=False),
        sa.Column("waiting_since", sa.Double()),
        sa.Column("waiting_lines", sa.BigInteger(), nullable=False),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_table("receiver")
    op.drop_table("lease")
    op.drop_table("claimed_body")
