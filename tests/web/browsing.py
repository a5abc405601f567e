"""Drives Chromium: opens pages, and keeps what goes wrong on them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[2]
AXE = ROOT / "node_modules/axe-core/axe.min.js"
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--no-first-run",
]  # fmt: skip
DESKTOP, PHONE = {"width": 1440, "height": 900}, {"width": 360, "height": 740}
SHIFTS = """() => {
  window.shifts = [];
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      window.shifts.push([entry.value, entry.sources.map((s) => s.node?.outerHTML?.slice(0, 120))]);
    }
  }).observe({ type: "layout-shift" });
}"""
UPDATE = """() => new Promise((done) => {
  document.addEventListener("htmx:after:swap", () => setTimeout(done, 300), { once: true });
  document.querySelector("main").dispatchEvent(new Event("every"));
})"""
DRAWN = """() => {
  const figures = [...document.querySelectorAll("[data-chart]")];
  const isDrawn = (f) => f.querySelector("canvas") && !f.querySelector("[data-note]").textContent;
  return figures.every(isDrawn);
}"""


@contextmanager
def chromium_browser() -> Iterator[Browser]:
    """Debian's Chromium; the test is skipped where there is none."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("no chromium (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


class Look:
    """A page that keeps what went wrong on it."""

    def __init__(self, browser: Browser, address: str, **options: Any) -> None:
        self.context = browser.new_context(**{"viewport": DESKTOP, **options})
        self.page: Page = self.context.new_page()
        self.address = address
        self.errors: list[str] = []
        self.page.on("console", self._keep)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on(
            "response",
            lambda it: self.errors.append(f"{it.status} {it.url}") if it.status >= 400 else None,
        )

    def _keep(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.errors.append(message.text)

    def open(self, path: str) -> Page:
        self.page.goto(self.address + path, wait_until="load")
        self.page.wait_for_function(DRAWN)
        self.page.evaluate("document.fonts.ready")
        return self.page

    def __enter__(self) -> Look:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()


def violations(page: Page) -> list[str]:
    """What axe finds, each as `rule: element`."""
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{rule['id']}: {node['html'][:160]} {node['failureSummary']}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]
