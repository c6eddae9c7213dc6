"""The page in a real browser: it shows events while they are captured, and all content as text."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from agentsight_rx.core.sink import Writer
from agentsight_rx.loss import Ledger, Reason
from agentsight_rx.view import CallRow, Output, ProcessRow, ToolRow
from agentsight_rx.web import WebOptions, web

from .capture import PATIENCE_S

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

QUIET = [f"--{flag}" for flag in ("disable-gpu", "no-first-run", "disable-background-networking", "disable-component-update")]
HOSTILE = '<img src=x onerror="window.fooled = 1"><script>window.fooled = 1</script>\'"&lt;'

pytestmark = pytest.mark.live


# Playwright is imported where it is used, so that pytest can collect this file without it.


@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    if chromium is None:
        raise FileNotFoundError("the program chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, chromium_sandbox=False, args=QUIET)
        yield browser
        browser.close()


def has_text(locator: Locator, text: str | list[str]) -> None:
    from playwright.sync_api import expect

    expect(locator).to_have_text(text, timeout=PATIENCE_S * 1000)


def has_count(locator: Locator, count: int) -> None:
    from playwright.sync_api import expect

    expect(locator).to_have_count(count, timeout=PATIENCE_S * 1000)


class Shown:
    """An open page, the writer that feeds it, and the errors in its console."""

    def __init__(self, page: Page, writer: Writer[Output], ledger: Ledger) -> None:
        self.page = page
        self.write = writer.write
        self.ledger = ledger
        self.wrong: list[str] = []
        page.on("console", lambda message: self.wrong.append(message.text))
        page.on("pageerror", lambda error: self.wrong.append(str(error)))

    def see(self, text: str, *, within: str = "body") -> Locator:
        found = self.page.locator(within).get_by_text(text).first
        found.wait_for(state="visible", timeout=PATIENCE_S * 1000)
        return found


@contextmanager
def shown(browser: Browser) -> Generator[Shown]:
    ledger = Ledger()
    sink = web(WebOptions(port=0))
    writer = sink.open(ledger)
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    try:
        shown = Shown(page, writer, ledger)
        page.goto(sink.url)
        shown.see("live")
        yield shown
        writer.close()
        shown.see("capture has ended")
        assert [] == shown.wrong
    finally:
        page.close()
        writer.close()


def test_a_call_its_tool_and_its_process_appear_while_they_happen(browser: Browser) -> None:
    with shown(browser) as page:
        page.see("No call yet")
        page.see("No process yet")
        page.write([CallRow("llm-1", 1000, pid=7, comm="agent", model="sonnet", prompt="Count the lines.")])
        page.see("pending", within=".call")
        page.see("Count the lines.", within=".call")
        done = CallRow("llm-1", 1000, 3000, 7, "agent", model="sonnet", status="complete", input_tokens=20, total_tokens=20)
        tool = ToolRow("tool-1", 3000, "llm-1", "t-1", "Bash", input='{"command": "wc -l < f"}')
        page.write([done, tool])
        page.see("20 in, 0 out · 2.0 s", within=".call")
        page.see("$ wc -l < f", within=".tool")
        page.see("no result yet", within=".tool")
        argv = ("/bin/sh", "-c", "wc -l < f")
        ran = ToolRow(
            *("tool-1", 3000, "llm-1", "t-1", "Bash"),
            input=tool.input,
            output="3",
            status="completed",
            related_pid=43,
            related_argv=argv,
            exit_code=3,
            link="argv",
        )
        page.write(
            [
                ran,
                ProcessRow("process-7", 7, 1, start_timestamp_ms=1, comm="agent", argv=("agent",)),
                ProcessRow("process-43", 43, 7, start_timestamp_ms=2, argv=argv, exit_code=3, status="failure"),
                ProcessRow("process-44", 44, 43, start_timestamp_ms=3, argv=("wc", "-l"), signal=9, status="killed"),
            ]
        )
        page.see("exit 3", within=".tool")
        page.see("/bin/sh -c 'wc -l < f'", within=".tool")
        page.see("exit 3", within=".process")
        page.see("killed by SIGKILL", within=".process")
        page.see("running", within=".process")
        has_text(page.page.locator("#totals"), "calls1tokens20 in, 0 outtools1 (1 tied to a process)processes3")


def test_hostile_text_is_shown_as_text(browser: Browser) -> None:
    with shown(browser) as page:
        words = (HOSTILE, f"{HOSTILE}\u202e")
        page.write(
            [
                CallRow(
                    "llm-1", 1, 2, 7, HOSTILE, HOSTILE, HOSTILE, host=HOSTILE, reason=HOSTILE, prompt=HOSTILE, text=HOSTILE * 9
                ),
                CallRow(f"llm-{HOSTILE}", 1, 2, status=HOSTILE, error_type=HOSTILE, thinking=HOSTILE),
                ToolRow(f"tool-{HOSTILE}", 1, "llm-1", HOSTILE, HOSTILE, input=HOSTILE, output=HOSTILE, status=HOSTILE),
                ToolRow(
                    "tool-2",
                    1,
                    "llm-1",
                    "",
                    "",
                    input=f'{{"{"__proto__"}": 1}}',
                    related_pid=1,
                    related_argv=words,
                    link=HOSTILE,
                ),
                ProcessRow(f"process-{HOSTILE}", 7, comm=HOSTILE, command=HOSTILE, cwd=HOSTILE),
                ProcessRow("process-8", 8, argv=words, status=HOSTILE),
            ]
        )
        page.see(HOSTILE, within=".said")
        page.see(HOSTILE, within=".tool")
        page.see(HOSTILE, within=".process")
        page.see("\\u202e", within=".process")
        page.page.locator("details").first.click()
        page.see(HOSTILE, within=".long")
        assert page.page.evaluate("window.fooled === undefined")
        assert 0 == page.page.locator("img").count()
        assert 1 == page.page.locator("script").count()


def test_a_loss_is_shown_at_once(browser: Browser) -> None:
    with shown(browser) as page:
        page.see("nothing lost so far").click()
        page.ledger.meter("tls").lose(Reason.KERNEL_LOST, 3, 4096)
        page.ledger.meter("filter_http").lose(Reason.FILTERED, 5)
        page.see("incomplete: 3 lost")
        page.see("This capture is not complete")
        has_text(
            page.page.locator("#losses tr"),
            [
                "wherewhyhow manybytes",
                "tlsa buffer in the kernel was full34,096lost",
                "filter_httpleft out by a filter5asked for",
            ],
        )


def test_rows_that_the_page_cannot_follow_are_counted_and_it_loads_the_whole_picture(browser: Browser) -> None:
    with shown(browser) as page:
        page.write([ProcessRow(f"process-{pid}", pid, argv=("true",), exit_code=0) for pid in range(1, 25_001)])
        page.see("processes25.0k", within="#totals")
        page.page.locator("#whole").click()
        page.see("5000 updates came faster than this page reads")
        page.see("Too old for this page, only in the store: 5000 process nodes.")


def test_the_filter_shows_the_calls_that_contain_its_text(browser: Browser) -> None:
    with shown(browser) as page:
        page.write([CallRow(f"llm-{number}", number, prompt=f"Question {number}") for number in range(60)])
        page.see("Question 59")
        has_count(page.page.locator(".call"), 50)
        page.see("Show older calls (10)").click()
        has_count(page.page.locator(".call"), 60)
        page.page.locator("#filter").fill("question 7")
        has_count(page.page.locator(".call"), 1)
        page.see("Question 7")


def test_without_the_token_the_page_says_what_to_do(browser: Browser) -> None:
    sink = web(WebOptions(port=0))
    writer = sink.open(Ledger())
    page = browser.new_page()
    try:
        page.goto(sink.url.partition("#")[0])
        page.get_by_role("alert").get_by_text("open the whole address that agentsight-rx printed").wait_for()
        page.goto(sink.url)  # in the same tab only the fragment changes
        has_text(page.locator("#state"), "live")
        assert "token" not in page.url
    finally:
        page.close()
        writer.close()
