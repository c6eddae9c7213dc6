"""A real browser, and a page that is open in it: what is seen, pressed and waited for, and what went wrong."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.live.capture import PATIENCE_S
from tests.view.page.story import SESSION

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

__all__ = ["NARROW", "TABS", "WIDE", "Shown", "chromium", "opened", "problems"]

AXE = Path(__file__).parents[2] / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
QUIET = ("disable-gpu", "no-first-run", "disable-background-networking", "disable-component-update")
# One process draws, and what is open of one context shares one: a new page takes a third less processor time
FEW_PROCESSES = ("in-process-gpu", "disable-site-isolation-trials")
FRAMES = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(done))))"
TABS = ("conversation", "timeline", "processes", "files", "network", "mcp", "http", "log", "health")
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 360, "height": 740}


@contextmanager
def chromium() -> Generator[Browser]:
    """Playwright is imported where it is used, so that pytest can collect test files without it."""
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium")
    if program is None:
        raise FileNotFoundError("the program chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, chromium_sandbox=False, args=[f"--{flag}" for flag in (*QUIET, *FEW_PROCESSES)]
        )
        yield browser
        browser.close()


class Shown:
    """An open page, and the errors in its console."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.root = url.partition("/#")[0]
        self.wrong: list[str] = []
        self.foreign: list[str] = []
        page.on("console", lambda message: self.wrong.append(message.text))
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("request", lambda request: None if request.url.startswith(self.root) else self.foreign.append(request.url))
        page.goto(url)

    def see(self, text: str | re.Pattern[str], *, within: str = "body") -> Locator:
        found = self.page.locator(within).get_by_text(text).first
        found.wait_for(state="visible", timeout=PATIENCE_S * 1000)
        return found

    def open(self, tab: str, query: str = "") -> None:
        self.page.goto(f"{self.root}/s/parcel/{SESSION}/{tab}{query}")
        self.page.locator(f"#tab-{tab}[aria-selected=true]").wait_for(state="attached", timeout=PATIENCE_S * 1000)

    def settled(self) -> None:
        """Nothing is being loaded any more."""
        self.page.wait_for_load_state("domcontentloaded")
        self.has("!/loading …|comparing …|looking …/.test(document.body.innerText)")

    def drawn(self) -> None:
        """What the last change brings is drawn."""
        self.page.evaluate(FRAMES)

    def press(self, key: str) -> None:
        self.page.keyboard.press(key)

    def has(self, script: str) -> None:
        """Waits until it is true. The page itself may evaluate nothing, so it is asked from outside."""
        deadline = time.monotonic() + PATIENCE_S
        while not self.page.evaluate(script):
            assert time.monotonic() < deadline, f"never true: {script}"
            self.page.wait_for_timeout(20)


@contextmanager
def opened(browser: Browser, url: str, **more: Any) -> Generator[Shown]:
    context = browser.new_context(viewport=more.pop("viewport", WIDE), **more)
    try:
        shown = Shown(context.new_page(), url)
        yield shown
        assert [] == shown.wrong, shown.wrong
        assert [] == shown.foreign, "the page asks nobody else"
    finally:
        context.close()


def problems(page: Page) -> list[str]:
    """What axe finds, as rule and place; also targets that are under 24 px, which it leaves out by default."""
    page.evaluate(AXE.read_text("utf-8"))
    found: Any = page.evaluate("axe.run({ resultTypes: ['violations'], rules: { 'target-size': { enabled: true } } })")
    return [f"{each['id']}: {node['html'][:200]}" for each in found["violations"] for node in each["nodes"]]
