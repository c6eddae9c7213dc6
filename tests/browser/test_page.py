"""The page in a real browser: every view and key, both themes, narrow and wide, a run that goes on, and all content as text."""

from __future__ import annotations

import datetime
import re
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from agentsight_rx.cli import app
from agentsight_rx.events.loss import Reason
from agentsight_rx.llm.prices import Prices
from agentsight_rx.runtime.web import StoredPage
from agentsight_rx.runtime.web.app import bundle, single_file
from agentsight_rx.view import CallRow, ProcessRow, SessionRow, TlsUseRow, ToolRow
from agentsight_rx.view.page import Picture, embedded
from tests.browser.browsing import NARROW, TABS, WIDE, opened, problems
from tests.browser.page_runs import running, serving
from tests.view.page.story import HOSTILE, SESSION, Story, output, parcel, recorded, stored

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Route

# What each tab of the long story shows
IN_TABS = {
    "conversation": "Invoice totals",
    "timeline": "model",
    "processes": "pytest -q tests/test_rounding.py",
    "files": "invoice.py",
    "network": "api.anthropic.com",
    "mcp": "No MCP request was seen",
    "http": "/v1/messages",
    "log": "claude --dangerously-skip-permissions",
    "health": "codex",
}

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recordings, the newer one the long story."""
    folder = tmp_path_factory.mktemp("stores")
    small = Story(session="s-small", begin_ms=1_795_700_000_000)
    small.ask(ms=900, prompt="Rename the parcel to a shipment", says="Done.")
    recorded(folder / "older.lmdb", small.events)
    recorded(folder / "parcel.lmdb", parcel())
    return folder


@pytest.fixture(scope="module")
def served(stores: Path) -> Generator[StoredPage]:
    def paths() -> list[Path]:
        return [path for name in ("older", "parcel") if (path := stores / f"{name}.lmdb").exists()]

    with serving(paths, Prices(today=datetime.date(2026, 11, 27))) as page:
        yield page


# -- recordings ----------------------------------------------------------------------------------------------------------


def test_the_newest_session_is_open_at_once_and_the_token_leaves_the_address(browser: Browser, served: StoredPage) -> None:
    with opened(browser, served.url) as page:
        page.see("Edited 3 files", within="h1")
        assert f"{page.root}/s/parcel/{SESSION}/conversation" == page.page.url
        assert 2 == page.page.locator(".ses").count()
        page.see("codex 12612 could not be read", within=".whole")
        page.see("Same command, same result", within=".side")
        page.page.reload()
        page.see("Edited 3 files", within="h1")


def test_opening_a_session_asks_for_its_head_once(browser: Browser, served: StoredPage) -> None:
    with opened(browser, served.url) as page:
        page.see("Edited 3 files", within="h1")
        asked: list[str] = []
        page.page.on("request", lambda request: asked.append(request.url.partition("/api/v1/")[2]))
        page.page.clock.install()
        with page.page.expect_response(re.compile("/live")):
            page.page.goto(f"{page.root}/s/parcel/{SESSION}/conversation")
        page.see("I will look for every place that rounds money", within="#turn-1")
        page.page.clock.run_for(5000)  # what the page would ask again after its first news of changes, it has asked by then
        page.page.locator("#tab-files").click()
        page.see("invoice.py", within="table")
        assert [f"r/parcel/session/{SESSION}"] == [each for each in asked if each.partition("?")[0].endswith(SESSION)]


def test_a_session_that_is_opened_while_another_one_loads_shows_its_turns(browser: Browser, served: StoredPage) -> None:
    """So is a run whose first call comes while the page asks for the turns of a run without a session."""
    with opened(browser, served.url) as page:
        page.see("Edited 3 files", within="h1")
        held: list[Route] = []
        page.page.route(re.compile(rf"/session/{SESSION}/turns"), lambda route: held.append(route))
        with page.page.expect_request(re.compile("/turns")):
            page.page.reload()
        page.page.locator(".ses", has_text="Rename the parcel").click()
        page.see("Rename the parcel to a shipment", within="#turn-1")
        for route in held:
            route.continue_()
        page.settled()
        page.see("Rename the parcel to a shipment", within="#turn-1")
        page.page.unroute_all(behavior="wait")


def test_turns_that_could_not_be_read_are_asked_for_again(browser: Browser, served: StoredPage) -> None:
    with opened(browser, served.url) as page:
        page.see("Edited 3 files", within="h1")
        broken: list[Route] = []

        def answer(route: Route) -> None:
            broken.append(route)
            if len(broken) > 1:
                route.continue_()
            else:
                route.abort()

        page.page.route(re.compile("/turns"), answer)
        page.page.reload()
        page.see("I will look for every place that rounds money", within="#turn-1")
        page.page.unroute_all(behavior="wait")
        page.wrong = [each for each in page.wrong if "ERR_FAILED" not in each]


def test_a_turn_shows_what_really_ran(browser: Browser, served: StoredPage) -> None:
    with opened(browser, served.url) as page:
        page.open("conversation", "?turn=3")
        turn = page.page.locator("#turn-3")
        turn.get_by_text("exit 1", exact=True).wait_for()
        turn.get_by_text("/bin/bash -c 'pytest -q tests/test_rounding.py'").wait_for()
        turn.get_by_text("exit 1, 6.1 s, 3.0 s CPU, 181.0 MB").wait_for()
        turn.get_by_text("1 failed, 8 passed in 5.9 s").wait_for()
        page.page.locator("#turn-1 details.sub summary").first.click()
        page.see("rg -n 'quantize|round\\(' src", within="#turn-1 .sub")
        page.see("Part of the answer is missing", within="#turn-9")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
def test_every_view_fits_is_accessible_and_has_no_error(
    browser: Browser, served: StoredPage, *, theme: Any, viewport: Any
) -> None:
    with opened(browser, served.url, viewport=viewport, color_scheme=theme) as page:
        page.see("Edited 3 files", within="h1")
        views = [(tab, tab, "") for tab in TABS]
        views += [(name, "conversation", f"?{query}") for name, query in (("find", "find=pytest"), ("keys", "keys="))]
        views.append(("diff", "conversation", "?turn=6&diff=..llm-12345-2faf080-7f00-8"))
        views += [(name, "conversation", f"?{name}=llm-12345-2faf080-7f00-11") for name in ("call", "raw")]
        for name, tab, query in views:
            page.open(tab, query)
            page.settled()
            assert viewport["width"] == page.page.evaluate("document.documentElement.scrollWidth"), f"{name} scrolls sideways"
            assert [] == problems(page.page), name


def test_only_what_matters_is_shown_and_equal_failures_are_stepped_through(browser: Browser, served: StoredPage) -> None:
    with opened(browser, served.url) as page:
        page.open("conversation", "?only=failed")
        turns = ".thread .page.one"
        page.has(f"document.querySelectorAll('{turns}').length === 6")
        page.see("6 of 12 turns", within=".step-t")
        page.see("6 turns are dimmed", within=".strip")
        assert 6 == page.page.locator(".s-bar.dim").count()
        page.page.get_by_role("button", name="turns 1 to 2, nothing failed").click()
        page.has(f"document.querySelectorAll('{turns}').length === 8")
        page.page.get_by_role("button", name="Step through").click()
        page.page.get_by_role("button", name="The next one").click()
        page.has("location.search.includes('turn=6')")
        page.see("2 of 3", within=".errs")
        page.press("j")
        page.see("failed 4 of 6", within=".step-t")
        assert [] == problems(page.page)
        page.press("x")
        page.has("location.search === '?only=gaps'")
        page.page.get_by_role("button", name="All 12").click()
        page.has("location.search === ''")


def test_every_key_does_what_the_list_of_keys_says(browser: Browser, served: StoredPage) -> None:
    with opened(browser, served.url) as page:
        page.see("Edited 3 files", within="h1")
        for number, tab in enumerate(TABS, 1):
            page.press(str(number))
            page.has(f"location.pathname.endsWith('/{tab}')")
        page.press("1")
        page.press("j")
        page.has("location.search === '?turn=1'")
        page.press("j")
        page.has("location.search === '?turn=2'")
        page.press("k")
        page.has("location.search === '?turn=1'")
        page.press("n")
        page.has("location.search === '?turn=3'")
        page.press("N")
        page.has("location.search === '?turn=3'")
        page.press("o")
        page.press("d")
        page.see("messages 1 to", within="dialog")
        page.press("Escape")
        page.has("!document.querySelector('dialog')")
        page.press("w")
        page.see("parameters", within="dialog")
        page.press("Escape")
        page.press("Escape")
        page.has("location.search === ''")
        page.press("?")
        page.see("search everything", within="dialog")
        page.press("Escape")
        before = page.page.evaluate("document.documentElement.dataset.theme")
        page.press("t")
        page.has(f"document.documentElement.dataset.theme !== '{before}'")
        page.press("2")
        page.page.locator("canvas").first.wait_for()
        page.press("+")
        page.has("location.search.includes('to=')")
        page.press("0")
        page.has("location.search === ''")
        page.press(" ")
        page.page.get_by_label("Pause").wait_for()
        page.press(" ")
        page.press("]")
        page.has("location.pathname.includes('/older/')")
        page.press("[")
        page.has("location.pathname.includes('/parcel/')")
        page.press("1")
        page.press("e")
        with page.page.expect_download() as saved:
            page.page.get_by_role("button", name="This view, JSON").click()
        assert saved.value.suggested_filename.endswith("-conversation.json")
        page.press("e")
        page.page.get_by_role("button", name="CSV").click()
        page.see("--table calls -o calls.csv", within="dialog")
        with page.page.expect_download() as saved:
            page.page.get_by_role("button", name="Save calls.csv").click()
        assert saved.value.path().read_text("utf-8").startswith("id,")
        page.see("saved, ", within="dialog")
        page.press("Escape")


def test_a_key_that_is_pressed_before_the_browser_has_gone_back_acts_then(browser: Browser, served: StoredPage) -> None:
    with opened(browser, served.url) as page:
        page.see("Edited 3 files", within="h1")
        page.page.evaluate("() => { const back = history.back.bind(history); history.back = () => setTimeout(back, 300); }")
        page.press("?")
        page.see("search everything", within="dialog")
        page.press("Escape")
        page.press("2")
        page.press("?")
        page.press("Escape")
        page.press("3")
        page.has("location.pathname.endsWith('/processes') && location.search === '' && !document.querySelector('dialog')")


def test_search_looks_through_all_recordings_and_opens_what_it_finds(browser: Browser, served: StoredPage) -> None:
    with opened(browser, served.url) as page:
        page.see("Edited 3 files", within="h1")
        page.press("Control+k")
        page.page.get_by_role("combobox").fill("shipment")
        page.see("Rename the parcel to a", within="[role=listbox]")
        page.press("Enter")
        page.has("location.pathname.startsWith('/s/older/s-small/')")
        page.see("Answered 1 prompt, changed nothing.", within="h1")
        page.page.go_back()
        page.page.go_back()
        page.has("location.pathname.startsWith('/s/parcel/')")


def test_search_finds_and_marks_parts_of_words_in_results_of_tools(browser: Browser, served: StoredPage) -> None:
    with opened(browser, served.url) as page:
        page.see("Edited 3 files", within="h1")
        page.press("Control+k")
        page.page.get_by_role("combobox").fill('assed "1 failed, 8"')
        hit = page.page.get_by_role("group", name="Results of tools").get_by_role("option").first
        hit.locator("mark", has_text="1 failed, 8").wait_for()
        page.see("2 of 2 recordings searched", within="dialog")
        hit.click()
        page.see("1 failed, 8 passed in 5.9 s", within="details[open].tool")


def test_keys_do_nothing_while_a_field_has_the_focus(browser: Browser, served: StoredPage) -> None:
    with opened(browser, served.url) as page:
        page.open("files")
        page.page.get_by_placeholder("Filter files").fill("invoice 2 t d")
        page.has("location.pathname.endsWith('/files')")
        page.page.get_by_placeholder("Filter files").fill("invoice")
        page.has("document.querySelectorAll('tbody tr:not(.fo)').length === 1")


def test_files_that_changed_come_first_and_one_opens_what_was_written(browser: Browser, served: StoredPage) -> None:
    with opened(browser, served.url, viewport={"width": 1440, "height": 900}) as page:
        page.open("files")
        page.see("4 written, 1 removed", within=".sum")
        page.see("in 2 turns", within=".sum")
        row = page.page.locator("tr", has_text="invoice.py")
        assert "+1 −1" == row.locator(".ln").inner_text()
        row.get_by_role("button", name="invoice.py", exact=True).click()
        assert ("round", "exact") == tuple(page.page.locator(f".panel {each}").inner_text() for each in ("del", "ins"))
        assert [] == problems(page.page)
        page.page.get_by_role("button", name="Content").click()
        page.see("so it is not known", within=".panel")
        page.press("Escape")
        page.has("!document.querySelector('.panel')")
        page.page.get_by_role("button", name="src/billing/").click()
        page.see("2 files", within=".fo")
        page.page.get_by_role("button", name="by turn").click()
        page.see("turn 4", within=".fo")


def test_how_long_tools_took_leads_to_the_slowest_and_a_turn_to_scale(browser: Browser, served: StoredPage) -> None:
    with opened(browser, served.url) as page:
        page.see("a tool", within=".lat").click()
        page.has("location.search === '?of=latency'")
        page.see("No first word was seen.", within=".pane")
        page.page.locator(".pane tbody tr").first.get_by_role("button").click()
        page.see("to scale", within=".fall")
        assert page.page.locator(".fall .track i").count() > 1
        assert [] == problems(page.page)
        page.page.get_by_role("button", name="Lanes").click()
        page.page.locator("canvas").first.wait_for()


def test_an_exchange_is_shown_as_it_was_sent_with_what_sends_it_again(browser: Browser, served: StoredPage) -> None:
    with opened(browser, served.url, permissions=["clipboard-read", "clipboard-write"]) as page:
        page.see("Edited 3 files", within="h1")
        page.page.locator("#turn-9").get_by_role("link", name="Raw").click()
        page.see("The response ends early.", within=".raw")
        page.has("!document.querySelector('.side details').open && !document.querySelector('.facts')")  # the page has less room
        page.see("api.anthropic.com/v1/messages", within=".raw")
        page.see('"stop_reason": "end_turn"', within=".raw")
        page.page.get_by_role("button", name="Copy as curl").click()
        page.see("copied", within=".raw")
        assert "--data-binary @call-9.json" in page.page.evaluate("navigator.clipboard.readText()")
        page.page.locator(".raw").get_by_role("button", name="Request", exact=True).click()
        page.has("location.search.includes('part=request')")
        page.see("x-claude-code-session-id", within=".raw")
        page.page.locator(".raw h2").click()
        page.press(".")
        page.see("Turn 10, as it was sent", within=".raw")
        page.press("Escape")
        page.has("!document.querySelector('.raw') && !location.search.includes('raw')")


def test_a_rule_in_the_log_says_what_is_shown_and_a_wrong_one_why(browser: Browser, served: StoredPage) -> None:
    with opened(browser, served.url) as page:
        page.open("log")
        page.see("claude --dangerously-skip-permissions", within=".log")
        field = page.page.locator("#rule")
        field.fill("request.method=POST")
        field.press("Enter")
        page.has("document.querySelectorAll('.ll').length === 14")
        page.page.locator(".ll button").first.click()
        page.see('"event_type": "http_request"', within=".event")
        page.wrong.clear()
        field.fill("request.method>3")
        field.press("Enter")
        page.page.get_by_role("alert").wait_for()
        page.wrong.clear()  # the browser logs the 400 too


def test_an_address_that_is_not_there_says_so_and_leads_on(browser: Browser, served: StoredPage) -> None:
    with opened(browser, served.url) as page:
        page.see("Edited 3 files", within="h1")
        page.page.goto(f"{page.root}/s/parcel/nothing/files")
        page.see("It is not here").wait_for()
        page.see("Show the newest session").click()
        page.see("Edited 3 files", within="h1")
        page.wrong.clear()  # the browser logs each 404


def test_without_the_token_the_page_says_what_to_do(browser: Browser, served: StoredPage) -> None:
    with opened(browser, served.url.partition("#")[0]) as page:
        page.see("This page needs its token")
        page.wrong.clear()
        page.page.goto(served.url)  # in the same tab only the fragment changes
        page.see("Edited 3 files", within="h1")
        assert "token" not in page.page.url


def test_after_a_restart_the_page_keeps_what_it_shows_and_goes_on_with_the_new_address(
    browser: Browser, tmp_path: Path
) -> None:
    path = recorded(tmp_path / "parcel.lmdb", parcel())
    with serving(lambda: [path]) as first, opened(browser, first.url) as page:
        page.see("I will look for every place that rounds money", within="#turn-1")
        port = int(page.root.rpartition(":")[2])
        first.close()
        page.see("Not connected")
        with serving(lambda: [path], port=port) as second:
            page.see("The recorder was restarted with a new key. Open it again:", within=".locked")
            page.see("I will look for every place that rounds money", within="#turn-1")
            field = page.page.locator(".locked input")
            field.fill("http://127.0.0.1/")
            page.see("This address has no token", within=".locked")
            field.fill(second.url)
            page.has("!document.querySelector('.banner')")
            assert f"{page.root}/s/parcel/{SESSION}/conversation" == page.page.url
            page.page.locator("#tab-files").click()
            page.see("invoice.py", within="table")
        page.wrong.clear()  # the browser logs each 401, and each question to the server that was gone


def test_on_a_narrow_screen_the_rail_is_a_drawer(browser: Browser, served: StoredPage) -> None:
    with opened(browser, served.url, viewport=NARROW) as page:
        page.see("Edited 3 files", within="h1")
        assert not page.page.locator(".rail").is_visible()
        page.page.get_by_role("button", name="Sessions").click()
        page.see("Rename the parcel", within=".rail").click()
        page.has("location.pathname.startsWith('/s/older/')")
        assert not page.page.locator(".rail").is_visible()


def test_a_recording_that_vanishes_is_said_and_comes_back(browser: Browser, tmp_path: Path) -> None:
    path = recorded(tmp_path / "only.lmdb", parcel())
    with serving(lambda: [path]) as served, opened(browser, served.url) as page:
        page.see("Edited 3 files", within="h1")
        path.rename(tmp_path / "away")
        page.see("The recording cannot be read.", within="[role=alert]")
        page.see("Edited 3 files", within="h1")
        (tmp_path / "away").rename(path)
        page.has("!document.querySelector('.banner')")
        page.wrong.clear()  # the browser logs each 503


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The session in one file, as the command makes it; a recording of its own, since one process opens each once."""
    store = recorded(tmp_path_factory.mktemp("exported") / "parcel.lmdb", parcel())
    file = store.with_name("session.html")
    CliRunner().invoke(app, ["report", "export", "--db", str(store), "-o", str(file)], catch_exceptions=False)
    return file


@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
def test_a_session_in_one_file_shows_every_tab_with_the_network_off(browser: Browser, exported: Path, viewport: Any) -> None:
    with opened(browser, exported.as_uri(), offline=True, viewport=viewport) as page:
        page.see("Edited 3 files", within="h1")
        page.see("I will look for every place that rounds money", within="#turn-1")
        for tab, text in IN_TABS.items():
            page.page.locator(f"#tab-{tab}").click()
            page.settled()
            page.see(text, within=".pane")
            assert 0 == page.page.get_by_role("alert").count(), tab
            assert viewport["width"] == page.page.evaluate("document.documentElement.scrollWidth"), f"{tab} scrolls sideways"
            assert [] == problems(page.page), tab
        page.page.locator("#tab-timeline").click()
        page.page.locator("canvas").first.wait_for()
        page.press("+")
        page.has("location.hash.includes('to=')")
        page.page.go_back()
        page.has("location.hash.startsWith('#/s/parcel/')")


def test_bytes_that_were_not_measured_are_no_zero_and_no_empty_cell(browser: Browser, exported: Path) -> None:
    with opened(browser, exported.as_uri(), offline=True, viewport=WIDE) as page:
        page.page.locator("#tab-network").click()
        rows = page.page.locator(".pane tr")
        sent, received = 4, 5  # columns
        connected = rows.filter(has_text="160.79.104.10:443").locator("td")
        assert ["?", "?"] == [connected.nth(each).inner_text() for each in (sent, received)]
        cells = rows.locator("td.n").all_inner_texts()
        assert "0" in cells
        page.page.locator("#tab-http").click()
        rows.nth(1).wait_for()
        for row in rows.filter(has=page.page.locator("td")).all():
            assert all(cell.inner_text() for cell in row.locator("td").all()[sent + 1 : received + 2])


def test_texts_diffs_rules_and_search_of_a_session_in_one_file_need_no_server(browser: Browser, exported: Path) -> None:
    with opened(browser, exported.as_uri(), offline=True) as page:
        page.see("Edited 3 files", within="h1")
        root = page.page.url.partition("#")[0]
        page.page.goto(f"{root}#/s/parcel/{SESSION}/conversation?turn=6")
        page.see("Edited 3 files", within="h1")
        page.press("d")
        page.see("messages 1 to", within="dialog")
        page.page.locator("dialog .role").first.wait_for()
        page.press("Escape")
        page.has("!document.querySelector('dialog')")
        page.press("w")
        page.see("parameters", within="dialog")
        page.page.locator("dialog .sent summary").click()
        page.see("message 1", within="dialog")
        page.press("Escape")
        page.has("!document.querySelector('dialog')")
        page.press("Control+k")
        page.page.get_by_role("combobox").fill("pytest rounding")
        page.see("Commands", within="[role=listbox]")
        page.press("Enter")
        page.has("location.hash.includes('turn=')")
        page.page.locator("#tab-log").click()
        field = page.page.locator("#rule")
        field.fill("source=file invoice")
        field.press("Enter")
        page.has("document.querySelectorAll('.ll').length === 2")
        page.page.locator(".ll button").first.click()
        page.see('"event": "FILE_OPEN"', within=".event")
        field.fill("request.method=POST")
        field.press("Enter")
        page.see("in a file only source=", within="[role=alert]")


def test_hostile_text_in_one_file_is_shown_as_text(browser: Browser, tmp_path: Path) -> None:
    story = Story()
    bad = HOSTILE + "</script><script>window.fooled = 1</script><!--\u2028\u2029"
    (tool,) = story.ask(ms=100, prompt=bad, says=bad, thinks=bad, tools=[("Bash", {"command": bad})])
    story.ask(ms=100, results=[(tool, bad, False)], says=bad)
    recorded(tmp_path / "x.lmdb", story.events)
    file = tmp_path / "x.html"
    CliRunner().invoke(app, ["report", "export", "--db", str(tmp_path / "x.lmdb"), "-o", str(file)], catch_exceptions=False)
    with opened(browser, file.as_uri(), offline=True) as page:
        page.see("<script>window.fooled = 1</script>", within=".prompt")
        for tab in TABS:
            page.page.locator(f"#tab-{tab}").click()
            page.settled()
        assert page.page.evaluate("window.fooled === undefined")
        assert 0 == page.page.locator("img").count()
        assert 2 == page.page.locator("script").count()


def test_a_file_that_is_without_a_part_says_so(browser: Browser, tmp_path: Path) -> None:
    built = bundle()
    assert built is not None
    picture = Picture(stored(parcel()), Prices(today=datetime.date(2026, 11, 27)))
    file = tmp_path / "session.html"
    file.write_bytes(single_file(built, embedded(picture, "parcel", SESSION, most=10_000)))
    with opened(browser, file.as_uri(), offline=True) as page:
        page.see("Edited 3 files", within="h1")
        page.see("This file does not contain the whole session.", within=".banner")
        page.page.locator("#turn-1").wait_for()
        page.press("w")
        page.see("this file does not have it", within="[role=alert]")


# -- a run that goes on --------------------------------------------------------------------------------------------------


def test_the_first_minute_shows_what_is_read_then_prompt_answer_and_tool(browser: Browser) -> None:
    with running(browser) as run:
        run.see("no traffic yet")
        run.see("Nothing lost so far.")
        use = TlsUseRow(
            *("use-1", 1000, 12345, "claude", "process-12345-5"),
            path="/usr/bin/claude",
            stack="BoringSSL",
            method="code",
            proven=True,
            connections=3,
            size=900,
        )
        session = SessionRow("s", 1000, agent="claude", pid=12345, comm="claude", title="Count the lines.", calls=1)
        call = CallRow("llm-1", 1000, pid=12345, comm="claude", prompt="Count the lines.", session_id="s", turn=1)
        run.write([use, session, call])
        run.see("reading TLS of claude (12345): proven")
        run.see("Count the lines.", within=".prompt")
        run.see("answering", within=".turn")
        run.write([replace(call, end_timestamp_ms=3000, status="complete", text="I count.", total_tokens=20, output_tokens=20)])
        run.see("I count.", within="#turn-1")
        tool = ToolRow("tool-llm-1-t", 3000, "llm-1", "t", "Bash", input='{"command": "wc -l < f"}', session_id="s")
        run.write([tool])
        run.see("running", within=".tool")
        run.write(
            [replace(tool, status="completed", end_timestamp_ms=3100, duration_ms=100, exit_code=0, output="3", related_pid=43)]
        )
        run.see("exit 0", within=".tool")
        run.write(output(parcel()))
        run.see("Invoice totals are off by one cent", within=".rail")
        run.see("Invoice totals", within=".rail").click()
        run.see("3 files", within="h1")
        assert 0 == run.page.locator("dialog").count()


def test_a_loss_is_shown_at_once(browser: Browser) -> None:
    with running(browser) as run:
        run.see("Nothing lost so far.")
        run.ledger.meter("tls").lose(Reason.KERNEL_LOST, 3, 4096)
        run.write([ProcessRow("process-7", 7, 1, start_timestamp_ms=1, comm="agent", command="agent", argv=("agent",))])
        run.see("One thing is missing.")
        run.page.locator("#tab-health").click()
        run.see("3 records of TLS lost (kernel lost), 4.1 kB")


def test_hostile_text_is_shown_as_text(browser: Browser) -> None:
    with running(browser) as run:
        words = (HOSTILE, "b")
        run.write(
            [
                SessionRow("s", 1, agent=HOSTILE, title=HOSTILE, cwd=HOSTILE, model=HOSTILE, pid=7, comm=HOSTILE),
                CallRow(
                    *("llm-1", 1, 2, 7, HOSTILE, HOSTILE),
                    model=HOSTILE,
                    host=HOSTILE,
                    status="partial",
                    reason=HOSTILE,
                    prompt=HOSTILE,
                    text=HOSTILE * 3,
                    thinking=HOSTILE,
                    session_id="s",
                    turn=1,
                ),
                ToolRow(
                    *("tool-llm-1-t", 1, "llm-1", "t", HOSTILE),
                    input=HOSTILE,
                    output=HOSTILE,
                    status="failed",
                    related_pid=1,
                    related_argv=words,
                    link=HOSTILE,
                    session_id="s",
                ),
                ProcessRow("process-8", 8, argv=words, command=HOSTILE, session_id="s", start_timestamp_ms=1),
            ]
        )
        run.see("\\u202e", within=".prompt")
        run.see("<img src=x", within=".tool")
        for tab in TABS:
            run.page.locator(f"#tab-{tab}").click()
            run.shown.settled()
        assert run.page.evaluate("window.fooled === undefined")
        assert 0 == run.page.locator("img").count()
        assert 1 == run.page.locator("script").count()
