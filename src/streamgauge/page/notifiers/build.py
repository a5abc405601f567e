"""From settings to the notifier they describe."""

from __future__ import annotations

import httpx

from streamgauge.page.notifiers.base import Notifier
from streamgauge.page.notifiers.log import Log, LogSettings
from streamgauge.page.notifiers.opsgenie import Opsgenie, OpsgenieSettings
from streamgauge.page.notifiers.webhook import Webhook, WebhookSettings

NotifierSettings = OpsgenieSettings | WebhookSettings | LogSettings


def build_notifier(settings: NotifierSettings, client: httpx.AsyncClient) -> Notifier:
    """The notifier of `settings`; `client` is shared, and closed by who made it."""
    match settings:
        case OpsgenieSettings():
            return Opsgenie(settings, client)
        case WebhookSettings():
            return Webhook(settings, client)
        case LogSettings():
            return Log()
