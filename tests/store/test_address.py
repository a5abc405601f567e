"""Where the engine is: what can be said in `[store] url`."""

from __future__ import annotations

import pytest

from streamgauge.model.errors import ConfigError
from streamgauge.store.engine.address import (
    ServerAddress,
    embedded_path,
    is_embedded,
    server_address,
)

ADDRESSES = {
    "a host alone": ("clickhouse://db", ServerAddress("db", 8123)),
    "everything": (
        "clickhouse://me:p%40ss%2F@db.example:9000/points?cluster=c&secure=true&verify=false"
        "&ca_cert=/etc/ca.pem&compression=none&connect_timeout_s=2&read_timeout_s=7.5",
        ServerAddress(
            host="db.example",
            port=9000,
            user="me",
            password="p@ss/",
            database="points",
            cluster="c",
            is_secure=True,
            is_verified=False,
            ca_cert="/etc/ca.pem",
            compression="none",
            connect_timeout_s=2,
            read_timeout_s=7.5,
        ),
    ),
    "TLS has a port of its own": (
        "clickhouse://db?secure=1",
        ServerAddress("db", 8443, is_secure=True),
    ),
    "an address of six": ("clickhouse://[::1]:1/d", ServerAddress("::1", 1, database="d")),
}


@pytest.mark.parametrize("case", ADDRESSES)
def test_addresses(case: str) -> None:
    url, address = ADDRESSES[case]
    assert server_address(url) == address


FAULTS = {
    "no host": ("clickhouse:///db", "needs a host"),
    "a port that is none": ("clickhouse://me:secret@db:99999/x", "port must be"),
    "a switch that is none": ("clickhouse://me:secret@db?secure=maybe", "secure=maybe"),
    "a compression that is none": ("clickhouse://me:secret@db?compression=rar", "lz4, zstd, none"),
    "a time that is none": ("clickhouse://me:secret@db?read_timeout_s=0", "more than 0"),
    "an option that is none": ("clickhouse://me:secret@db?clutser=x", "unknown option `clutser`"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_faults_are_named_without_the_password(case: str) -> None:
    url, words = FAULTS[case]
    with pytest.raises(ConfigError) as caught:
        server_address(url)
    assert words in str(caught.value)
    assert "secret" not in str(caught.value)


def test_nothing_that_is_shown_holds_the_password() -> None:
    address = server_address("clickhouse://me:secret@db:1/x")
    assert "secret" not in f"{address} {address!r}"
    assert str(address) == "db:1"
    assert str(server_address("clickhouse://[::1]:1")) == "[::1]:1"


def test_the_embedded_engine_needs_an_absolute_folder() -> None:
    assert is_embedded("chdb:///var/lib/x")
    assert embedded_path("chdb:///var/lib/a%20b") == "/var/lib/a b"
    for url in ("chdb://relative/x", "chdb:x"):
        with pytest.raises(ConfigError, match="absolute folder"):
            embedded_path(url)
    with pytest.raises(ConfigError, match="not mysql:"):
        is_embedded("mysql://db")
