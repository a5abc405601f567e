"""The pages of the real program, over a history with a silence and errors in it, in real Chromium.

STREAMGAUGE_SCREENSHOTS=1 writes the README's pictures to docs/images.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from examples.router.fleet import customers
from examples.router.history import History
from examples.router.lines import Identity
from playwright.sync_api import Browser
from tests.web.browsing import ROOT, SHIFTS, Look, chromium_browser, violations

from streamgauge.testing.api import incidents, write
from streamgauge.testing.process import StreamgaugeProcess
from streamgauge.testing.waiting import eventually
from streamgauge.web.format import count, share

pytestmark = [pytest.mark.process, pytest.mark.browser, pytest.mark.slow]

SILENT, FAILING = "soylent", "braze"
HURT = ("cyberdyne", "massive", "oscorp")
HISTORY_S, TROUBLE_S, LIVE_S = 36 * 3600, 900, 360
STEP_S = 5.0
"""How often the newest part is reported."""
LARGEST_PAGE_BYTES = 100_000
CONFIG = '[detect]\ntick = "2s"\n[[notify]]\nkind = "log"\n'


def troubled(body: bytes, since_s: float) -> bytes:
    """Without the silent customer's lines from then on, and with every other delivery failed."""
    kept: list[bytes] = []
    for number, line in enumerate(body.splitlines()):
        if int(line.rpartition(b" ")[2]) < since_s * 1e9:
            kept.append(line)
        elif f"tenant={SILENT},".encode() not in line:
            is_hurt = any(f"tenant={name},".encode() in line for name in HURT)
            is_failing = is_hurt and f"integration={FAILING},".encode() in line and number % 2
            failed = line.replace(b"outcome=ok", b"outcome=error,reason=http_500")
            kept.append(failed if is_failing else line)
    return b"\n".join(kept)


class Router:
    """Reports a history, then goes on reporting, as routers do."""

    def __init__(self, process: StreamgaugeProcess) -> None:
        self._process, self._stop = process, threading.Event()
        self._history = History(customers(), Identity("router-1", "1.0.0"))
        self._live_at = float(int(time.time() // 60) * 60 - LIVE_S)
        self._since = time.time() - TROUBLE_S
        self._thread = threading.Thread(target=self._go_on)

    def __enter__(self) -> Router:
        for body in self._history.bodies(self._live_at - HISTORY_S, self._live_at):
            self._write(body.content)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _go_on(self) -> None:
        ends_at = self._live_at
        for body in self._history.bodies(ends_at, ends_at + 3600, 1, STEP_S):
            ends_at += STEP_S
            if self._stop.wait(max(0.0, ends_at - time.time())):
                return
            self._write(body.content)

    def _write(self, content: bytes) -> None:
        answer = write(self._process.client, troubled(content, self._since))
        assert answer.status_code == 204, answer.text


@dataclass(frozen=True)
class Stage:
    """The running program, and what it found."""

    process: StreamgaugeProcess
    silence: dict[str, Any]
    errors: dict[str, Any]


def both(process: StreamgaugeProcess) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The silence and the errors, once both are open and name everyone."""
    found = {one["kind"]: one for one in incidents(process.client, state="open")}
    is_whole = set(found.get("errors", {}).get("affected", ())) == set(HURT)
    return (found["silence"], found["errors"]) if is_whole and "silence" in found else None


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("pages")
    with StreamgaugeProcess(folder, CONFIG).start() as process, Router(process):
        silence, errors = eventually(
            lambda: both(process), within_s=120, what="a silence and errors"
        )
        yield Stage(process, silence, errors)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with chromium_browser() as browser:
        yield browser


def test_every_page_that_links_lead_to_is_sound(stage: Stage, chromium: Browser) -> None:
    seen: set[str] = set()
    ahead = ["/"]
    with Look(chromium, stage.process.url) as look:
        while ahead:
            path = ahead.pop()
            if path in seen or path.endswith(".json"):
                continue
            seen.add(path)
            page = look.open(path)
            assert len(page.content().encode()) <= LARGEST_PAGE_BYTES, path
            links = page.eval_on_selector_all("a[href^='/']", "a => a.map(x => x.href)")
            ahead += [urlsplit(link).path for link in links]
            assert look.errors == [], path
    told = {f"/incidents/{one['id']}" for one in (stage.silence, stage.errors)}
    assert told | {f"/customers/{SILENT}", "/customers", "/incidents", "/api/docs"} <= seen


@pytest.mark.parametrize("path", ["/", f"/customers/{SILENT}", "the errors"])
def test_pages_of_real_figures_break_no_rule_of_access(
    stage: Stage, chromium: Browser, path: str
) -> None:
    with Look(chromium, stage.process.url) as look:
        page = look.open(f"/incidents/{stage.errors['id']}" if path == "the errors" else path)
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            assert violations(page) == [], theme


def test_new_lines_are_on_the_page_by_themselves_and_move_nothing(
    stage: Stage, chromium: Browser
) -> None:
    with Look(chromium, stage.process.url) as look:
        page = look.open("/")
        page.evaluate(SHIFTS)
        line = "messages,tenant=newcomer,source=web,integration=s3 count=3,latency_ms=40"
        assert write(stage.process.client, [line]).status_code == 204
        page.wait_for_function("() => document.body.textContent.includes('newcomer')")
        first = page.inner_text(".as-of")
        page.wait_for_function("it => document.querySelector('.as-of').innerText !== it", arg=first)
        shifts = page.evaluate("window.shifts")
        assert sum(value for value, _ in shifts) < 0.01, shifts
        assert look.errors == []


def test_tiles_say_what_the_api_says(stage: Stage, chromium: Browser) -> None:
    with Look(chromium, stage.process.url) as look:

        def agree() -> bool:
            page = look.open("/")
            to_s = float(page.get_attribute("[data-now]", "data-now") or 0) + 1
            asked = {"from": to_s - 300, "to": to_s}
            told = stage.process.client.get("/api/v1/overview", params=asked).json()
            tiles = dict(zip(texts(page, ".tile dt"), texts(page, ".tile dd"), strict=True))
            return (
                str(share(told["success_ratio"])) in tiles["Success"]
                and str(count(told["messages"])) in tiles["Messages"]
                and str(count(told["received"])) in tiles["Messages"]
                and str(count(told["errors"])) in tiles["Errors"]
            )

        # Lines stamped in the page's range may still come after it was made.
        eventually(agree, within_s=30, what="the same figures on the page and in the API")


def texts(page: Any, selector: str) -> list[str]:
    """Of all that is selected, each in one line."""
    found = page.eval_on_selector_all(selector, "all => all.map(one => one.innerText)")
    return [text.replace("\n", " ") for text in found]


def test_an_incident_shows_its_evidence_and_who_was_told(stage: Stage, chromium: Browser) -> None:
    with Look(chromium, stage.process.url) as look:
        page = look.open(f"/incidents/{stage.errors['id']}")
        assert FAILING in page.inner_text("h1")
        assert set(texts(page, ".names a")) == set(HURT)
        facts = dict(zip(texts(page, ".facts dt"), texts(page, ".facts dd"), strict=True))
        assert facts["Whose side"] == "The integration's side"
        rows = dict(zip(texts(page, ".pairs th"), texts(page, ".pairs td"), strict=True))
        assert "http_500" in rows["Top reasons"]
        assert "1 in" in rows["Chance that it is nothing"]
        assert page.locator("canvas").count() == 2
        page.wait_for_selector(".told li")
        assert texts(page, ".told li p")[0] == "Delivered log that it opened"


@pytest.mark.parametrize(
    ("name", "theme"), [("front-light", "light"), ("front-dark", "dark"), ("incident", "light")]
)
def test_pictures_for_the_readme(
    stage: Stage, chromium: Browser, tmp_path: Path, name: str, theme: str
) -> None:
    is_asked = os.environ.get("STREAMGAUGE_SCREENSHOTS") == "1"
    folder = ROOT / "docs/images" if is_asked else tmp_path
    viewport = {"width": 1440, "height": 1270 if name == "incident" else 1285}
    with Look(chromium, stage.process.url, color_scheme=theme, viewport=viewport) as look:
        page = look.open(f"/incidents/{stage.errors['id']}" if name == "incident" else "/")
        page.screenshot(path=folder / f"{name}.png", animations="disabled")
        assert look.errors == []
    assert 20_000 < (folder / f"{name}.png").stat().st_size <= 300_000
