"""The page with 8, 83, 212 and 502 turns from 360 to 1,920 px: strip, tabs, deep links, tables, and what a run does to them."""

from __future__ import annotations

import datetime
import re
import zlib
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from agentsight_rx.events import Event, HttpRequest
from agentsight_rx.llm.prices import Prices
from agentsight_rx.runtime.web import StoredPage
from agentsight_rx.store.state import LmdbStore
from agentsight_rx.view.page import Picture
from agentsight_rx.view.page.head import CACHE_LOST, COMPACTED, FAILED, MISSING, SUB_AGENT, Strip, head_of
from tests.browser.browsing import TABS, Shown, opened, problems
from tests.browser.page_runs import Running, running, serving
from tests.view.page.story import long_session, output, recorded

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

SIZES = (8, 83, 212, 502)  # calls, of which some are of sub-agents
LAST = 476  # turn of the main agent in the last of these
WIDTHS = (390, 768, 1280, 1920)
# What the strip is at any width, as sentences that are false
STRIP = """() => {
  const wrong = [], box = document.querySelector('.strip .plot svg').getBoundingClientRect();
  const bars = [...document.querySelectorAll('.s-bar')].map(bar => ({
    turns: bar.dataset.turns.split('-').map(Number),
    x: bar.querySelector('.s-old').x.baseVal.value, wide: bar.querySelector('.s-old').width.baseVal.value,
    top: Math.min(...[...bar.querySelectorAll('.s-old, .s-new, .s-bad, .s-here, .s-cut')]
      .map(each => each.getBoundingClientRect().top)),
  }));
  const fold = bars[0].turns[1] - bars[0].turns[0] + 1, total = bars.at(-1).turns[1] + 1;
  const folds = [1, 2, 5, 10, 20, 50, 100].filter(each => Math.ceil(total / each) * 5 <= box.width);
  if (fold !== folds[0] && total > 1) wrong.push(`${fold} turns a bar, and ${folds[0]} fit in ${box.width}`);
  bars.forEach((bar, at) => {
    if (bar.wide < 4) wrong.push(`a bar of ${bar.wide} px`);
    if (bar.turns[0] !== at * fold) wrong.push(`bar ${at} begins with ${bar.turns[0]}`);
    if (at && bar.x - bars[at - 1].x < bars[at - 1].wide + 0.99) wrong.push(`bars ${at - 1} and ${at} touch`);
  });
  if (bars.at(-1).x + bars.at(-1).wide > box.width + 1) wrong.push('the last bar is outside');
  const boxes = name => [...document.querySelectorAll(name)].map(each => [each.textContent, each.getBoundingClientRect()]);
  const apart = (all, of) => all.forEach(([a, one], at) => all.slice(at + 1).forEach(([b, two]) => {
    if (one.left < two.right && two.left < one.right) wrong.push(`${of} ${a} and ${b} touch`);
  }));
  const numbers = boxes('.s-n'), words = boxes('.s-word');
  apart(numbers, 'numbers'); apart(words, 'words');
  for (const [text, one] of [...numbers, ...words])
    if (one.left < box.left - 1 || one.right > box.right + 1) wrong.push(`${text} is outside`);
  for (const [text, one] of words) for (const bar of bars) {
    const left = box.left + bar.x;
    if (left < one.right - 1 && left + bar.wide > one.left + 1 && bar.top < one.bottom - 4) wrong.push(`${text} is over a bar`);
  }
  if (document.documentElement.scrollWidth !== innerWidth) wrong.push('the page scrolls sideways');
  return wrong;
}"""
# Each bar: its first and last place, the mark under it, and how much of its top is coloured, in px
MARKS = """() => {
  const plot = document.querySelector('.strip .plot svg').getBoundingClientRect();
  const under = plot.bottom - 28; // px of marks and numbers
  return [...document.querySelectorAll('.s-bar')].map(bar => {
    const boxes = name => [...bar.querySelectorAll(name)].map(each => each.getBoundingClientRect());
    const below = name => boxes(name).some(each => each.top >= under);
    const top = boxes('.s-bad, .s-cut').filter(each => each.top < under);
    const mark = below('.s-cut') ? 'missing' : below('.s-bad') ? 'failed' : below('.s-sub') ? 'sub' : '';
    return [...bar.dataset.turns.split('-').map(Number), mark,
      Math.max(0, ...top.map(each => each.bottom)) - Math.min(...top.map(each => each.top), 1e9)];
  });
}"""
HEALTH_IN_VIEW = """() => {
  const tab = document.getElementById('tab-health'), { left, right, top, bottom } = tab.getBoundingClientRect();
  return right <= innerWidth && [left + 2, right - 3].every(x => tab.contains(document.elementFromPoint(x, (top + bottom) / 2)))
    && [...tab.querySelectorAll('.mk')].every(mark => mark.getBoundingClientRect().width >= 12);
}"""
NOTHING_LOADS = """![...document.querySelectorAll('.page:has(> .faint)')].some(page => {
  const { top, bottom } = page.getBoundingClientRect(); return bottom > -1200 && top < innerHeight + 1200; })"""
HERE = "[...document.querySelectorAll('.every + .plot .s-n.here')].some(each => each.textContent === 'N')"
NEWEST_IS_HERE = (
    "document.querySelectorAll('.s-here').length === 1 && document.querySelector('.s-bar:has(+ :not(.s-bar)) .s-here')"
)
AT_THE_END = "Math.abs(document.documentElement.scrollHeight - innerHeight - scrollY) < 3"


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    folder = tmp_path_factory.mktemp("sizes")
    return {size: recorded(folder / f"of{size}.lmdb", long_session(size)) for size in SIZES}


@pytest.fixture(scope="module")
def strips(recordings: dict[int, Path]) -> dict[int, Strip]:
    """What is sent of the turns of each; read before they are served, since a store is open once in a process."""
    return {size: strip_of(path) for size, path in recordings.items()}


@pytest.fixture(scope="module")
def served(recordings: dict[int, Path], strips: dict[int, Strip]) -> Generator[StoredPage]:
    assert [*strips] == [*recordings]
    with serving(lambda: [*recordings.values()], Prices(today=datetime.date(2026, 11, 27))) as page:
        yield page


def go(page: Shown, size: int, query: str = "", tab: str = "conversation") -> None:
    page.page.goto(f"{page.root}/s/of{size}/long/{tab}{query}")
    page.page.locator(".strip .s-bar").first.wait_for()
    page.settled()


def settle(page: Shown) -> None:
    page.has(NOTHING_LOADS)
    page.drawn()


def view(width: int) -> dict[str, Any]:
    return {"viewport": {"width": width, "height": 900}}


# -- on the wire ---------------------------------------------------------------------------------------------------------


def test_a_session_of_502_turns_opens_with_at_most_120_kb(browser: Browser, served: StoredPage) -> None:
    """Page, style, scripts and answers, as they go over the network, heads too."""
    with opened(browser, served.url, **view(1280)) as page:
        go(page, 502)
        sizes: dict[str, int] = {}
        network: Any = page.page.context.new_cdp_session(page.page)
        network.send("Network.enable")
        names: dict[str, str] = {}

        def named(event: Any) -> None:
            names[event["requestId"]] = event["request"]["url"]

        def sized(event: Any) -> None:
            sizes[names.get(event["requestId"], "?")] = int(event["encodedDataLength"])

        network.on("Network.requestWillBeSent", named)
        network.on("Network.loadingFinished", sized)
        page.page.reload()
        page.page.locator("#turn-24").wait_for()
        settle(page)
        assert {"app.js", "app.css", "turns"} <= {name.partition("?")[0].rpartition("/")[2] for name in sizes}
        assert sum(sizes.values()) <= 120_000, sizes


# -- on paper ------------------------------------------------------------------------------------------------------------


def drawn_texts(pdf: bytes) -> list[int]:
    """How many pieces of text each sheet has."""
    objects = dict(re.findall(rb"\n(\d+) 0 obj\n(.*?)endobj", pdf, re.DOTALL))
    contents = [
        objects[found[1]]
        for each in objects.values()
        if (found := re.search(rb"/Type /Page\b.*/Contents (\d+)", each, re.DOTALL))
    ]
    streams = [each.partition(b"stream\n")[2].rpartition(b"\nendstream")[0] for each in contents]
    return [len(re.findall(rb"T[jJ]", zlib.decompress(each))) for each in streams]


def test_all_turns_are_printed_light_and_no_sheet_is_blank(browser: Browser, served: StoredPage) -> None:
    with opened(browser, served.url, color_scheme="dark") as page:
        go(page, 83)
        page.page.evaluate("window.print = () => { window.printed = document.documentElement.dataset.theme; }")
        page.press("Control+p")
        page.has("window.printed === 'light'")
        assert 83 - 4 == page.page.locator(".thread > .page > ol > .turn").count(), "four are of sub-agents"
        texts = drawn_texts(page.page.pdf())
        assert len(texts) > 5
        assert min(texts) > 20


# -- the strip -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
def test_at_any_width_each_turn_has_its_part_of_a_bar_that_can_be_seen(browser: Browser, served: StoredPage, size: int) -> None:
    with opened(browser, served.url) as page:
        go(page, size)
        for width in (*WIDTHS, *range(360, 1921, 97)):
            page.page.set_viewport_size({"width": width, "height": 900})
            page.drawn()
            for turn in ("", "j"):
                if turn:
                    page.press(turn)
                assert [] == page.page.evaluate(STRIP), width
                assert page.page.evaluate(HEALTH_IN_VIEW), width


@pytest.mark.parametrize("width", WIDTHS)
def test_a_session_of_502_turns_fits_each_screen(browser: Browser, served: StoredPage, width: int) -> None:
    with opened(browser, served.url, **view(width)) as page:
        for tab in TABS:
            go(page, 502, tab=tab)
            wide = page.page.evaluate(
                "[...document.querySelectorAll('.scroll')].map(each => each.scrollWidth - each.clientWidth)"
            )
            assert not any(wide), (tab, wide)
            assert page.page.evaluate(HEALTH_IN_VIEW), tab
        go(page, 502)
        assert [] == problems(page.page)
        heights = page.page.evaluate(
            "[...document.querySelectorAll('.page > ol > .turn > header')].map(each => each.offsetHeight)"
        )
        assert heights
        assert width < 1280 or max(heights) < 32


@pytest.mark.parametrize("size", SIZES)
def test_all_trouble_is_marked_under_the_bars_and_words_say_where_the_context_fell(
    browser: Browser, served: StoredPage, strips: dict[int, Strip], size: int
) -> None:
    strip = strips[size]
    with opened(browser, served.url) as page:
        go(page, size)
        for width in WIDTHS:
            page.page.set_viewport_size({"width": width, "height": 900})
            page.drawn()
            fell = 0
            for first, last, mark, coloured in page.page.evaluate(MARKS):
                flags = joined(strip.flags[first : last + 1])
                fell += bool(flags & COMPACTED)
                worst = "missing" if flags & MISSING else "failed" if flags & FAILED else "sub" if flags & SUB_AGENT else ""
                assert worst == mark, (width, first)
                assert worst not in ("missing", "failed") or coloured >= 3.9, (width, first)
            assert fell == page.page.locator(".s-fell").count(), width
            said = page.page.locator(".s-word").all_text_contents()
            flagged = joined(strip.flags)
            assert ("compacted" in said) == bool(flagged & COMPACTED), width
            assert width < 1280 or ("cache lost" in said) == bool(flagged & CACHE_LOST), width


def joined(flags: tuple[int, ...]) -> int:
    found = 0
    for each in flags:
        found |= each
    return found


def strip_of(path: Path) -> Strip:
    store = LmdbStore.open(path, readonly=True)
    try:
        strip = head_of(Picture(store, Prices(), being_written=False), "long", recording="r").strip
    finally:
        store.close()
    assert strip is not None
    return strip


def test_pointing_reads_out_and_a_click_takes_the_turn_with_trouble(browser: Browser, served: StoredPage) -> None:
    with opened(browser, served.url, **view(1280)) as page:
        go(page, 502)
        page.see("one bar for 5 turns; a full bar is 200 k, the window", within=".strip .cap")
        failed = page.page.locator(".s-bar:has(.s-bad)").first.bounding_box()
        assert failed
        page.page.mouse.move(failed["x"] + 2, failed["y"] + 2)
        page.see("turns 11 to 15: ", within=".strip .cap")
        page.see("something failed", within=".strip .cap .right")
        page.page.mouse.click(failed["x"] + 2, failed["y"] + 2)
        page.has("location.search === '?turn=13'")
        strip = page.page.get_by_role("slider", name="Turns")
        assert "turn 13: " in str(strip.get_attribute("aria-valuetext"))
        strip.focus()
        for key, turn in (("ArrowRight", 14), ("ArrowLeft", 13), ("PageDown", 3), ("Home", 1), ("End", LAST), ("PageUp", LAST)):
            page.press(key)
            page.has(f"location.search === '?turn={turn}'")


def test_closer_there_is_a_bar_a_turn_around_the_selected_one(browser: Browser, served: StoredPage) -> None:
    with opened(browser, served.url, **view(1280)) as page:
        go(page, 502, "?turn=225")
        page.press("+")
        page.has(HERE.replace("N", "225"))
        assert 119 == page.page.locator(".s-bar").count()
        settle(page)
        every = page.page.locator(".every")
        every.hover(position={"x": 700, "y": 10})  # waits until it stands still: the page may still scroll to its turn
        page.page.mouse.down()
        box = every.bounding_box()
        assert box
        page.page.mouse.move(box["x"] + box["width"] - 1, box["y"] + 10)
        page.page.mouse.up()
        page.has("[...document.querySelectorAll('.s-n')].some(each => each.textContent === '476')")
        page.press("j")  # a selection from elsewhere moves it
        page.has(HERE.replace("N", "226"))
        page.press("0")
        page.has("!document.querySelector('.every')")
        page.see("Zoom in", within=".strip").click()
        page.see("All 476 turns", within=".strip").click()
        page.see("Zoom in", within=".strip")


def test_lists_of_sessions_hold_their_numbers(browser: Browser, served: StoredPage) -> None:
    """None is cut at the edge of its row, in the rail and in the days of the list."""
    with opened(browser, served.url, **view(1280)) as page:
        go(page, 502)
        page.see("34 failed", within=".ses .nums")
        for place, row, width in (("rail", ".ses .nums", 1280), ("list", ".tb .day td", 390)):
            if place == "list":
                page.page.set_viewport_size({"width": width, "height": 900})
                page.page.goto(f"{page.root}/sessions")
                page.page.locator(row).first.wait_for()
            outside = f"""[...document.querySelectorAll('{row}')].flatMap(row => {{
              const edge = row.getBoundingClientRect().right + 0.5;
              return [...row.children].filter(each => each.getBoundingClientRect().right > edge).map(each => each.textContent);
            }})"""
            assert [] == page.page.evaluate(outside), place


# -- addresses -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", WIDTHS)
def test_a_deep_link_settles_at_its_turn_also_at_that_of_a_sub_agent(browser: Browser, served: StoredPage, width: int) -> None:
    with opened(browser, served.url, **view(width)) as page:
        for turn in (225, 38, 457, 2, LAST - 1, "37 of a sub-agent"):
            call = "" if isinstance(turn, int) else "llm-12345-2faf080-7f00-39"
            go(page, 502, f"?turn=37&row={call}" if call else f"?turn={turn}")
            id = f"row-{call}" if call else f"turn-{turn}"
            page.page.locator(f"[id='{id}'].sel").wait_for()
            top = f"document.getElementById('{id}').getBoundingClientRect().top"
            stands = f"(44 <= {top} && {top} <= 76) || ({AT_THE_END} && {top} < 900)"
            page.has(stands)  # however slowly the turns around it come
            settle(page)
            assert page.page.evaluate(stands), (turn, page.page.evaluate(top))


def test_a_settled_link_leaves_the_scroll_position_to_the_reader(browser: Browser, served: StoredPage) -> None:
    with opened(browser, served.url, **view(1280)) as page:
        go(page, 502, "?turn=225")
        page.page.locator("#turn-225.sel").wait_for()
        settle(page)
        before = page.page.evaluate("scrollY")
        page.page.mouse.move(600, 500)
        page.page.mouse.wheel(0, -3000)
        page.has(f"scrollY < {before} - 2000")
        settle(page)
        assert page.page.evaluate(f"scrollY < {before} - 1000")


@pytest.mark.parametrize("tab", ["conversation", "files"])
def test_a_turn_that_is_not_there_is_said_and_leads_on(browser: Browser, served: StoredPage, tab: str) -> None:
    with opened(browser, served.url, **view(1280)) as page:
        go(page, 83, "?turn=999", tab)
        page.see("There is no turn 999.")
        page.see("The turns of this session are 1 to 79.")
        page.see("Show turn 79").click()
        page.has("location.search === '?turn=79'")
        assert 0 == page.page.get_by_text("There is no turn").count()


def test_turns_have_one_series_of_numbers(browser: Browser, served: StoredPage) -> None:
    with opened(browser, served.url, **view(1920)) as page:
        go(page, 83)
        page.see("79", within="#tab-conversation span")
        page.see("79 turns", within=".step-t")
        page.press("k")
        page.see("turn 79 of 79", within=".step-t")
        page.see("79", within=".turn.sel > .no")
        page.see("79", within=".s-n.here")


def test_a_sub_agent_has_a_chip_in_context_and_turns_of_its_own(browser: Browser, served: StoredPage) -> None:
    with opened(browser, served.url, **view(1280)) as page:
        go(page, 8, tab="context")
        page.see("Context over 8 turns")
        assert 0 == page.page.locator(".whose").count(), "nobody else worked"
        go(page, 502, tab="context")
        chips = page.page.locator(".whose .chip")
        assert ("main 473", 6) == (chips.first.inner_text(), chips.count())
        page.see("3 more turns, beside the conversation: each has a context of its own")
        assert "8 others" == page.page.locator(".whose option").first.inner_text()
        chips.nth(2).click()
        page.see("Context over 2 turns")
        page.see("Turn 2, the fullest")
        for key, turn in (("k", "Turn 1"), ("j", "Turn 2")):  # its own turns, not the main agent's
            page.press(key)
            page.page.wait_for_function(f"() => document.querySelector('.ctx .hh.under h3').textContent === '{turn}'")
        page.has("document.querySelector('.whose [aria-pressed=true]').textContent.startsWith('explore')")
        go(page, 502, f"{page.page.url[page.page.url.index('?') :]}&turn=2", "context")
        page.see("its turn 2", within=".step-t")
        assert 0 == page.page.locator(".s-ring").count(), "turn 2 of the main agent is another one"
        assert 0 == page.page.locator(".ctx td a[href*='/conversation?turn=']").count()


# Collects what a heading reads, and presses a key in the moment in which it reads another text than at first.
ANSWERED = """([selector, key]) => {
  const heading = () => document.querySelector(selector)?.textContent;
  window.read = [heading()];
  new MutationObserver(() => {
    if (heading() === window.read.at(-1) || window.read.push(heading()) !== 2) return;
    document.body.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
  }).observe(document.body, { childList: true, characterData: true, subtree: true });
}"""


@pytest.mark.parametrize(("answer", "read"), [("j", "Turn 8,Turn 7,Turn 8"), ("k", "Turn 8,Turn 7,Turn 6")])
def test_a_key_acts_on_what_is_drawn_at_its_moment(browser: Browser, served: StoredPage, answer: str, read: str) -> None:
    with opened(browser, served.url, **view(1280)) as page:
        go(page, 8, "?turn=8", tab="context")
        page.see("Turn 8", within=".ctx .hh.under h3")
        page.page.evaluate(ANSWERED, [".ctx .hh.under h3", answer])
        page.press("k")
        page.has(f"window.read.join() === '{read}'")


# -- a run that goes on --------------------------------------------------------------------------------------------------


def begin_of(events: list[Event], turns: int) -> list[Event]:
    """Up to the answer of so many calls, before the next one."""
    asked = [at for at, event in enumerate(events) if isinstance(event, HttpRequest)]
    return events[: asked[turns]] if turns < len(asked) else events


def grow(run: Running, turns: int) -> None:
    run.write(output(begin_of(long_session(60), turns)))


def test_a_run_is_followed_unless_one_scrolls_away(browser: Browser) -> None:
    with running(browser) as run:
        grow(run, 30)
        run.shown.has("location.pathname.includes('/long/')")  # the page has gone to the session that got its name
        run.see("turn 30", within=".rail .step")
        run.see("Working on turn 30", within="h1")
        run.see("following the newest", within=".strip")
        run.see("30", within=".s-n.here")
        run.shown.has(NEWEST_IS_HERE)
        run.page.locator("#turn-30").wait_for()
        run.shown.has(AT_THE_END)
        grow(run, 36)
        run.page.locator("#turn-36").wait_for()
        run.shown.has(AT_THE_END)
        run.page.mouse.move(600, 500)
        run.page.mouse.wheel(0, -1500)
        run.see("Follow", within=".follow")
        run.shown.has(NOTHING_LOADS)
        run.shown.drawn()
        read = run.page.evaluate("document.elementFromPoint(600, 500).closest('.turn').id")
        where = f"document.getElementById('{read}').getBoundingClientRect().top"
        before = run.page.evaluate(where)
        grow(run, 45)  # a sub-agent too, whose lane comes above
        run.see("new turn", within=".follow")
        run.page.locator(".sublanes li").wait_for()
        run.shown.drawn()
        assert before == run.page.evaluate(where)
        run.page.locator(".follow").click()
        run.page.locator("#turn-43").wait_for()
        run.shown.has(AT_THE_END)
        run.see("following", within=".foot")
        run.press("k")
        run.see("Follow", within=".follow")


def test_the_strip_of_a_run_waits_to_fold_while_one_points_at_it(browser: Browser) -> None:
    with running(browser) as run:
        run.page.set_viewport_size({"width": 500, "height": 900})
        events = long_session(110)
        run.write(output(begin_of(events, 90)))
        run.shown.has("location.pathname.includes('/long/')")
        run.see("a full bar is", within=".strip")
        run.page.locator(".thread .turn").first.wait_for()
        run.shown.has(f"scrollY > 0 && {AT_THE_END}")  # there is something to scroll away from
        run.page.mouse.move(200, 850)
        run.page.mouse.wheel(0, -100_000)  # so it is followed no longer, and nothing moves
        run.see("Follow", within=".follow")
        run.shown.drawn()
        run.page.locator(".strip .s-bar").nth(3).hover(force=True)
        run.see("turn 4: ", within=".strip .cap")
        run.write(output(events))
        run.see("106", within=".s-n")
        assert "one bar for" not in run.page.locator(".strip").inner_text()
        run.page.mouse.move(200, 850)
        run.see("one bar for 2 turns", within=".strip")
