"""
The page of `demo --server` while it runs, of `serve` afterwards, and of an export, in a real browser. With
AGENTSIGHT_PICTURES=1, as `./test.sh --pictures` sets it, the pictures of the README are made here.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.browsing import TABS, Shown, opened
from tests.cli.report.asking import bytes_of, values
from tests.live.capture import PATIENCE_S, PROGRAM
from tests.live.peers import fake_llm
from tests.live.shop import COMMANDS, COMPACT_TOKENS, make_shop
from tests.live.shop import PROMPT as SHOP_PROMPT
from tests.test_pictures import FOLDER, SIZES

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.live

MADE = bool(os.environ.get("AGENTSIGHT_PICTURES"))
PROMPT = "Write double.py with a test for it"
LAST = "Terminé"
# What each tab shows of it
IN_TABS = {
    "conversation": "double.py",
    "context": "Counted by the provider",
    "timeline": "model",
    "processes": "/usr/bin/python3 -m unittest test_double",
    "files": "double.py",
    "network": "127.0.0.1",
    "mcp": "No MCP request was seen",
    "http": "/v1/messages",
    "log": "agentsight_rx.runtime.demo.agent",
    "health": "What is missing",
}


# What its context says of these turns
CONTEXT = {
    7: "At turn 7 the cache was lost: the tool list changed, run_tests was added.",
    12: "Compacted before turn 12: ",
}


@contextmanager
def serving(words: Sequence[str], env: Mapping[str, str]) -> Generator[str]:
    """A command with a page, which Ctrl-C ends in order; gives the address that it prints."""
    with subprocess.Popen(
        [*PROGRAM, *words, "--server-port", "0"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **env},
    ) as process:
        try:
            assert process.stderr is not None
            found = next((at for line in process.stderr if (at := re.search(r"http://\S+/#token=[\w-]+", line))), None)
            assert found is not None, "it printed no address"
            yield found[0]
            process.send_signal(signal.SIGINT)
            process.stderr.read()
            assert 0 == process.wait(PATIENCE_S)
        finally:
            process.kill()


def picture(page: Shown, name: str) -> None:
    """A picture of the README, where they are made."""
    if MADE:
        page.page.wait_for_timeout(300)  # until the marks of the mouse have faded
        page.page.screenshot(path=FOLDER / name)


def seen(name: str) -> dict[str, Any]:
    """The window of a picture."""
    width, height = SIZES[name]
    return {"viewport": {"width": width, "height": height}}


def through_every_tab(page: Shown) -> None:
    for tab in (*TABS, "context"):
        page.page.locator(f"#tab-{tab}").click()
        page.settled()
        page.see(IN_TABS[tab], within=".pane")
        assert 0 == page.page.get_by_role("alert").count(), tab


def test_the_page_shows_the_demo_live_then_serve_does_and_then_a_file_without_a_network(
    browser: Browser, tmp_path: Path
) -> None:
    home = {"XDG_DATA_HOME": str(tmp_path)}
    with serving(["demo", "--server"], home) as url, opened(browser, url) as page:
        page.see(PROMPT, within=".prompt")
        page.see("live,", within=".crumbs")
        page.see("exit 1", within="#turn-5")
        page.press("n")
        page.has("location.search === '?turn=5'")
        page.see(LAST, within="#turn-14")
        through_every_tab(page)
        for turn, said in CONTEXT.items():
            page.page.goto(f"{page.page.url.partition('?')[0]}?turn={turn}")
            page.see(said, within=".pane")
    (store,) = tmp_path.rglob("*.lmdb")
    with serving(["serve"], home) as url, opened(browser, url, **seen("serve.png"), color_scheme="dark") as page:
        page.see(PROMPT, within=".rail")
        page.see("Nothing is missing")
        page.has(f"location.pathname.startsWith('/s/{store.stem}/')")
        through_every_tab(page)
        page.page.locator("#tab-timeline").click()
        page.page.locator("canvas").first.wait_for()
        picture(page, "serve.png")
    reports_add_up(store)
    file = tmp_path / "demo.html"
    bytes_of("export", "--db", str(store), "-o", str(file))
    with opened(browser, file.as_uri(), offline=True) as page:
        page.see(PROMPT, within=".rail")
        through_every_tab(page)


def reports_add_up(store: Path) -> None:
    """The reports of its context have one lost cache and one compaction, and their numbers add up."""
    (lost,) = values(store, "cache")
    assert (7, "the tool list changed, run_tests was added") == (lost["turn"], lost["why"])
    assert lost["usd"] > 0.01
    turns = values(store, "context", "--over-time")
    assert [7] == [turn["turn"] for turn in turns if turn["lost"]]
    assert [12] == [turn["turn"] for turn in turns if turn["dropped"]]
    assert [turn["total"] for turn in turns] == [sum(turn["sums"].values()) for turn in turns]
    (context,) = values(store, "context")
    assert ["lost"] == [each["kind"] for each in context["findings"]]
    assert sum(each["cost"] for each in context["carried"]) == pytest.approx(sum(turn["cost"] for turn in turns), abs=1e-6)


@contextmanager
def shop_task(store: Path) -> Generator[None]:
    """A recording of an agent that repairs a small project in 40 turns; its folder is there as long as the block runs."""
    pace = ("--think-ms", "900", "--event-ms", "15") if MADE else ()
    commands = [word for command in COMMANDS for word in ("--tool-command", command)]
    with TemporaryDirectory(prefix="shop-") as name, fake_llm(store.parent / "model", *commands, *pace) as peer:
        make_shop(Path(name))
        agent = [sys.executable, "-m", "agentsight_rx.runtime.demo.agent", SHOP_PROMPT]
        env = {"ANTHROPIC_BASE_URL": peer.base_url, "ANTHROPIC_API_KEY": "dummy", "SSL_CERT_FILE": str(peer.ca_file)}
        env["AGENT_COMPACT_TOKENS"] = str(COMPACT_TOKENS)
        subprocess.run(
            [*PROGRAM, "record", "--no-server", "--db", str(store), "--", *agent],
            cwd=name,
            env={**os.environ, **env, "PATH": os.defpath, "PYTHONPATH": str(FOLDER.parents[1])},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=2 * PATIENCE_S,
            check=True,
        )
        yield


def test_the_page_shows_a_task_of_forty_turns_and_the_tool_that_failed_first(browser: Browser, tmp_path: Path) -> None:
    store = tmp_path / "run.lmdb"
    with (
        shop_task(store),
        serving(["serve", str(store)], {}) as url,
        opened(browser, url, **seen("task.png"), color_scheme="light") as page,
    ):
        page.see("Ran 35 commands", within="h1")
        page.see("Nothing is missing")
        assert len(COMMANDS) + 2 == page.page.locator(".s-bar").count()  # with the answer and the summary
        page.see("AssertionError: 9501 != 9500.95", within="#turn-1")
        page.has("scrollY === 0")
        picture(page, "task.png")
    with (
        serving(["serve", str(store)], {}) as url,
        opened(browser, url, **seen("context.png"), color_scheme="light") as page,
    ):
        page.see("Nothing is missing")
        page.press("c")
        page.see("the fullest")
        page.page.goto(f"{page.page.url.partition('?')[0]}?turn=19")
        page.see("At turn 19 the cache was lost: the tool list changed, run_tests was added.")
        page.settled()
        page.page.evaluate("scrollBy(0, document.querySelector('.tabs').getBoundingClientRect().top)")
        picture(page, "context.png")
