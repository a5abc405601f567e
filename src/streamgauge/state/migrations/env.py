"""How Alembic reaches the database: on the connection that `state.migrate` hands it."""

from __future__ import annotations

from alembic import context

from streamgauge.state.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    transactional_ddl=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
