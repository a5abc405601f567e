"""What one message went through."""

from __future__ import annotations

from streamgauge.model.journeys import Journey
from streamgauge.store.engine.engine import Engine


def journey(_engine: Engine, _message_id: str, _tenant: str | None) -> Journey | None:
    """All hops of a message that are kept; None: there are none, as no hops are kept yet."""
    return None
