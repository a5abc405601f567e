"""Brings the state database's schema up to this version: once, also if two processes start."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Connection, Engine, text

from streamgauge.model.errors import ConfigError, StoreError
from streamgauge.state.database import transaction

_LOCK = 0x73_67_73_74  # "sgst": any number that is always the same


def upgrade(engine: Engine) -> None:
    """Apply the migrations that are missing; nothing when there are none.

    Raises:
        ConfigError: the database cannot be opened, or a newer version has written it.
    """
    place = engine.url.render_as_string(hide_password=True)
    try:
        with transaction(engine, is_write=True) as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _LOCK})
            command.upgrade(alembic_config(connection), "head")
    except CommandError as error:
        raise ConfigError(
            f"[state] {place} was written by a newer streamgauge ({error}): "
            "install that version, or name another database"
        ) from error
    except StoreError as error:
        raise ConfigError(
            f"[state] {place} cannot be opened ({error}): check that its folder exists, "
            "can be written and has room, or that the server answers"
        ) from error


def alembic_config(connection: Connection | None = None) -> Config:
    """Alembic's settings; without a connection only for looking at the revisions."""
    config = Config()
    config.set_main_option("script_location", "streamgauge.state:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
