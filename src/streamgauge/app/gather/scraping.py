"""From the configuration to targets that are scraped."""

from __future__ import annotations

import asyncio

from streamgauge.app.config.scrape import Scrape
from streamgauge.app.configuration import Configuration
from streamgauge.receive.collectors.address import Address
from streamgauge.receive.collectors.health import GathererRegistry
from streamgauge.receive.meaning.metering import Metering
from streamgauge.receive.prometheus.scraper import READERS, Scraper
from streamgauge.receive.prometheus.target import TargetSettings, Tls


def scrapers(
    configuration: Configuration, metering: Metering, registry: GathererRegistry
) -> list[Scraper]:
    """One for each `[[scrape]]`."""
    found = []
    turns = asyncio.Semaphore(READERS)
    for scrape in configuration.scrape:
        settings = target_settings(scrape)
        name = scrape.name or settings.instance
        pulse = registry.add(name, "scrape", settings.address.shown, settings.every_s)
        found.append(Scraper(settings, metering, pulse, turns))
    return found


def target_settings(scrape: Scrape) -> TargetSettings:
    """What a scraper is made from; files of secrets are read at each scrape."""
    token = scrape.bearer_token.get_secret_value()
    return TargetSettings(
        address=Address(
            url=scrape.url,
            username=scrape.username,
            password=scrape.password.get_secret_value(),
            password_file=scrape.password_file,
        ),
        every_s=scrape.every,
        timeout_s=scrape.timeout_s,
        labels=scrape.labels,
        bearer=Address(password=token, password_file=scrape.bearer_token_file)
        if token or scrape.bearer_token_file
        else None,
        headers={name: value.get_secret_value() for name, value in scrape.headers.items()},
        tls=Tls(scrape.ca_file, scrape.cert_file, scrape.key_file, scrape.verify),
        max_body_bytes=scrape.max_body,
    )
