"""What holds in each view of the page: its numbers are the reports', axe finds nothing, ten jobs need no mouse, it prints."""

from __future__ import annotations

import re
import zlib
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from agentsight_rx.llm.prices import Prices
from agentsight_rx.runtime.recording.deciding import Deciding
from agentsight_rx.runtime.recording.price_file import load_prices
from agentsight_rx.runtime.recording.seen_file import SeenFile
from agentsight_rx.runtime.web import StoredPage
from agentsight_rx.store.words import amount, count, data_size, end_said, money, percent, took
from tests.browser.browsing import Shown, opened, problems
from tests.browser.page_runs import serving
from tests.browser.test_page_sizes import drawn_texts, go
from tests.browser.views import OVERALL, THEMES, WIDTHS, go_to, session_views, sessions_of
from tests.view.page.recordings import RECORDINGS
from tests.view.page.story import SESSION, long_session, recorded
from tests.view.page.test_numbers_of_reports import Both, Said, asked_tokens, lasted

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

ROWS = "[...document.querySelectorAll('main tr, main [role=row]')].map(each => each.innerText)"
FACTS = "[...document.querySelectorAll('.facts > div')].map(each => each.innerText)"
HEADERS = "[...document.querySelectorAll('.page > ol > .turn')].map(each => [each.id, each.querySelector('header').innerText])"


class Shelf:
    """The recordings of all kinds on one page, and what the reports say of their sessions."""

    def __init__(self, folder: Path, prices: Prices) -> None:
        self.paths = [made(folder / f"{name}.lmdb") for name, made in RECORDINGS.items()]
        self.said: dict[str, Said] = {}
        for path in self.paths:
            both = Both(path.stem, path, prices)
            for row in both.get("sessions")["sessions"]:
                self.said[row["id"]] = Said(both, row["id"])
                for words in ("network", "context"):  # asked now: a store that is served is open already
                    self.said[row["id"]].ask(words)
            both.close()


@pytest.fixture(scope="module")
def prices() -> Prices:
    return load_prices(None)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory, prices: Prices) -> Shelf:
    return Shelf(tmp_path_factory.mktemp("laws"), prices)


@pytest.fixture(scope="module")
def served(shelf: Shelf, prices: Prices, tmp_path_factory: pytest.TempPathFactory) -> Generator[StoredPage]:
    deciding = Deciding(SeenFile(tmp_path_factory.mktemp("decided") / "seen.jsonl"))
    with serving(lambda: shelf.paths, prices, deciding) as page:
        yield page


# -- numbers -------------------------------------------------------------------------------------------------------------


def facts(said: Said) -> dict[str, str]:
    summary = said.summary
    known = summary["asked_tokens"] or summary["output_tokens"]
    left, usd = said.left(), summary["cost"]["usd"]
    return {
        "Model calls": count(summary["calls"]),
        "Tokens in": amount(summary["asked_tokens"]) if known else "?",
        "Tokens out": amount(summary["output_tokens"]) if known else "?",
        "Cost": "?" if usd is None else money(usd),
        "Context left": "?" if left is None else percent(left),
    }


def turn_words(call: Any) -> Iterator[str]:
    yield took(lasted(call))
    tokens = asked_tokens(call)
    if tokens:
        yield f"{amount(tokens)} in"
        yield f"{amount(call['output_tokens'])} out"
    if call["cache_read_tokens"]:
        yield f"{amount(call['cache_read_tokens'])} cached"
    if call["cost_usd"]:
        yield money(call["cost_usd"])


def row_words(said: Said, tab: str) -> Iterator[tuple[str, list[str]]]:
    """What names a row of a tab, and the numbers that stand in it."""
    if tab == "processes":
        for row in said.processes:
            yield f"{row['pid']}\n", [took(row["duration_ms"]), end_said(row["exit_code"], row["signal"]) or "no end seen"]
    elif tab == "network":
        for row in said.ask("network"):
            if row["kind"] == "unread":
                yield f"{row['comm']} {row['pid']}", [count(row["connections"]), data_size(row["bytes"])]
                continue
            name = row["peer"] if row["kind"] == "peer" else f"{row['scheme']}://{row['host']}"
            sizes = [row["sent_bytes"], row["received_bytes"]]
            yield name, [count(row["count"]), *("?" if each is None else data_size(each) if each else "0" for each in sizes)]
    elif tab == "files":
        for row in said.files:
            if row["kind"] == "written":
                yield f"{row['path'].rpartition('/')[2]}", [data_size(row["written_bytes"])]


def lines_of(row: str) -> list[str]:
    return [part.strip() for part in re.split(r"[\n\t]", row)]


def test_what_is_read_on_the_first_screen_of_each_view_is_what_reports_say(
    browser: Browser, served: StoredPage, shelf: Shelf
) -> None:
    with opened(browser, served.url) as page:
        seen = 0
        for recording, id in sessions_of(served):
            said, place = shelf.said[id], f"/s/{recording}/{id}"
            go_to(page, f"{place}/conversation")
            page.page.locator(".turn").first.wait_for(state="attached")
            shown = dict(each.split("\n")[:2] for each in page.page.evaluate(FACTS) if "\n" in each)
            wanted = facts(said)
            assert wanted == {name: shown.get(name) for name in wanted}, id
            turns = {f"turn-{call['turn']}": call for call in said.main}
            for turn, header in page.page.evaluate(HEADERS):
                lacks = [word for word in turn_words(turns[turn]) if word not in lines_of(header)]
                assert [] == lacks, (id, turn, header)
                seen += 1
            for tab in ("processes", "files", "network"):
                go_to(page, f"{place}/{tab}")
                rows = page.page.evaluate(ROWS)
                for name, words in row_words(said, tab):
                    row = next((row for row in rows if name in row), None)
                    assert row is not None, (id, tab, name, rows)
                    lacks = [word for word in words if not any(part.startswith(word) for part in lines_of(row))]
                    assert [] == lacks, (id, tab, row)
                    seen += 1
            go_to(page, f"{place}/health")
            page.see(NUMBERS[said.health["missing"]], within=".whole")
        assert seen > 60
        go_to(page, "/sessions")
        rows = page.page.evaluate(ROWS)
        for said in shelf.said.values():
            usd = said.summary["cost"]["usd"]
            words = [amount(said.row["total_tokens"]), "?" if usd is None else money(usd)]
            title = said.row["title"][:40]
            assert any(title in row and all(word in lines_of(row) for word in words) for row in rows), (title, words, rows)


NUMBERS: dict[int, str | re.Pattern[str]] = {
    0: re.compile("Nothing is missing|No loss was noted|From the agent's own file"),
    1: "One thing is missing.",
    2: "Two things are missing.",
    3: "Three things are missing.",
}


# -- for everyone --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_no_view_breaks_a_rule_of_accessibility(browser: Browser, served: StoredPage, width: int, theme: Any) -> None:
    with opened(browser, served.url, viewport={"width": width, "height": 900}, color_scheme=theme) as page:
        views = list(OVERALL.items())
        for recording, id in sessions_of(served):
            if recording in ("parcel", "troubled", "past"):
                views += [(f"{recording} {name}", address) for name, address in session_views(served, recording, id)]
        wrong: list[str] = []
        for name, address in views:
            go_to(page, address)
            wrong += [f"{name}: {each}" for each in problems(page.page)]
            headings = page.page.locator("h1").count()
            wrong += [] if headings == 1 else [f"{name}: {headings} headings of the first level"]
            if page.page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                wrong.append(f"{name}: the page scrolls sideways")
        assert [] == wrong


# -- without a mouse -----------------------------------------------------------------------------------------------------


class NoMouse:
    """A page of which only the keyboard is touched."""

    def __init__(self, page: Shown) -> None:
        self.page = page
        self.see, self.has = page.see, page.has

    def keys(self, *keys: str) -> None:
        for key in keys:
            self.page.press(key)

    def types(self, text: str) -> None:
        self.page.page.keyboard.type(text)

    def tabs_to(self, name: str, *, most: int = 120) -> None:
        """By the key Tab, until what has this name has the focus; what has it can be seen."""
        named = (
            "document.activeElement && (document.activeElement.getAttribute('aria-label') || document.activeElement.innerText)"
        )
        for _ in range(most):
            self.page.press("Tab")
            if re.search(name, self.page.page.evaluate(named) or ""):
                ring = self.page.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
                assert ring != "none", f"the focus on {name} is not seen"
                return
        raise AssertionError(f"{name} is never reached")


def _finds_a_command(user: NoMouse) -> None:
    user.keys("/")
    user.types("quantize")
    user.see("quantize", within="dialog")
    user.has("document.querySelector('dialog .hit, dialog [role=option], dialog li, dialog a') !== null")
    user.keys("ArrowDown", "ArrowUp", "Enter")
    user.has("location.search.includes('turn=') && !location.search.includes('find')")


def _goes_to_the_failure(user: NoMouse) -> None:
    user.keys("n")
    user.has("location.search.includes('turn=')")
    user.see(re.compile("exit 1|exit 2|HTTP"), within=".turn.sel")


def _opens_what_a_tool_ran(user: NoMouse) -> None:
    user.keys("j", "j", "o")  # turn 4, whose tool is folded
    user.has("document.querySelector('.turn.sel details.tool[open]') !== null")


def _sees_the_files(user: NoMouse) -> None:
    user.keys("4")
    user.see("invoice.py", within="table")


def _reads_a_whole_call(user: NoMouse) -> None:
    user.keys("1", "w")
    user.has("location.search.includes('call=')")
    user.see("claude-sonnet-4-5", within="dialog")
    user.keys("Escape")
    user.has("!location.search.includes('call=')")


def _compares_with_the_request_before(user: NoMouse) -> None:
    user.keys("d")
    user.has("location.search.includes('diff=')")
    user.has("document.querySelector('dialog') !== null")
    user.keys("Escape")
    user.has("!location.search.includes('diff=')")


def _sees_what_fills_the_context(user: NoMouse) -> None:
    user.keys("c")
    user.see("are filled", within="main")


def _sees_what_is_missing(user: NoMouse) -> None:
    user.keys("9")
    user.see("codex 12612 could not be read", within="main")


def _saves_the_session(user: NoMouse) -> None:
    user.keys("e")
    user.see("This view, JSON", within="dialog")
    user.tabs_to("CSV")
    user.keys("Enter")
    user.tabs_to(r"^Save \w+\.csv")
    with user.page.page.expect_download() as saved:
        user.keys("Enter")
    assert saved.value.suggested_filename.endswith(".csv")
    user.keys("Escape")
    user.has("document.querySelector('dialog') === null")


def _compares_two_sessions(user: NoMouse) -> None:
    user.page.page.goto(f"{user.page.root}/sessions")
    user.see("sessions", within="h1")
    user.has("document.querySelectorAll('.tb .row').length > 2")
    user.keys("j", "x", "j", "x")
    user.has("document.querySelectorAll('.pick.on').length === 2")
    user.keys("c")
    user.has("location.pathname.startsWith('/compare/')")
    user.see("turn", within="h1")


JOBS = (
    _finds_a_command,
    _goes_to_the_failure,
    _opens_what_a_tool_ran,
    _sees_the_files,
    _reads_a_whole_call,
    _compares_with_the_request_before,
    _sees_what_fills_the_context,
    _sees_what_is_missing,
    _saves_the_session,
    _compares_two_sessions,
)


@pytest.fixture(scope="module")
def without_mouse(browser: Browser, served: StoredPage) -> Generator[Shown]:
    """One page for all jobs, each of which begins at the same place."""
    with opened(browser, served.url) as page:
        yield page


@pytest.mark.parametrize("job", JOBS, ids=[job.__name__.strip("_") for job in JOBS])
def test_a_job_is_done_by_the_keyboard_alone(without_mouse: Shown, job: Any) -> None:
    page = without_mouse
    go_to(page, f"/s/parcel/{SESSION}/conversation")
    page.see("I will look for every place", within="#turn-1")
    page.page.evaluate(
        "for (const name of ['mousedown', 'click']) addEventListener(name, e => e.detail && (window.mouse = true), true)"
    )
    job(NoMouse(page))
    assert not page.page.evaluate("window.mouse")


def test_the_manual_has_these_jobs() -> None:
    listed = re.findall(r"^\| ([a-z ]+) \| .+ \|$", (Path(__file__).parents[2] / "docs/page.md").read_text(), re.MULTILINE)
    assert set(listed) >= {job.__name__.strip("_").replace("_", " ") for job in JOBS}


# -- on paper ------------------------------------------------------------------------------------------------------------


def drawn_colours(pdf: bytes) -> set[tuple[int, int, int]]:
    """The colours that are filled on any sheet."""
    found: set[tuple[int, int, int]] = set()
    for stream in re.findall(rb"/FlateDecode.*?stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL):
        try:
            text = zlib.decompress(stream)
        except zlib.error:
            continue
        for each in re.findall(rb"([\d.]+) ([\d.]+) ([\d.]+) rg\b", text):
            red, green, blue = (round(float(part) * 255) for part in each)
            found.add((red, green, blue))
    return found


def test_84_turns_are_printed_without_a_blank_sheet_and_with_their_colours_and_bars(
    browser: Browser, prices: Prices, tmp_path: Path
) -> None:
    path = recorded(tmp_path / "of84.lmdb", long_session(84))
    with serving(lambda: [path], prices) as served, opened(browser, served.url, color_scheme="dark") as page:
        go(page, 84)
        page.page.evaluate("window.print = () => { window.printed = document.documentElement.dataset.theme; }")
        page.press("Control+p")
        page.has("window.printed === 'light'")
        colours = page.page.evaluate(
            """['--bad', '--accent', '--bar', '--gap-mark'].map(name => {
              const of = getComputedStyle(document.documentElement).getPropertyValue(name).trim().slice(1);
              const six = of.length === 3 ? [...of].map(each => each + each).join('') : of;
              return [0, 2, 4].map(at => parseInt(six.slice(at, at + 2), 16));
            })"""
        )
        page.page.emulate_media(media="print")
        bars = page.page.evaluate("[...document.querySelectorAll('.s-bar')].map(each => each.getBoundingClientRect().height)")
        assert 20 < len(bars)
        assert min(bars) > 0
        pdf = page.page.pdf()
        texts = drawn_texts(pdf)
        assert len(texts) > 5
        assert min(texts) > 20
        found = drawn_colours(pdf)
        assert {tuple(each) for each in colours} <= found, (colours, sorted(found))
