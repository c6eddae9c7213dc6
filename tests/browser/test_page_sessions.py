"""All sessions in a real browser: whose word each is, filters in the address, keys, and every width."""

from __future__ import annotations

import re
import time
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agentsight_rx.runtime.web import StoredPage
from agentsight_rx.store.rows.kinds import SAID, Row
from agentsight_rx.store.state import LmdbStore
from tests.browser.browsing import opened, problems
from tests.browser.page_runs import serving
from tests.runtime.web.test_lists import MINUTE, changes, session

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

WIDTHS = (1440, 1250, 1024, 390)
NOW = time.time_ns() // 1_000_000 // MINUTE


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Generator[StoredPage]:
    """80 imported sessions, 20 minutes apart, and a recording of the newest."""
    folder = tmp_path_factory.mktemp("sessions")
    parts = [
        session(f"s{at}", NOW - 60 - 20 * at, 1 + at % 3, title="Fix it" if at in (1, 2) else f"Task {at}") for at in range(80)
    ]
    _write(folder / "past.lmdb", parts, SAID)
    _write(folder / "agentsight-1.lmdb", [session("s0", NOW - 60, 1, "view", title="Task 0")], "seen")
    with serving(lambda: sorted(folder.glob("*.lmdb"), reverse=True)) as page:
        yield page


def _write(path: Path, parts: list[list[Row]], seen_by: str) -> None:
    store = LmdbStore.open(path)
    store.commit(changes(parts, seen_by=seen_by))
    store.close()


def test_the_list_says_whose_word_each_session_is_and_fits_each_screen(browser: Browser, shelf: StoredPage) -> None:
    with opened(browser, shelf.url) as page:
        page.page.goto(f"{page.root}/sessions")
        page.see(re.compile("80 sessions since .* cost"), within="h1")
        page.see("1 is recorded, 79 are from the agents' own files")
        page.see("Of 1 with both, 1 agrees.")
        assert 1 == page.page.get_by_role("row").get_by_role("img", name="recorded, and its file agrees (1 of 1 call)").count()
        assert 1 == page.page.get_by_text("2nd of 2").count()
        for width in WIDTHS:
            page.page.set_viewport_size({"width": width, "height": 900})
            page.drawn()
            assert page.page.evaluate("document.documentElement.scrollWidth") == width
        assert [] == problems(page.page)
        assert "nothing is missing" not in page.page.locator("main").inner_text()


def test_filters_are_in_the_address_and_keys_move_select_and_clear(browser: Browser, shelf: StoredPage) -> None:
    with opened(browser, shelf.url) as page:
        page.page.goto(f"{page.root}/sessions?source=file&q=s7")
        page.see("11 sessions cost", within="h1")
        page.page.get_by_role("button", name="Failed", exact=True).click()
        page.see("None of 80 sessions has all 3.")
        page.page.get_by_role("listitem").filter(has_text="without Failed").get_by_role("button", name="11 sessions").click()
        page.see("11 sessions cost", within="h1")
        page.page.locator("h1").click()
        for key in ("j", "x", "j", "x"):
            page.press(key)
        page.has("document.querySelectorAll('.pick.on').length === 2")
        page.see("Compare", within=".read-l .btn")
        page.press("Escape")
        page.has("!document.querySelector('.pick.on')")
        page.press("Escape")
        page.has("location.search === ''")
        page.see("80 sessions", within="h1")
        page.press("j")
        page.press("Enter")
        page.has("location.pathname === '/s/agentsight-1/s0/conversation'")
        page.see("The agent's own file agrees (1 of 1 call).")


def test_the_rail_has_fifty_and_the_way_to_all(browser: Browser, shelf: StoredPage) -> None:
    with opened(browser, shelf.url) as page:
        page.see("All 80 sessions", within=".rail")
        assert 50 == page.page.locator(".ses").count()
        page.page.get_by_role("button", name="All 80 sessions").click()
        page.has("location.pathname === '/sessions'")
        page.has("(scrollTo(0, 1e6), document.querySelectorAll('.tb .row').length === 80)")


def test_two_sessions_are_compared_and_swapped(browser: Browser, shelf: StoredPage) -> None:
    with opened(browser, shelf.url) as page:
        page.page.goto(f"{page.root}/compare/s0..s4")
        page.see("A took 1 turn", within="h1")
        page.see("They part at", within="h1")
        page.see("not known", within=".bf")
        for width in WIDTHS:
            page.page.set_viewport_size({"width": width, "height": 900})
            page.drawn()
            assert page.page.evaluate("document.documentElement.scrollWidth") == width
        assert [] == problems(page.page)
        page.press("s")
        page.has("location.pathname === '/compare/s4..s0'")
        page.see("A took 2 turns", within="h1")
