"""OTLP's own port: what is refused before anything starts."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from streamgauge.app.configuration import Configuration, load
from streamgauge.app.gather.otlp import check_otlp
from streamgauge.app.serve.auth import is_known
from streamgauge.model.errors import ConfigError


def configured(folder: Path, text: str) -> Configuration:
    path = folder / "streamgauge.toml"
    path.write_text(text)
    return load(path, {})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param('[otlp]\ngrpc = "4317"', "HOST:PORT", id="no host"),
        pytest.param('[otlp]\nhttp = "a:1"', "unknown key", id="an unknown key"),
    ],
)
def test_settings_that_cannot_be_meant(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        configured(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", "", id="nothing is configured"),
        pytest.param('[otlp]\ngrpc = "127.0.0.1:0"', "", id="the loopback"),
        pytest.param('[otlp]\ngrpc = "0.0.0.0:0"', "no token is set", id="open to others"),
        pytest.param(
            '[otlp]\ngrpc = "0.0.0.0:0"\n[auth]\ntokens = ["t"]', "", id="open, with a token"
        ),
        pytest.param(
            '[otlp]\ngrpc = "127.0.0.1:8686"', "that of \\[server\\] listen", id="the pages' port"
        ),
        pytest.param('[otlp]\ngrpc = "192.0.2.1:0"', "no token", id="another machine's address"),
    ],
)
def test_who_may_reach_it(tmp_path: Path, text: str, words: str) -> None:
    configuration = configured(tmp_path, text)
    if not words:
        check_otlp(configuration)
        return
    with pytest.raises(ConfigError, match=words):
        check_otlp(configuration)


def test_a_port_in_use_names_what_to_change(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        configuration = configured(tmp_path, f'[otlp]\ngrpc = "127.0.0.1:{port}"')
        with pytest.raises(ConfigError, match=rf"{port} is in use .* \[otlp\] grpc"):
            check_otlp(configuration)


@pytest.mark.parametrize(
    ("authorization", "expected"),
    [
        pytest.param("Bearer right", True, id="a bearer"),
        pytest.param("Token right", True, id="a token"),
        pytest.param("Basic dTpyaWdodA==", True, id="Basic, with the token as password"),
        pytest.param("Bearer wrong", False, id="another token"),
        pytest.param("right", False, id="no scheme"),
        pytest.param("", False, id="nothing"),
    ],
)
def test_credentials(authorization: str, expected: bool) -> None:
    assert is_known(authorization, ["other", "right"]) is expected
