"""The texts name what the program has: settings, routes, commands, detectors."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import Route

from streamgauge.alert.rule import LABELS, METRICS
from streamgauge.app import cli
from streamgauge.app.configuration import load
from streamgauge.model.clock import SystemClock
from streamgauge.model.words import Kind
from streamgauge.receive.routes import routes
from streamgauge.testing.receiving import workshop_of
from streamgauge.web.application import create_app

ROOT = Path(__file__).parents[2]
TEXTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])


def _text(name: str) -> str:
    return (ROOT / name).read_text()


def test_the_page_of_settings_is_as_new_as_the_settings() -> None:
    command = [sys.executable, "docs/generate.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _commands() -> Iterator[str]:
    for name in cli.app:
        if name.startswith("-"):
            continue
        inner = [inner for inner in cli.app[name] if not inner.startswith("-")]
        yield from (f"streamgauge {name} {word}".rstrip() for word in inner or [""])


def test_every_command_is_described() -> None:
    commands = list(_commands())
    assert {"streamgauge up", "streamgauge replay", "streamgauge config check"} <= {*commands}
    page = _text("docs/commands.md")
    for command in commands:
        assert f"## `{command}" in page, command


def _routes() -> list[str]:
    unused: Any = None
    receiving = routes(workshop_of(unused, SystemClock()))
    app = create_app(unused, unused, unused, SystemClock(), receiving)
    api = [f"{verb.upper()} {p}" for p, verbs in app.openapi()["paths"].items() for verb in verbs]
    others = [route for route in app.routes if isinstance(route, Route) and route.methods]
    return sorted({*api, *(f"{m} {r.path}" for r in others for m in r.methods - {"HEAD"})})


def test_every_route_is_described() -> None:
    page = _text("docs/api.md")
    known = _routes()
    assert "GET /api/v1/overview" in known
    for route in known:
        assert f"`{re.sub(r':.*?}', '}', route)}" in page, route


def test_every_kind_of_detector_has_its_heading() -> None:
    page = _text("docs/detectors.md")
    for kind in (Kind.SILENCE, Kind.ERRORS, Kind.BACKLOG, Kind.BLIND):
        assert re.search(rf"^#+ .*{kind}", page, re.MULTILINE | re.IGNORECASE), kind


def test_every_metric_and_label_of_rules_is_described() -> None:
    page = _text("docs/rules.md")
    for word in (*METRICS, *LABELS):
        assert f"`{word}`" in page, word


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    text = re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if not target.startswith(("http://", "https://", "mailto:")):
            assert (path.parent / target).exists(), f"{path.name} links to {target}"


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_examples_of_configuration_can_be_used(path: Path, tmp_path: Path) -> None:
    for number, block in enumerate(re.findall(r"```toml\n(.*?)```", path.read_text(), re.DOTALL)):
        if "puts." in block:  # Telegraf's
            continue
        file = tmp_path / f"{number}.toml"
        file.write_text(block)
        load(file, {})


def test_decisions_are_numbered_without_a_gap() -> None:
    names = sorted(path.name for path in (ROOT / "docs/adr").glob("*.md"))
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))
