"""From `[udp]` and `[unix]` to listeners: what may be opened, and what is told if not."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from streamgauge.app.configuration import Configuration, load
from streamgauge.app.gather.listening import check_listeners, listeners
from streamgauge.model.clock import SimulatedClock
from streamgauge.model.errors import ConfigError
from streamgauge.receive.collectors.health import GathererRegistry
from streamgauge.receive.meaning.metering import Metering
from streamgauge.testing.receiving import MemorySink, workshop_of

CLOCK = SimulatedClock(1_800_000_000)


def read(folder: Path, text: str) -> Configuration:
    path = folder / "streamgauge.toml"
    path.write_text(text)
    return load(path, {})


def made(configuration: Configuration) -> dict[str, str]:
    """The address of each listener by its name."""
    registry = GathererRegistry(CLOCK)
    listeners(configuration, Metering(workshop_of(MemorySink(), CLOCK).intake), registry)
    return {one.name: one.address for one in registry.all()}


def test_nothing_listens_unless_it_is_asked_for(tmp_path: Path) -> None:
    assert made(read(tmp_path, "")) == {}


def test_what_is_asked_for_listens(tmp_path: Path) -> None:
    text = '[udp]\nlisten = "0.0.0.0:8089"\nallow = ["10.0.0.0/8", "192.168.1.7", "fd00::/8"]\n'
    text += '[unix]\ndatagram = "/run/d"\nstream = "/run/s"\nmode = "0666"\nprecision = "s"\n'
    configuration = read(tmp_path, text)
    assert made(configuration) == {"udp": "0.0.0.0:8089", "unixgram": "/run/d", "unix": "/run/s"}
    assert [str(one) for one in configuration.udp.networks][1] == "192.168.1.7/32"
    assert configuration.unix.permissions == 0o666


BAD = {
    "open to other machines": ('[udp]\nlisten = "0.0.0.0:8089"', "say who may send by `allow`"),
    "no port": ('[udp]\nlisten = "127.0.0.1"', "HOST:PORT"),
    "a network with host bits": ('[udp]\nallow = ["10.0.0.1/8"]', "has host bits set"),
    "no network": ('[udp]\nallow = ["everybody"]', "networks or addresses"),
    "a precision that is none": ('[udp]\nprecision = "d"', "'ns', 'us', 'ms'"),
    "permissions that are none": ('[unix]\nmode = "rw"', "permissions in octal"),
    "more than permissions": ('[unix]\nmode = "4755"', "permissions in octal"),
    "one path for two sockets": (
        '[unix]\ndatagram = "/run/a"\nstream = "/run/a"',
        "a path of its own",
    ),
}


@pytest.mark.parametrize(("text", "told"), BAD.values(), ids=BAD.keys())
def test_what_cannot_be_used_is_named(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read(tmp_path, text)
    assert told in str(refused.value)


def test_a_port_and_a_path_in_use_stop_the_start(tmp_path: Path) -> None:
    path = tmp_path / "d.sock"
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    unixgram = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    with udp, unixgram:
        udp.bind(("127.0.0.1", 0))
        unixgram.bind(str(path))
        port = udp.getsockname()[1]
        with pytest.raises(ConfigError, match=f"127.0.0.1:{port} cannot be listened on"):
            check_listeners(read(tmp_path, f'[udp]\nlisten = "127.0.0.1:{port}"'))
        with pytest.raises(ConfigError, match="another program listens there"):
            check_listeners(read(tmp_path, f'[unix]\nstream = "{path}"'))
    check_listeners(
        read(tmp_path, f'[udp]\nlisten = "127.0.0.1:{port}"\n[unix]\nstream = "{path}"')
    )
    assert not path.exists(), "what a dead program left is taken away"
