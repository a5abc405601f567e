"""The pages in real Chromium: errors, updates without a jump, themes, phone, keyboard, axe."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser
from tests.web.browsing import DRAWN, PHONE, SHIFTS, UPDATE, Look, chromium_browser, violations
from tests.web.served import served
from tests.web.sites import NOW_S, Site, make_site, troubled_site

from streamgauge.model.errors import StoreError
from streamgauge.testing.journeys import FAILED_ID

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PAGES = [
    "/", "/customers", "/customers/dunder", "/incidents", "/incidents/inc-silence",
    "/incidents/inc-backlog", "/refused", "/api/docs", "/errors", f"/messages/{FAILED_ID}",
    "/messages",
]  # fmt: skip


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with chromium_browser() as browser:
        yield browser


@pytest.fixture
def site() -> Site:
    return troubled_site()


@pytest.fixture
def address(site: Site) -> Iterator[str]:
    with served(site) as address:
        yield address


def test_no_page_logs_an_error_or_breaks_a_rule_of_access(chromium: Browser, address: str) -> None:
    with Look(chromium, address) as look:
        for path in PAGES:
            page = look.open(path)
            for theme in ("light", "dark"):
                page.emulate_media(color_scheme=theme)
                assert violations(page) == [], (path, theme)
        assert look.errors == []


def test_every_link_leads_to_a_page(chromium: Browser, address: str) -> None:
    with Look(chromium, address) as look:
        links = look.open("/").eval_on_selector_all("a[href^='/']", "a => a.map(x => x.pathname)")
        assert {"/customers", "/incidents", "/api/docs", "/incidents/inc-errors"} <= set(links)
        for link in sorted(set(links)):
            answer = look.context.request.get(address + link)
            assert answer.ok, link


@pytest.mark.parametrize("path", ["/", "/customers/acme", "/incidents/inc-errors"])
def test_updates_move_nothing(chromium: Browser, site: Site, address: str, path: str) -> None:
    with Look(chromium, address) as look:
        page = look.open(path)
        canvas = page.query_selector("canvas")
        page.evaluate(SHIFTS)
        for _ in range(2):
            before = page.inner_text(".as-of")
            site.clock.advance(65)
            page.evaluate(UPDATE)
            assert page.inner_text(".as-of") != before
        page.wait_for_function(DRAWN)
        shifts = page.evaluate("window.shifts")
        assert sum(value for value, _ in shifts) < 0.01, shifts
        assert canvas is not None
        assert canvas.evaluate("it => it.isConnected"), "the chart was made anew"
        assert look.errors == []


def test_a_page_updates_itself(chromium: Browser, site: Site, address: str) -> None:
    with Look(chromium, address) as look:
        page = look.open("/")
        site.incidents.incidents = []
        site.clock.advance(5)
        page.wait_for_function("() => document.querySelector('h1').textContent.includes('flowing')")
        assert "flowing" in page.title()


def test_figures_stay_with_their_age_when_the_server_fails(
    chromium: Browser, site: Site, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with Look(chromium, address) as look:
        page = look.open("/")
        site.metrics.failure = StoreError("the engine restarts", permanent=False)
        page.evaluate("document.querySelector('main').dispatchEvent(new Event('every'))")
        page.wait_for_selector("[data-stale-notice]:not([hidden])")
        assert "Not updated" in page.inner_text("[data-stale-notice]")
        assert " ".join(page.inner_text("h1").split()) == "2 things need attention."
        site.metrics.failure = None
        page.evaluate(UPDATE)
        assert page.is_hidden("[data-stale-notice]")
    capsys.readouterr()


def test_the_first_message_brings_the_figures(chromium: Browser) -> None:
    site = make_site(tenants=())
    with served(site) as address, Look(chromium, address) as look:
        page = look.open("/")
        assert page.inner_text("h1") == "Nothing has arrived yet."
        assert page.is_visible("[data-copy]")
        site.metrics.tenants = ["acme"]
        page.evaluate(UPDATE)
        page.wait_for_function(DRAWN)
        assert page.locator("canvas").count() == 6
        assert look.errors == []


@pytest.mark.parametrize("path", PAGES)
def test_nothing_scrolls_sideways_on_a_phone(chromium: Browser, address: str, path: str) -> None:
    with Look(chromium, address, viewport=PHONE, has_touch=True, is_mobile=True) as look:
        page = look.open(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        frames = (
            "[...document.querySelectorAll('.table-frame')].map(f => f.scrollWidth - f.clientWidth)"
        )
        assert max(page.evaluate(frames), default=0) <= 0


@pytest.mark.parametrize("width", [320, 390, 640, 700, 860, 900])
def test_every_tab_is_in_sight_at_any_width(chromium: Browser, address: str, width: int) -> None:
    with Look(chromium, address, viewport={"width": width, "height": 740}) as look:
        page = look.open("/expectations")
        ends = "all => all.map(a => a.getBoundingClientRect().right)"
        rights = page.eval_on_selector_all(".top nav a", ends)
        assert len(rights) == 8
        assert max(rights) <= width
        fits = "all => all.every(a => a.scrollWidth <= a.clientWidth)"
        assert page.eval_on_selector_all(".top nav a, .top nav", fits)
        assert page.text_content(".top nav a[aria-current]") == "Customers"


def test_long_names_scroll_nothing_sideways(chromium: Browser) -> None:
    name = "a-customer-with-a-name-that-goes-on-" * 6
    with (
        served(make_site(tenants=[name])) as address,
        Look(chromium, address, viewport=PHONE) as look,
    ):
        for path in ("/", "/customers", f"/customers/{name}"):
            assert look.open(path).evaluate("document.documentElement.scrollWidth") <= 360


def test_a_chosen_theme_is_kept(chromium: Browser, address: str) -> None:
    with Look(chromium, address, color_scheme="light") as look:
        page = look.open("/")
        light = page.evaluate("getComputedStyle(document.body).backgroundColor")
        page.click("[data-theme-toggle]")
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert dark != light
        page = look.open("/customers")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark
        page.click("[data-theme-toggle]")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == light
        assert look.errors == []


def test_the_keyboard_reaches_everything(chromium: Browser, address: str) -> None:
    with Look(chromium, address) as look:
        page = look.open("/")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        page.reload()
        wanted = set(page.eval_on_selector_all("a[href], button", "a => a.map(x => x.outerHTML)"))
        reached = set()
        for _ in range(len(wanted) + 12):
            page.keyboard.press("Tab")
            reached.add(page.evaluate("document.activeElement.outerHTML"))
        assert wanted <= reached
        page.focus(".incident-link")
        page.keyboard.press("Enter")
        page.wait_for_url("**/incidents/inc-silence")


def test_focus_survives_an_update(chromium: Browser, site: Site, address: str) -> None:
    with Look(chromium, address) as look:
        page = look.open("/")
        page.focus("#customer-acme a")
        site.incidents.incidents = []
        site.clock.advance(5)
        page.evaluate(UPDATE)
        assert page.evaluate("document.activeElement.textContent") == "acme"


def test_the_time_of_the_fakes_is_the_pages_time(chromium: Browser, address: str) -> None:
    with Look(chromium, address) as look:
        page = look.open("/")
        assert float(page.get_attribute("[data-now]", "data-now") or 0) == NOW_S
