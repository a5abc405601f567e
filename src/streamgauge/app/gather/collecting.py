"""From the configuration to collectors, and from their health to findings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from streamgauge.alert.rule_findings import subject_of, unseen
from streamgauge.app.config import QueueSettings
from streamgauge.app.config.cloudqueues import QueuePubsub, QueueSqs
from streamgauge.app.config.queues import QueueWithAddress
from streamgauge.app.configuration import Configuration
from streamgauge.detect.uncollected import SUBJECT, uncollected, uncollected_key
from streamgauge.model.clock import Clock
from streamgauge.model.finding import Finding
from streamgauge.model.gatherer import GathererHealth, GathererState
from streamgauge.model.incident import Incident
from streamgauge.model.words import Kind
from streamgauge.receive.collectors.address import Address
from streamgauge.receive.collectors.collector import CollectorSettings
from streamgauge.receive.collectors.health import GathererRegistry
from streamgauge.receive.collectors.naming import Naming
from streamgauge.receive.collectors.runner import CollectorRunner
from streamgauge.receive.intake import Intake

Own = Callable[[Mapping[str, Incident]], list[Finding]]
"""What the judge is told beside what is detected; see `app.judge.Judge`."""


def collectors(
    configuration: Configuration, intake: Intake, registry: GathererRegistry
) -> list[CollectorRunner]:
    """One for each `[[queue]]`."""
    found = []
    for queue in configuration.queue:
        settings = collector_settings(queue)
        address = settings.address.shown
        pulse = registry.add(settings.name, settings.kind, address, settings.every_s)
        found.append(CollectorRunner(settings, intake, pulse))
    return found


def collector_settings(queue: QueueSettings) -> CollectorSettings:
    """What a collector is made from; passwords are read when it connects."""
    address = Address()
    if isinstance(queue, QueueWithAddress):
        address = Address(
            url=queue.url,
            username=queue.username,
            password=queue.password.get_secret_value(),
            password_file=queue.password_file,
            password_variable=queue.password_variable,
        )
    elif isinstance(queue, QueueSqs | QueuePubsub):
        address = Address(url=queue.shown)
    return CollectorSettings(
        kind=queue.kind,
        name=queue.name or queue.kind,
        address=address,
        every_s=queue.every,
        timeout_s=queue.timeout,
        naming=Naming(queue.include, queue.exclude, queue.pattern, queue.prefix),
        options=queue.options,
    )


def own_findings(registry: GathererRegistry, clock: Clock, governor: Own) -> Own:
    """What the governor tells, and which collectors leave queues unseen."""

    def findings(open_incidents: Mapping[str, Incident]) -> list[Finding]:
        told = _told(registry.all(), open_incidents, clock.now())
        return [*governor(open_incidents), *told]

    return findings


def _told(
    all_health: list[GathererHealth], open_incidents: Mapping[str, Incident], now: float
) -> list[Finding]:
    """One for each collector that fails; what is open stays so until its collector was tried."""
    found: list[Finding] = []
    known = set()
    for health in all_health:
        key = uncollected_key(health.name)
        known.add(key)
        incident = open_incidents.get(key)
        if health.state is GathererState.UNKNOWN and incident:
            found.append(unseen(incident))
        else:
            found += uncollected(health, now, is_told=incident is not None)
    for key, incident in open_incidents.items():
        is_ours = incident.kind is Kind.BLIND and subject_of(incident).startswith(SUBJECT)
        if is_ours and key not in known:
            found.append(_removed(incident))
    return found


def _removed(incident: Incident) -> Finding:
    return replace(unseen(incident), over_reason="this collector is not configured any more")
