"""The Context tab at 8 to 502 turns and 390 to 1,920 px. The answers about the context are invented, of the sent types."""

from __future__ import annotations

import json
import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from agentsight_rx.runtime.web import StoredPage
from tests.browser.browsing import Shown, opened, problems
from tests.browser.page_runs import serving
from tests.view.page.context_story import FELL, LOST, over_time, turn_of
from tests.view.page.story import long_session, recorded
from tests.view.queries.context_story import PRICES, SESSION, begun, words

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Route

pytestmark = pytest.mark.browser

SIZES = (8, 83, 212, 502)
WIDTHS = (390, 768, 1280, 1920)
# Sentences that are false
WRONG = """() => {
  const wrong = [], labels = [...document.querySelectorAll('.lbs li')].map(each => each.getBoundingClientRect());
  labels.forEach((one, at) => { if (at && one.top < labels[at - 1].bottom - 1) wrong.push(`label ${at} touches another`); });
  const box = document.querySelector('.anat').getBoundingClientRect();
  if (labels.at(-1).bottom > box.bottom + 2 || labels[0].top < box.top - 2) wrong.push('a label is outside');
  const blocks = [...document.querySelectorAll('.anat rect')].map(each => each.getBoundingClientRect().height);
  const high = blocks.reduce((sum, each) => sum + each + 1, 0);
  if (Math.abs(high - box.height) > blocks.length + 4) wrong.push(`blocks of ${high} in ${box.height}`);
  const area = document.querySelector('.area svg');
  if (area) {
    const texts = [...area.querySelectorAll('text:not(.in)')].map(each => [each.textContent, each.getBoundingClientRect()]);
    texts.forEach(([a, one], at) => texts.slice(at + 1).forEach(([b, two]) => {
      const beside = one.right <= two.left || two.right <= one.left || one.bottom - 2 <= two.top || two.bottom - 2 <= one.top;
      if (!beside) wrong.push(`${a} and ${b} touch`);
    }));
  }
  if (document.documentElement.scrollWidth !== innerWidth) wrong.push('the page scrolls sideways');
  const wide = [...document.querySelectorAll('.ctx .scroll')].filter(each => each.scrollWidth > each.clientWidth);
  if (wide.length) wrong.push('a table scrolls sideways');
  return wrong;
}"""
TABS_FIT = """() => {
  const list = document.querySelector('[role=tablist]'), row = document.querySelector('.tabs .row');
  const names = [...list.querySelectorAll('[role=tab]')].map(each => each.firstChild.textContent);
  return [names.length, row.dataset.left, list.scrollWidth <= list.clientWidth];
}"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Generator[StoredPage]:
    folder = tmp_path_factory.mktemp("context")
    paths = [recorded(folder / f"of{size}.lmdb", long_session(size)) for size in SIZES]
    with serving(lambda: paths) as page:
        yield page


@contextmanager
def context(browser: Browser, served: StoredPage, *, counted: bool = True, empty: bool = False) -> Generator[Shown]:
    """The page, whose server knows what fills the context."""
    with opened(browser, served.url) as page:

        def head(route: Route) -> None:
            answer: Any = route.fetch().json()
            answer["counts"] = {**answer.get("counts", {}), "context": answer.get("turns", 0)}
            route.fulfill(body=json.dumps(answer), content_type="application/json")

        def tab(route: Route) -> None:
            address = urlsplit(route.request.url)
            found = re.search(r"/r/of(\d+)/session/[^/]+/context(?:/(\d+))?$", address.path)
            assert found
            size, row = int(found[1]), parse_qs(address.query).get("row", [""])[0]
            nothing = over_time(0, counted=counted) if empty else over_time(size, counted=counted)
            answer = turn_of(int(found[2]), size, row=row, counted=counted) if found[2] else nothing
            route.fulfill(body=msgspec.json.encode(answer), content_type="application/json")

        page.page.route(re.compile(r"/api/v1/r/[^/]+/session/[^/?]+(?:\?.*)?$"), head)
        page.page.route(re.compile(r"/api/v1/r/[^/]+/session/[^/]+/context"), tab)
        yield page
        page.page.unroute_all(behavior="wait")  # the page still asks when a test has seen what it wanted


def go(page: Shown, size: int, query: str = "") -> None:
    page.page.goto(f"{page.root}/s/of{size}/long/context{query}")
    page.page.locator(".say").wait_for()
    page.settled()


def test_a_recording_fills_the_tab(browser: Browser, tmp_path: Path) -> None:
    agent = begun()
    for at in range(40):
        agent.turn("Tool2", {"command": f"pytest -k part{at}"}, words(90 + 7 * at, at), "Next. " + words(15, at))
        if at == 20:
            agent.add_tool("mcp__ledger__close")
    agent.ask("Done.")
    path = recorded(tmp_path / "real.lmdb", agent.events)
    with serving(lambda: [path], PRICES) as served, opened(browser, served.url) as page:
        page.page.goto(f"{page.root}/s/real/{SESSION}/context?turn=25")
        page.see("At turn 25 the cache was lost: the tool list changed, mcp__ledger__close was added.")
        page.see("First change since turn 24: tool 12 of 12.")
        page.settled()
        for width in WIDTHS:
            page.page.set_viewport_size({"width": width, "height": 900})
            page.drawn()
            assert [] == page.page.evaluate(WRONG), width
        page.page.goto(f"{page.root}/s/real/{SESSION}/context?turn=10")
        page.see("At turn 10, ")
        page.see("/work/src/ledger/post.py")
        runs, labels = page.page.locator(".lbs .run"), page.page.locator(".lbs li")
        folded = labels.count()
        assert runs.count() > 0
        page.page.keyboard.press("o")
        page.page.wait_for_function("() => !document.querySelector('.lbs .run')")
        assert labels.count() > folded
        assert [] == page.page.evaluate(WRONG)
        page.page.keyboard.press("o")
        page.page.wait_for_function("() => document.querySelector('.lbs .run')")
        runs.first.click()
        page.page.wait_for_function("() => !document.querySelector('.lbs .run')")
        page.page.get_by_role("button", name="Fold the small ones").click()
        page.page.wait_for_function("() => document.querySelector('.lbs .run')")
        page.page.locator("section.sec td a", has_text="post.py").first.click()
        page.page.wait_for_function("() => location.pathname.endsWith('/conversation') && location.search === '?turn=1'")


@pytest.mark.parametrize("size", SIZES)
def test_at_any_width_nothing_touches_and_nothing_scrolls_sideways(browser: Browser, served: StoredPage, size: int) -> None:
    with context(browser, served) as page:
        for turn in {1, round(size * LOST), round(size * FELL), size}:
            go(page, size, f"?turn={turn}")
            for width in WIDTHS:
                page.page.set_viewport_size({"width": width, "height": 900})
                page.drawn()
                assert [] == page.page.evaluate(WRONG), (turn, width)
                names, left, fits = page.page.evaluate(TABS_FIT)
                assert names == 10
                assert fits or left == "names"
                assert left != "all" or width >= 1180


def test_it_opens_at_the_fullest_turn_and_c_is_its_key(browser: Browser, served: StoredPage) -> None:
    with context(browser, served) as page:
        page.page.goto(f"{page.root}/s/of212/long/conversation")
        page.page.locator(".strip .s-bar").first.wait_for()
        page.press("c")
        fullest = over_time(212).fullest
        page.see(f"Turn {fullest}, the fullest")
        page.see("Counted by the provider:")
        assert [] == problems(page.page)
        page.press("?")
        page.see("Context", within="dialog")
        page.press("Escape")
        page.press("2")
        page.page.locator("#tab-timeline[aria-selected=true]").wait_for()


def test_a_segment_an_origin_and_a_turn_are_chosen_and_let_go(browser: Browser, served: StoredPage) -> None:
    with context(browser, served) as page:
        go(page, 212, "?turn=139")
        page.page.locator(".lbs button").filter(has_text="System prompt").click()
        page.has("location.search.includes('row=seg0')")
        page.see("14,012 tokens in 138 requests", within=".why")
        assert 1 == page.page.locator(".anat rect.s-here").count()
        page.page.locator(".org button").filter(has_text="Files read").click()
        page.has("location.search.includes('origin=files') && !location.search.includes('row=')")
        page.see("Show all", within=".sec")
        assert 2 == page.page.locator(".anat rect.s-here").count()
        page.press("Escape")
        page.has("!location.search.includes('origin') && location.search.includes('turn=139')")
        page.press("j")
        page.has("location.search.includes('turn=140')")
        page.see("Turn 140", within=".ctx")
        chart = page.page.locator(".area .plot")
        chart.focus()
        page.press("Home")
        page.has("location.search === '?turn=1'")
        chart.hover(position={"x": 300, "y": 100})
        page.has(
            "!document.querySelector('.org .sum').textContent.startsWith('Turn 1 ') && document.querySelector('.area .point')"
        )
        page.page.locator(".whose .chip").nth(1).click()
        page.has("location.search === '?of=sub-1'")


def test_a_lost_cache_and_a_compaction_say_why(browser: Browser, served: StoredPage) -> None:
    with context(browser, served) as page:
        go(page, 212, f"?turn={round(212 * LOST)}")
        page.see("the cache was lost: the tool list changed")
        page.see("First change since turn 94: tool 31 of 31.", within=".why b")
        page.see("new: the first change", within=".lbs")
        page.see("nothing came from the cache; all", within=".ctx")
        assert 1 == page.page.locator(".anat .first").count()
        go(page, 212, f"?turn={round(212 * FELL)}")
        page.see("327 segments went, 5 came.", within=".why b")
        page.see("In its place", within=".swap")
        page.see("put back 140", within=".lbs")


def test_without_counts_every_size_is_an_estimate(browser: Browser, served: StoredPage) -> None:
    with context(browser, served, counted=False) as page:
        go(page, 83, "?turn=40")
        page.see("No counts.", within=".whole.not")
        page.see("from the cache: ?", within=".ctx")
        page.see("carried so far", within=".sec thead")
        assert 0 == page.page.locator(".anat .cached").count()
        signs = page.page.locator(".lbs li").all_inner_texts()
        assert signs
        assert all("≈" in each for each in signs)


def test_a_session_without_a_call_says_so(browser: Browser, served: StoredPage) -> None:
    with context(browser, served, empty=True) as page:
        page.page.goto(f"{page.root}/s/of8/long/context")
        page.see("This recording has no call of a model")
