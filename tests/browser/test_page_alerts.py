"""Alerts in a real browser: of a session and of all, from 390 to 1,920 px, seen, allowed, stopped, and as they come."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from agentsight_rx.llm.prices import Prices
from agentsight_rx.policy.rules.guard.file import built_in_rules
from agentsight_rx.runtime.recording.deciding import Deciding
from agentsight_rx.runtime.recording.guard_file import guard_rules
from agentsight_rx.runtime.recording.seen_file import SeenFile
from agentsight_rx.runtime.web import StoredPage
from agentsight_rx.runtime.web.app import bundle, single_file
from agentsight_rx.store.state import LmdbStore
from agentsight_rx.view.page import Picture, embedded
from agentsight_rx.view.page.machine import Watched
from tests import guarded
from tests.browser.browsing import Shown, opened, problems
from tests.browser.page_runs import running, serving
from tests.view.page.alert_story import alerts_on, hostile_alert, long_with_alerts, written
from tests.view.page.story import SESSION, Story, output, parcel, recorded

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

WIDTHS = (390, 768, 1280, 1920)
THEMES = ("light", "dark")
DAY_MS = 86_400_000
# Sentences that are false
WRONG = """() => {
  const wrong = [];
  const wide = document.documentElement.scrollWidth;
  if (wide !== innerWidth) wrong.push(`the page scrolls sideways: ${wide}`);
  const strip = document.querySelector('.strip .plot svg')?.getBoundingClientRect();
  const flags = [...document.querySelectorAll('.s-flag')].map(each => each.querySelector('.cloth').getBoundingClientRect());
  flags.forEach((one, at) => {
    if (one.left < strip.left - 2 || one.right > strip.right + 2) wrong.push(`flag ${at} is outside`);
    if (at && one.left < flags[at - 1].right) wrong.push(`flags ${at - 1} and ${at} touch`);
  });
  for (const word of document.querySelectorAll('.s-word')) {
    const box = word.getBoundingClientRect();
    flags.forEach((one, at) => {
      if (one.left < box.right && one.right > box.left) wrong.push(`flag ${at} is over ${word.textContent}`);
    });
  }
  const small = [...document.querySelectorAll('.fl')].filter(each => each.getBoundingClientRect().width < 8.9);
  if (small.length) wrong.push(`${small.length} flags are too small`);
  for (const each of document.querySelectorAll('.al, .al .body, .chain li, .entry, .waits li, .sessions tbody tr')) {
    if (each.scrollWidth > each.clientWidth + 2 && getComputedStyle(each).overflowX === 'visible')
      wrong.push(`${each.className} ${each.id} holds ${each.scrollWidth} px in ${each.clientWidth}`);
  }
  return wrong;
}"""


def fits(page: Shown, name: str) -> None:
    for width in WIDTHS:
        page.page.set_viewport_size({"width": width, "height": 900})
        page.drawn()
        assert [] == page.page.evaluate(WRONG), (name, width)


# -- a session -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def leaking(tmp_path: Path) -> Generator[tuple[StoredPage, Path]]:
    """A session with two alerts that wait, a note, and a part of another one; the folder of the user."""
    path = guarded.stored(tmp_path / "run.lmdb", guarded.leaking().events, built_in_rules())
    own = tmp_path / "guard.toml"
    deciding = Deciding(SeenFile(tmp_path / "seen.jsonl"), rules=lambda: guard_rules(own=own), place=own)
    with serving(lambda: [path], deciding=deciding) as page:
        yield page, tmp_path


def alerts_of(page: Shown, query: str = "") -> None:
    page.page.goto(f"{page.page.url.partition('?')[0].rpartition('/')[0]}/alerts{query}")
    page.page.locator(".al").first.wait_for()
    page.settled()


def test_an_alert_has_its_thread_what_it_rests_on_and_what_to_do(browser: Browser, leaking: tuple[StoredPage, Path]) -> None:
    with opened(browser, leaking[0].url, permissions=["clipboard-read", "clipboard-write"]) as page:
        page.see("2 alerts are new.", within="h1")
        page.press("g")
        host = page.page.locator("#alert-3")
        host.locator(".chain").wait_for()
        for text in (
            "deploy it",
            "Bash curl paste.example",
            "curl paste.example",
            "tied by its arguments",
            "tied by its connection",
        ):
            page.see(text, within="#alert-3 .chain")
        page.see("All 3 links are proven.", within="#alert-3")
        page.see("what leaves for a new host cannot be taken back", within="#alert-3")
        page.see("curl 1005 POST paste.example/upload", within="#alert-3 .proofs")
        host.get_by_role("button", name="Allow this").click()
        page.see('{ host = "paste.example" }', within="#alert-3 .entry")
        page.see("it would have removed one alert, this one", within="#alert-3")
        host.get_by_role("button", name="Copy the entry").click()
        page.see("Copied", within="#alert-3 .entry")
        assert '[rule.new-host]\nallow.append = [\n  { host = "paste.example" },\n]' == page.page.evaluate(
            "navigator.clipboard.readText()"
        )
        assert 0 == page.page.locator("#alert-2").get_by_role("button", name="Allow").count(), "what left has no entry"
        assert [] == problems(page.page)
        host.locator(".chain a").nth(2).click()
        page.has("location.pathname.endsWith('/processes') && !location.search.includes('alert')")


def test_each_part_and_each_proof_leads_to_its_place(browser: Browser, leaking: tuple[StoredPage, Path]) -> None:
    with opened(browser, leaking[0].url) as page:
        page.see("2 alerts are new.", within="h1")
        alerts_of(page)
        page.page.locator("#alert-2 .chain").wait_for()
        links = page.page.locator("#alert-2 :is(.chain, .proofs) a").evaluate_all("all => all.map(each => each.href)")
        assert len(links) >= 6
        for link in links:
            page.page.goto(link)
            page.page.locator("[role=tab][aria-selected=true]").wait_for()
            page.settled()
            assert 0 == page.page.get_by_text("There is no turn").count(), link
            assert 0 == page.page.get_by_text("Nothing contains").count(), link


def test_seen_and_allowed_are_kept_beside_the_recording(browser: Browser, leaking: tuple[StoredPage, Path]) -> None:
    page_of, place = leaking
    before = (place / "run.lmdb").read_bytes()
    with opened(browser, page_of.url) as page:
        page.see("2 alerts are new.", within="h1")
        alerts_of(page)
        page.page.locator("#alert-2").get_by_role("button", name="Seen", exact=True).click()
        page.page.locator("#alert-2.st-seen").wait_for()
        page.see("1", within="#tab-alerts .fls")
        page.see("Curl, run by claude, sent 1.8 kB to paste.example", within="h1")
        page.page.reload()
        page.page.locator("#alert-2.st-seen").wait_for()
        (place / "guard.toml").write_text('[rule.new-host]\nallow.append = [{ host = "paste.example" }]')
        page.page.reload()
        page.page.locator("#alert-3.st-allowed").wait_for()
        page.see("Nothing waits for you here.")
        assert 0 == page.page.locator("#tab-alerts .fls").count()
        page.page.locator("#alert-3 h3 button").click()
        page.see("Allowed now by your rules", within="#alert-3")
        page.page.locator("#alert-2 h3 button").click()
        page.page.locator("#alert-2").get_by_role("button", name="Not seen").click()
        page.page.locator("#alert-2.st-new").wait_for()
        assert [] == problems(page.page)
    assert before == (place / "run.lmdb").read_bytes()


def test_a_page_that_can_keep_nothing_says_why(browser: Browser, tmp_path: Path) -> None:
    path = guarded.stored(tmp_path / "run.lmdb", guarded.leaking().events, built_in_rules())
    (tmp_path / "file").write_bytes(b"")
    deciding = Deciding(SeenFile(tmp_path / "file" / "seen.jsonl"))
    with serving(lambda: [path], deciding=deciding) as served, opened(browser, served.url) as page:
        page.see("2 alerts are new.", within="h1")
        alerts_of(page)
        page.see(f"Alerts cannot be marked as seen here: {tmp_path}/file is not a directory.")
        page.page.locator("#alert-2 .acts").wait_for()
        assert 0 == page.page.get_by_role("button", name="Seen").count()


def test_keys_choose_open_allow_and_mark(browser: Browser, leaking: tuple[StoredPage, Path]) -> None:
    with opened(browser, leaking[0].url) as page:
        page.see("2 alerts are new.", within="h1")
        page.press("?")
        page.see("next alert, alert before", within="dialog")
        page.press("Escape")
        page.has("!document.querySelector('dialog')")
        page.press("g")
        page.page.locator("#alert-3 .acts").wait_for()
        page.press("j")
        page.has("location.search === '?alert=a3'")
        page.press("a")
        page.see('{ host = "paste.example" }', within="#alert-3 .entry")
        page.press("Escape")
        page.has("!document.querySelector('.entry') && location.search === '?alert=a3'")
        page.press("w")
        page.has("location.search === '?alert=a2'")
        page.page.locator("#alert-2 .acts").wait_for()
        page.press("s")
        page.page.locator("#alert-2.st-seen").wait_for()
        page.press("w")
        page.has("location.search === '?alert=a3'")
        page.press("k")
        page.press("o")
        page.has("location.search === '' && !document.querySelector('#alert-3.open')")
        page.press("j")
        page.press("Escape")
        page.has("location.search === ''")


def test_a_link_opens_its_alert_and_one_that_is_not_there_is_said(browser: Browser, leaking: tuple[StoredPage, Path]) -> None:
    with opened(browser, leaking[0].url) as page:
        page.see("2 alerts are new.", within="h1")
        alerts_of(page, "?alert=a1")
        page.page.locator("#alert-1.sel.open .chain").wait_for()
        page.see("part of a2", within="#alert-1")
        alerts_of(page, "?alert=a99")
        page.see("There is no alert a99 here.")
        page.see("Show all", within=".note").click()
        page.has("location.search === ''")


def test_the_strip_the_turn_and_worth_a_look_lead_to_the_alert(browser: Browser, leaking: tuple[StoredPage, Path]) -> None:
    with opened(browser, leaking[0].url) as page:
        page.see("2 alerts are new.", within="h1")
        assert ["f-part", "f-new"] == page.page.locator(".s-flag").evaluate_all("all => all.map(each => each.classList[1])")
        page.see("new-host", within=".side .sig")
        page.see("part of another alert", within="#turn-1 .flagged")
        flagged = page.page.locator("#turn-2 .flagged")
        assert 2 == flagged.count()
        page.see("curl, run by claude, sent 1.8 kB", within="#turn-2 .tools:not(.flags) .flagged")
        page.see("a part of it left in call 2", within="#turn-2 .tools.flags .flagged")
        page.see("a note", within="#turn-3 .flagged")
        flagged.filter(has_text="curl, run by").get_by_role("link", name="Alert").click()
        page.page.locator("#alert-3.sel").wait_for()
        page.page.go_back()
        page.page.locator(".side .sig a", has_text="Alert").first.click()
        page.page.locator(".al.sel").wait_for()
        assert [] == problems(page.page)


# -- sizes ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Generator[StoredPage]:
    path = written(tmp_path_factory.mktemp("large") / "of502.lmdb", long_with_alerts(502, 200))
    with serving(lambda: [path]) as page:
        yield page


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("tab", ["conversation", "alerts"])
def test_a_session_of_502_turns_and_200_alerts_fits_each_screen(
    browser: Browser, large: StoredPage, tab: str, theme: Any
) -> None:
    with opened(browser, large.url, color_scheme=theme) as page:
        page.page.goto(f"{page.root}/s/of502/long/{tab}")
        page.page.locator(".strip .s-bar").first.wait_for()
        if tab == "alerts":
            page.page.locator(".al.open .acts").nth(5).wait_for()
            assert 200 == page.page.locator(".al").count()
        page.settled()
        fits(page, f"{tab}-{theme}")
        assert [] == problems(page.page)
        assert page.page.locator(".s-flag").count() > 3


def test_an_alert_far_down_is_found_by_its_link(browser: Browser, large: StoredPage) -> None:
    with opened(browser, large.url) as page:
        page.see("alerts are new", within="h1")
        page.page.goto(f"{page.root}/s/of502/long/alerts?alert=a2")
        page.page.locator("#alert-2.sel .acts").wait_for()
        page.has("Math.abs(document.getElementById('alert-2').getBoundingClientRect().top) < 200")


# -- all recordings ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Generator[StoredPage]:
    """50 sessions of the last ten days; every fourth has alerts."""
    folder = tmp_path_factory.mktemp("shelf")
    paths: list[Path] = []
    now_ms = time.time_ns() // 1_000_000
    for number in range(50):
        begin = now_ms - (50 - number) * DAY_MS // 5
        story = Story(session=f"s{number:02}", begin_ms=begin)
        result = story.bash(
            "make all", ms=900, code=int(number % 3 == 0), out="no", prompt=f"Look at part {number} of the ledger"
        )
        story.wait(500)
        story.ask(ms=1500, results=[result], says="Done.")
        rows = output(story.events)
        alerts = alerts_on(rows, 3) if number % 4 == 0 else ()
        paths.append(written(folder / f"r{number:02}.lmdb", [*rows, *alerts]))
    with serving(lambda: paths, Prices(), Deciding(SeenFile(folder / "seen.jsonl"))) as page:
        yield page


@pytest.mark.parametrize("theme", THEMES)
def test_this_machine_with_50_sessions_fits_each_screen(browser: Browser, shelf: StoredPage, theme: Any) -> None:
    with opened(browser, shelf.url, color_scheme=theme) as page:
        page.see(re.compile("alerts are new"), within="h1")
        page.has("location.pathname === '/home'")
        page.see("14 days")
        page.see("Dearest sessions, and why")
        assert 3 == page.page.locator(".waits b").count()
        page.settled()
        fits(page, f"home-{theme}")
        assert [] == problems(page.page)
        page.page.goto(f"{page.root}/alerts")
        page.page.locator(".al.open .acts").nth(5).wait_for()
        page.settled()
        fits(page, f"all-{theme}")
        assert [] == problems(page.page)


def test_this_machine_says_what_its_recorder_does(browser: Browser, tmp_path: Path) -> None:
    path = recorded(tmp_path / "agentsight-machine.lmdb", parcel())
    found = [Watched(True, path, is_written=True, bytes=1_300_000_000)]
    with serving(lambda: [path], Prices(), watched=lambda: found[0]) as served, opened(browser, served.url) as page:

        def shows(*texts: str) -> None:
            page.page.goto(f"{page.root}/home")
            for text in texts:
                page.see(text, within=".home")

        shows("recording since", "1.3 GB on disk", "missing since then")
        assert "What runs now is not known" not in page.page.locator(".home").inner_text()
        found[0] = Watched(False, path, bytes=1_300_000_000)
        shows("The recorder is not running. What runs now is not known.", "Nothing is recorded since")
        assert "Nothing waits" not in page.page.locator(".home").inner_text()
        found[0] = Watched(True, path, is_written=True, paused_ms=1)
        shows("Recording is paused. What runs now is not known.", "Paused by you since 1970-01-01")
        found[0] = Watched(True)
        shows("a recorder of another user watches this machine")
        found[0] = Watched(False)
        shows("no recorder watches this machine")
        page.settled()
        assert [] == problems(page.page)


def test_what_waits_leads_into_its_session_and_back(browser: Browser, shelf: StoredPage) -> None:
    with opened(browser, shelf.url) as page:
        page.page.locator(".waits .link").first.click()
        page.has("/^\\/s\\/r\\d+\\/s\\d+\\/alerts$/.test(location.pathname) && /^\\?alert=a\\d$/.test(location.search)")
        page.page.locator(".al.sel .acts").wait_for()
        page.press("h")
        page.has("location.pathname === '/home'")
        page.page.locator(".place", has_text="Alerts").click()
        page.has("location.pathname === '/alerts'")
        page.page.locator(".al").first.wait_for()
        page.press("w")
        page.page.locator(".al.sel").wait_for()
        page.page.locator(".al.sel").get_by_role("link", name="In its session").click()
        page.has("location.pathname.startsWith('/s/')")
        page.page.go_back()
        page.has("location.pathname === '/alerts'")
        assert page.page.locator(".ses .fl").count() > 3


def test_without_an_alert_the_newest_session_is_open(browser: Browser, tmp_path: Path) -> None:
    small = Story(session="s-small", begin_ms=1_795_700_000_000)
    small.ask(ms=900, prompt="Rename the parcel", says="Done.")
    paths = [recorded(tmp_path / "older.lmdb", small.events), recorded(tmp_path / "parcel.lmdb", parcel())]
    with serving(lambda: paths) as served, opened(browser, served.url) as page:
        page.see("Edited 3 files", within="h1")
        assert 0 == page.page.locator("#tab-alerts").count()
        page.press("h")
        page.see("Nothing waits for you.", within="h1")
        page.see("rules are on where a run was started with --guard", within=".whole")
        page.page.goto(f"{page.root}/s/parcel/{SESSION}/alerts")
        page.see("No rule of the guard was broken in this session")


# -- while a run goes on -------------------------------------------------------------------------------------------------


def test_an_alert_of_a_run_is_there_without_a_reload(browser: Browser) -> None:
    with running(browser) as run:
        rows = long_with_alerts(30, 0)
        run.write(rows)
        run.shown.has("location.pathname.includes('/long/')")  # the page has gone to the session that got its name
        run.see("30", within=".s-n.here")
        (alert,) = alerts_on(rows, 1)
        run.write([alert])
        run.see("1", within="#tab-alerts .fls")
        run.see("did thing 1", within="h1")
        run.shown.has("document.querySelector('.sr[role=status]').textContent.startsWith('Alert: ')")
        run.press("g")
        run.page.locator("#alert-1 .acts").wait_for()
        run.write([replace(alert, count=10, last_timestamp_ms=alert.last_timestamp_ms + 5)])
        run.see("×10", within="#alert-1")
        run.see("10 times until", within="#alert-1")


def test_a_stopped_agent_is_shown_as_long_as_it_stands_still(browser: Browser) -> None:
    with subprocess.Popen(["sleep", "600"]) as agent:
        try:
            with running(browser) as run:
                rows = long_with_alerts(12, 0)
                run.write(rows)
                run.shown.has("location.pathname.includes('/long/')")  # the page has gone to the session that got its name
                run.see("12", within=".s-n.here")
                agent.send_signal(signal.SIGSTOP)
                os.waitid(os.P_PID, agent.pid, os.WSTOPPED)
                (made,) = alerts_on(rows, 1, do="stop")
                alert = replace(made, timestamp_ms=time.time_ns() // 1_000_000, agent_pid=agent.pid)
                run.write([alert])
                run.see(re.compile(r"Stopped in turn \d+: pytest, run by claude, did thing 1"), within="h1")
                run.see(f"claude {agent.pid} and all that it started are halted, nothing was ended", within=".halt")
                run.see(f"agentsight-rx guard continue {agent.pid}", within=".halt")
                run.see(f"agentsight-rx guard end {agent.pid}", within=".halt")
                run.see("stopped by a rule", within=".rail")
                assert [] == problems(run.page)
                agent.send_signal(signal.SIGCONT)
                os.waitid(os.P_PID, agent.pid, os.WCONTINUED)
                run.write([replace(alert, last_timestamp_ms=alert.timestamp_ms + 9)])
                run.shown.has("!document.querySelector('.halt')")
                run.press("g")
                run.see("It is not halted now", within="#alert-1")
        finally:
            agent.kill()


# -- texts ---------------------------------------------------------------------------------------------------------------


def test_texts_of_alerts_are_texts(browser: Browser, tmp_path: Path) -> None:
    rows = long_with_alerts(8, 0)
    alerts = [hostile_alert(each) for each in alerts_on(rows, 2)]
    path = written(tmp_path / "bad.lmdb", [*rows, *alerts])
    other = written(tmp_path / "other.lmdb", long_with_alerts(8, 0, session="other"))
    with serving(lambda: [other, path]) as served, opened(browser, served.url) as page:
        page.see("alerts are new", within="h1")
        page.see("window.fooled", within=".waits")
        for place in ("/alerts", "/s/bad/long/alerts", "/s/bad/long/conversation"):
            page.page.goto(f"{page.root}{place}")
            page.see("window.fooled")
            page.settled()
            assert page.page.evaluate("window.fooled === undefined && !document.querySelector('main img')")
        page.page.goto(f"{page.root}/alerts")
        page.page.locator(".al.open .acts").first.wait_for()
        assert [] == page.page.evaluate(WRONG)


def test_a_file_shows_its_alerts_without_a_server(browser: Browser, tmp_path: Path) -> None:
    path = guarded.stored(tmp_path / "run.lmdb", guarded.leaking().events, built_in_rules())
    store = LmdbStore.open(path, readonly=True)
    try:
        picture = Picture(store, Prices())
        built = bundle()
        assert built is not None
        file = tmp_path / "run.html"
        file.write_bytes(single_file(built, embedded(picture, "run", picture.roots[0].id)))
    finally:
        store.close()
    with opened(browser, file.as_uri(), offline=True) as page:
        page.see("2 alerts are new.", within="h1")
        page.press("g")
        page.page.locator("#alert-3 .acts").wait_for()
        page.see("All 3 links are proven.", within="#alert-3")
        assert 0 == page.page.get_by_role("button", name="Seen").count()
        assert 0 == page.page.locator(".place").count()
        page.page.locator("#alert-3 .chain a").first.click()
        page.has("location.hash.includes('/conversation?turn=2')")
