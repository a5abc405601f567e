"""What is wrong with streamgauge itself: on the front page, and in the answer of `/ready`."""

from __future__ import annotations

from lxml import html
from tests.web.sites import BROWSER, troubled_site

from streamgauge.model.errors import StoreError

FULL = "the disk of /data is full: free some space"
DAMAGED = "the journal was damaged <script>"


def _told(text: str) -> list[str]:
    page = html.document_fromstring(text)
    found = page.iterfind(".//section[@aria-labelledby='own-title']//li")
    return [" ".join(one.text_content().split()) for one in found]


def test_a_page_of_a_sound_process_says_nothing_about_it() -> None:
    assert _told(troubled_site().get("/", BROWSER).text) == []


def test_problems_come_before_notices_and_the_figures_stay() -> None:
    site = troubled_site()
    site.operations.told_problems, site.operations.told_notices = [FULL], [DAMAGED]
    answer = site.get("/", BROWSER)
    assert answer.status_code == 200
    assert _told(answer.text) == [
        "Not ready The disk of /data is full: free some space.",
        "Needs a look The journal was damaged <script>.",
    ]
    assert "Key metrics" in answer.text


def test_where_nothing_can_be_asked_the_page_says_why_and_shows_no_figure() -> None:
    site = troubled_site()
    site.operations.told_problems = [FULL]
    site.metrics.failure = StoreError("the engine refused", permanent=False)
    answer = site.get("/", BROWSER)
    assert answer.status_code == 503
    assert _told(answer.text) == ["Not ready The disk of /data is full: free some space."]
    assert "Key metrics" not in answer.text
    site.operations.told_problems = []
    assert _told(site.get("/", BROWSER).text) == ["Not ready The engine refused."]


def test_ready_tells_notices_without_being_unready_for_them() -> None:
    site = troubled_site()
    site.operations.told_notices = [DAMAGED]
    assert site.json("/ready") == {"status": "ready", "reasons": [], "notices": [DAMAGED]}
    site.operations.told_problems = [FULL]
    answer = site.get("/ready")
    assert (answer.status_code, answer.json()["status"]) == (503, "not ready")
