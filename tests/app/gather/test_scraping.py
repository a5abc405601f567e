"""`[[scrape]]` in the configuration: what a target is made from, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamgauge.app.configuration import load
from streamgauge.app.gather.scraping import scrapers, target_settings
from streamgauge.model.clock import SimulatedClock
from streamgauge.model.errors import ConfigError
from streamgauge.receive.collectors.health import GathererRegistry
from streamgauge.receive.meaning.metering import Metering
from streamgauge.receive.prometheus.target import TargetSettings
from streamgauge.testing.receiving import MemorySink, workshop_of


def _load(folder: Path, *lines: str) -> list[TargetSettings]:
    file = folder / "streamgauge.toml"
    file.write_text("\n".join(["[[scrape]]", *lines]))
    return [target_settings(scrape) for scrape in load(file, {}).scrape]


URLS = [
    ("http://router:9090/metrics", "router:9090"),
    ("http://router/metrics", "router:80"),
    ("https://ann:pw@router/metrics?x=1", "router:443"),
    ("http://[::1]:9090/metrics", "[::1]:9090"),
]


@pytest.mark.parametrize(("url", "instance"), URLS)
def test_a_target_is_named_by_host_and_port(tmp_path: Path, url: str, instance: str) -> None:
    (target,) = _load(tmp_path, f'url = "{url}"')
    assert target.all_labels == {"instance": instance}


TIMEOUTS = [
    ("the interval is short", ['every = "5s"'], 5.0),
    ("the interval is long", ['every = "1m"'], 10.0),
    ("it is told", ['every = "1m"', 'timeout = "30s"'], 30.0),
]


@pytest.mark.parametrize(("_", "lines", "timeout_s"), TIMEOUTS, ids=[case[0] for case in TIMEOUTS])
def test_a_scrape_may_take_as_long_as_its_interval_at_most(
    tmp_path: Path, _: str, lines: list[str], timeout_s: float
) -> None:
    (target,) = _load(tmp_path, 'url = "http://r:1/metrics"', *lines)
    assert target.timeout_s == timeout_s


BAD = [
    ("no scheme", ['url = "router:9090"'], "http://host:port/metrics"),
    ("another scheme", ['url = "ftp://ann:s3cret@router/metrics"'], "ftp://router/metrics"),
    ("no url", ['every = "5s"'], "`scrape.1.url` is missing"),
    ("too long a timeout", ['url = "http://r:1/"', 'timeout = "20s"'], "timeout is at most every"),
    (
        "two secrets",
        ['url = "http://r:1/"', 'password = "s3cret"', 'bearer_token_file = "/run/token"'],
        "one of password and bearer_token_file, not both",
    ),
    ("an unknown key", ['url = "http://r:1/"', 'evry = "5s"'], "did you mean `every`"),
]


@pytest.mark.parametrize(("_", "lines", "text"), BAD, ids=[case[0] for case in BAD])
def test_what_cannot_be_used_is_named_without_secrets(
    tmp_path: Path, _: str, lines: list[str], text: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        _load(tmp_path, *lines)
    assert text in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_targets_of_one_name_are_told_apart_and_their_addresses_hide_passwords(
    tmp_path: Path,
) -> None:
    file = tmp_path / "streamgauge.toml"
    file.write_text(
        '[[scrape]]\nurl = "http://ann:s3cret@r:1/a"\n[[scrape]]\nurl = "http://r:1/b"\n'
    )
    clock = SimulatedClock(1.0)
    registry = GathererRegistry(clock)
    metering = Metering(workshop_of(MemorySink(), clock).intake)
    found = scrapers(load(file, {}), metering, registry)
    assert [scraper.name for scraper in found] == ["r:1", "r:1-2"]
    assert [health.address for health in registry.all()] == ["http://r:1/a", "http://r:1/b"]
    assert "s3cret" not in repr(target_settings(load(file, {}).scrape[0]))
