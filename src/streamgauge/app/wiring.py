"""From the configuration to the settings of each part."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from streamgauge.alert.rules import Rule
from streamgauge.app.budget import machine
from streamgauge.app.budget.governor import GovernorSettings
from streamgauge.app.config import (
    DeclaredFlow,
    Limited,
    Notify,
    NotifyOpsgenie,
    NotifyWebhook,
    PriceSettings,
)
from streamgauge.app.configuration import Configuration
from streamgauge.detect.budget import FalsePages
from streamgauge.detect.expectations import Expectations
from streamgauge.govern.constants import measured
from streamgauge.govern.cost import Prices
from streamgauge.govern.findings import WarningSettings
from streamgauge.govern.giving import GivingSettings
from streamgauge.govern.memory import DEFAULT_RATIO, MIN_BUDGET_BYTES, shares
from streamgauge.model.budget import MemoryShares
from streamgauge.model.clock import Clock
from streamgauge.model.errors import ConfigError
from streamgauge.model.expected import ExpectedFlow
from streamgauge.model.flow import Scope
from streamgauge.page.notifiers.build import NotifierSettings
from streamgauge.page.notifiers.log import LogSettings
from streamgauge.page.notifiers.opsgenie import OpsgenieSettings
from streamgauge.page.notifiers.webhook import WebhookSettings
from streamgauge.page.routing import Recipient, Router
from streamgauge.receive.gates import Gates, gates_of
from streamgauge.receive.limits import ReceiveLimits
from streamgauge.receive.meaning.metering import MeaningSettings
from streamgauge.receive.messages.redaction import Redaction
from streamgauge.receive.quotas import QuotaSettings, TenantLimits
from streamgauge.store import StoreSettings
from streamgauge.store.engine.address import embedded_path, is_embedded, server_address
from streamgauge.store.retention import Retention
from streamgauge.store.settings import JourneySettings


def store_url(configuration: Configuration) -> str:
    """The engine's address; the default is a folder in the data folder."""
    return configuration.store.url or f"chdb://{data_folder(configuration) / 'store'}"


def check_store_url(configuration: Configuration) -> None:
    """Understand the engine's address without reaching it.

    Raises:
        ConfigError: it cannot be used; never shows the password.
    """
    url = store_url(configuration)
    if is_embedded(url):
        embedded_path(url)
    else:
        server_address(url)


def state_url(configuration: Configuration) -> str:
    """The database of incidents; the default is a file in the data folder."""
    default = f"sqlite:///{data_folder(configuration) / 'state.sqlite3'}"
    return configuration.state.url or default


def data_folder(configuration: Configuration) -> Path:
    """Where everything is kept, as an absolute path."""
    return Path(configuration.server.data).expanduser().resolve()


def public_url(configuration: Configuration, port: int) -> str:
    """How people reach the pages."""
    server = configuration.server
    host = f"[{server.host}]" if ":" in server.host else server.host
    return (server.public_url or f"http://{host}:{port}").rstrip("/")


def store_settings(configuration: Configuration) -> StoreSettings:
    """Limits of the store; those of memory are shares of its budget."""
    store, memory = configuration.store, memory_shares(configuration)
    return StoreSettings(
        journal_max_bytes=store.journal,
        engine_memory_bytes=memory.engine_bytes,
        query_max_memory_bytes=memory.query_bytes,
        held_max_bytes=memory.held_bytes,
        segment_max_bytes=memory.segment_bytes,
        feed_max_rows=memory.feed_rows,
        fsync=store.fsync,
        raw_retention_s=store.raw_retention,
        minute_retention_s=store.minute_retention,
        hour_retention_s=store.hour_retention,
        day_retention_s=store.day_retention,
        journeys=journey_settings(configuration),
    )


def journey_settings(configuration: Configuration) -> JourneySettings:
    """How much of what messages went through is kept."""
    given = configuration.journeys
    return JourneySettings(given.whole_for, given.retention, given.disk_budget)


def memory_shares(configuration: Configuration) -> MemoryShares:
    """The one place that divides memory: between questions, buffers and series."""
    budget = configuration.store.memory_budget
    if budget is None:
        budget = int(DEFAULT_RATIO * machine.memory_limit_bytes())
    elif budget < MIN_BUDGET_BYTES:
        raise ConfigError(f'[store] memory_budget must be at least "{MIN_BUDGET_BYTES // 10**6}MB"')
    return shares(max(budget, MIN_BUDGET_BYTES), measured())


def redaction(configuration: Configuration) -> Redaction:
    """What is taken out of texts before anything is kept."""
    return Redaction(
        [one.rule for one in configuration.redact],
        hides_personal_data=configuration.receive.redact_personal_data,
    )


def prices(configuration: Configuration) -> Prices:
    """What things cost."""
    given = configuration.prices
    return Prices(
        currency=given.currency,
        disk_gb=given.disk_gb,
        memory_gb=given.memory_gb,
        cpu=given.cpu,
        network_gb=given.network_gb,
        is_example=given == PriceSettings(),
    )


def governor_settings(configuration: Configuration) -> GovernorSettings:
    """Budgets, thresholds, prices."""
    store, govern = configuration.store, configuration.govern
    return GovernorSettings(
        every_s=govern.every,
        disk_budget_bytes=store.disk_budget,
        retention=Retention(
            store.raw_retention, store.minute_retention, store.hour_retention, store.day_retention
        ),
        giving=GivingSettings(
            raw_s=store.raw_retention,
            minute_s=store.minute_retention,
            raw_floor_s=govern.raw_floor,
            minute_floor_s=govern.minute_floor,
            give_up_above=govern.give_up_above,
            aim=(govern.give_up_above + govern.give_back_below) / 2,
            give_back_below=govern.give_back_below,
            last_resort=(1 + govern.give_up_above) / 2,
        ),
        warning=WarningSettings(warn_before_s=govern.warn_before),
        memory=memory_shares(configuration),
        prices=prices(configuration),
        wire_bytes_per_line=measured().wire_bytes_per_line,
    )


def receive_limits(configuration: Configuration) -> ReceiveLimits:
    """Limits of what is taken in."""
    receive = configuration.receive
    return ReceiveLimits(
        max_body_bytes=receive.max_body,
        max_new_series_per_tenant_hour=receive.max_new_series_per_tenant_hour,
        max_in_flight_bytes=max(memory_shares(configuration).in_flight_bytes, receive.max_body),
    )


def gates(configuration: Configuration, clock: Clock) -> Gates:
    """What stands between a body and the store."""
    return gates_of(clock, receive_limits(configuration), quotas(configuration))


def meaning(configuration: Configuration) -> MeaningSettings:
    """How metrics are understood."""
    rules = [one.rule(number) for number, one in enumerate(configuration.map, start=1)]
    folder = data_folder(configuration) / "counters"
    return MeaningSettings(folder, configuration.store.fsync, rules)


def quotas(configuration: Configuration) -> QuotaSettings:
    """What each tenant may send.

    Raises:
        ConfigError: two `[[limit]]` name the same tenant.
    """
    default = configuration.limits
    named = Counter(limit.tenant for limit in configuration.limit)
    repeated = [tenant for tenant, times in named.items() if times > 1]
    if repeated:
        raise ConfigError(f"two [[limit]] are of the tenant `{repeated[0]}`: keep one of them")
    return QuotaSettings(
        default=_tenant_limits(default, default),
        tenants={limit.tenant: _tenant_limits(limit, default) for limit in configuration.limit},
        burst_s=default.burst,
    )


def _tenant_limits(limits: Limited, default: Limited) -> TenantLimits:
    def chosen(own: int | None, common: int | None) -> int | None:
        return (common if own is None else own) or None

    return TenantLimits(
        lines_per_s=chosen(limits.lines_per_second, default.lines_per_second),
        bytes_per_s=chosen(limits.bytes_per_second, default.bytes_per_second),
        active_series=chosen(limits.active_series, default.active_series),
    )


def expectations(
    configuration: Configuration,
    now: float,
    since: Mapping[Scope, float] = MappingProxyType({}),
) -> Expectations:
    """What the file says of flows.

    Args:
        configuration: the file.
        now: epoch seconds.
        since: when each of its scopes was first read; now, where that is not known.
    """
    return Expectations(
        tuple(_expected(flow, since.get(_scope(flow), now)) for flow in configuration.flow)
    )


def _expected(flow: DeclaredFlow, since: float) -> ExpectedFlow:
    return ExpectedFlow(
        _scope(flow),
        declared_at=since,
        expected_within_s=flow.expected_within,
        first_message_by=flow.first_message_by,
        first_within_s=flow.first_message_within,
        calendar=flow.calendar,
        paused_until=flow.paused_until,
        retired_at=math.inf if flow.retired else None,
        changed_at=since,
        changed_by="the configuration",
        is_configured=True,
    )


def false_pages(configuration: Configuration) -> FalsePages:
    """What is allowed of false pages; a small platform's least goes with it."""
    return FalsePages.of_platform(configuration.detect.false_pages)


def rules(configuration: Configuration) -> list[Rule]:
    """The user's thresholds.

    Raises:
        ConfigError: two of them have one name, which their incidents would share.
    """
    found = [
        Rule(
            name=rule.name or _rule_name(rule.metric, rule.above, rule.below),
            metric=rule.metric,
            by=rule.by,
            above=rule.above,
            below=rule.below,
            for_s=rule.for_s,
            severity=rule.severity,
        )
        for rule in configuration.rule
    ]
    repeated = [name for name, times in Counter(rule.name for rule in found).items() if times > 1]
    if repeated:
        raise ConfigError(f"two rules are called `{repeated[0]}`: give each a `name` of its own")
    return found


def _rule_name(metric: str, above: float | None, below: float | None) -> str:
    return f"{metric} above {above:g}" if above is not None else f"{metric} below {below:g}"


def notifiers(configuration: Configuration) -> dict[str, NotifierSettings]:
    """What each notifier is, by its name."""
    return {name: _notifier(notify) for name, notify in _named(configuration).items()}


def router(configuration: Configuration) -> Router:
    """Which incidents go to which notifier."""
    return Router(
        [
            Recipient(name, frozenset(notify.severities))
            for name, notify in _named(configuration).items()
        ]
    )


def _named(configuration: Configuration) -> dict[str, Notify]:
    """The name in the file, or the kind; its place is added where that is taken."""
    named: dict[str, Notify] = {}
    for place, notify in enumerate(configuration.notify, start=1):
        name = notify.name or notify.kind
        named[f"{name}-{place}" if name in named else name] = notify
    return named


def _notifier(notify: Notify) -> NotifierSettings:
    if isinstance(notify, NotifyOpsgenie):
        return OpsgenieSettings(str(notify.url), notify.api_key.get_secret_value())
    if isinstance(notify, NotifyWebhook):
        headers = {name: value.get_secret_value() for name, value in notify.headers.items()}
        return WebhookSettings(str(notify.url), headers)
    return LogSettings()


def _scope(flow: DeclaredFlow) -> Scope:
    return Scope(flow.tenant, flow.source, flow.integration, flow.pipeline)
