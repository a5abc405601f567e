"""What the store has to have done now and then: forget, thin, look for damage, put back."""

from __future__ import annotations

import structlog

from streamgauge.model.errors import StoreError
from streamgauge.store.parts import Parts
from streamgauge.store.retention import Retention, retain
from streamgauge.store.thinning import thin
from streamgauge.store.writer.restoring import restore

log = structlog.get_logger(__name__)

STILL_WITHIN_S = 5.0
"""So long does putting back wait for the segment in hand."""


def forget(parts: Parts, retention: Retention | None) -> int:
    """Drop what is older than it has to be kept (None: as it is set), and thin hops.

    Raises:
        StoreError: the engine refused.
    """
    settings, now_s = parts.settings, parts.clock.now()
    retention = retention or Retention(
        settings.raw_retention_s,
        settings.minute_retention_s,
        settings.hour_retention_s,
        settings.day_retention_s,
    )
    settled = parts.opened_writer().while_settled
    return retain(parts.engine, parts.kept, retention, now_s, settled) + _thin(parts, now_s)


def _thin(parts: Parts, now_s: float) -> int:
    """Hops have a budget of their own: what hinders this must not hinder other care."""
    try:
        return thin(parts.engine, parts.settings.journeys, now_s, parts.while_still)
    except StoreError as error:
        log.warning("hops cannot be thinned now, it is tried again", reason=str(error))
        return 0


def tend(parts: Parts) -> None:
    """Look for damage in the engine's files, and put back what is wanted.

    Raises:
        StoreError: the engine or the disk refused.
    """
    if not (parts.is_open and parts.is_ready):
        return
    if parts.is_local:
        parts.broken.look()
    if parts.aside.wanted():
        with parts.while_still(STILL_WITHIN_S):  # a backup has a row in a table or set aside
            restore(parts.aside, parts.engine, parts.opened_journal(), parts.clock.now())
