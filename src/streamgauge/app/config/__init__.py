"""The one typed tree of settings: what each means, its default, what is accepted.

Read once at the start by `app.configuration`; everything below `app` gets plain dataclasses.
"""

from __future__ import annotations

from streamgauge.app.config.intake import Auth, Limited, Limits, Receive, Server, TenantLimit
from streamgauge.app.config.journeys import Journeys
from streamgauge.app.config.judging import (
    DeclaredFlow,
    Detect,
    Log,
    Notify,
    NotifyLog,
    NotifyOpsgenie,
    NotifyWebhook,
    Rule,
)
from streamgauge.app.config.listeners import Udp, Unix
from streamgauge.app.config.map import Derive, MapSettings
from streamgauge.app.config.otlp import Otlp
from streamgauge.app.config.queuekinds import QUEUES, QueueSettings
from streamgauge.app.config.redact import Redact
from streamgauge.app.config.scrape import Scrape
from streamgauge.app.config.section import Section
from streamgauge.app.config.storage import Backup, Govern, PriceSettings, StateSettings, Store

__all__ = [
    "QUEUES",
    "SECTIONS",
    "Auth",
    "Backup",
    "DeclaredFlow",
    "Derive",
    "Detect",
    "Govern",
    "Journeys",
    "Limited",
    "Limits",
    "Log",
    "MapSettings",
    "Notify",
    "NotifyLog",
    "NotifyOpsgenie",
    "NotifyWebhook",
    "Otlp",
    "PriceSettings",
    "QueueSettings",
    "Receive",
    "Redact",
    "Rule",
    "Scrape",
    "Section",
    "Server",
    "StateSettings",
    "Store",
    "TenantLimit",
    "Udp",
    "Unix",
]

SECTIONS: dict[str, type[Section]] = {
    "server": Server,
    "auth": Auth,
    "receive": Receive,
    "limits": Limits,
    "otlp": Otlp,
    "udp": Udp,
    "unix": Unix,
    "store": Store,
    "journeys": Journeys,
    "govern": Govern,
    "prices": PriceSettings,
    "state": StateSettings,
    "backup": Backup,
    "detect": Detect,
    "log": Log,
}
"""The tables of the file, and of `STREAMGAUGE_SECTION__KEY` variables."""
