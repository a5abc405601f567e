"""Incidents and notifications in SQL: SQLAlchemy models and Alembic migrations."""
