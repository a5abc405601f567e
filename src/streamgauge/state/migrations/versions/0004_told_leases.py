"""What the owner of a lease lets the others know."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    told = sa.Column("told", sa.JSON().with_variant(JSONB(), "postgresql"))
    op.add_column("lease", told)


def downgrade() -> None:
    """Take back."""
    op.drop_column("lease", "told")
