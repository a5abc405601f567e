"""The kinds of queues that are polled."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from streamgauge.app.config.cloudqueues import QueueKafka, QueuePubsub, QueueSqs
from streamgauge.app.config.queues import (
    Queue,
    QueueNats,
    QueuePostgresql,
    QueueRabbitmq,
    QueueRedis,
)

QueueSettings = Annotated[
    QueueRabbitmq | QueueNats | QueueRedis | QueuePostgresql | QueueKafka | QueueSqs | QueuePubsub,
    Field(discriminator="kind"),
]
QUEUES: tuple[type[Queue], ...] = (
    QueueRabbitmq,
    QueueNats,
    QueueRedis,
    QueuePostgresql,
    QueueKafka,
    QueueSqs,
    QueuePubsub,
)
"""One for each kind."""
