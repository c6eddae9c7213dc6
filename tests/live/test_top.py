"""The screen of top in a real terminal, which tmux is: it draws, keys work, sizes change, and the terminal is as it was."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.live.capture import PROGRAM, until
from tests.view.page.story import parcel, recorded

pytestmark = [pytest.mark.slow, pytest.mark.needs("tmux"), pytest.mark.xdist_group("test_top")]


class Terminal:
    """A tmux of our own, with one window."""

    def __init__(self, folder: Path) -> None:
        self._tmux = ["tmux", "-S", str(folder / "tmux"), "-f", "/dev/null"]
        self._run("new-session", "-d", "-x", "220", "-y", "40", "sh")

    def _run(self, *words: str) -> str:
        environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
        environment |= {"PS1": "$ ", "ENV": ""}  # the size is that of the window
        return subprocess.run([*self._tmux, *words], capture_output=True, text=True, check=True, env=environment).stdout

    def type(self, text: str) -> None:
        self._run("send-keys", "-l", text)

    def press(self, *keys: str) -> None:
        self._run("send-keys", *keys)

    def size(self, columns: int, lines: int) -> None:
        self._run("resize-window", "-x", str(columns), "-y", str(lines))

    def shown(self) -> str:
        return self._run("capture-pane", "-p")

    def see(self, *texts: str) -> None:
        until(lambda: all(text in self.shown() for text in texts))

    def close(self) -> None:
        self._run("kill-server")


@pytest.fixture
def terminal(tmp_path: Path) -> Generator[Terminal]:
    terminal = Terminal(tmp_path)
    yield terminal
    terminal.close()


def start(terminal: Terminal, store: Path, *words: str) -> None:
    program = shlex.join([*PROGRAM, "top", "--db", str(store), "-i", "1", *words])
    terminal.type(f"cd {shlex.quote(os.getcwd())}; {program}; echo status=$?")
    terminal.press("Enter")


def test_the_screen_shows_the_sessions_and_its_keys_work(terminal: Terminal, tmp_path: Path) -> None:
    start(terminal, recorded(tmp_path / "parcel.lmdb", parcel()))
    terminal.see("claude", "Invoice totals", "parcel.lmdb")
    terminal.press("?")
    terminal.see("s sorts by the next of")
    terminal.press("?")
    until(lambda: "s sorts by the next of" not in terminal.shown())
    terminal.press("s")
    terminal.see("sorted by rss")
    terminal.size(80, 24)
    terminal.see("claude")
    terminal.press("q")
    terminal.see("status=0")
    assert "Invoice totals" not in terminal.shown(), "the screen before is back"


def test_without_keys_the_table_is_drawn_until_ctrl_c(terminal: Terminal, tmp_path: Path) -> None:
    start(terminal, recorded(tmp_path / "parcel.lmdb", parcel()), "--plain")
    terminal.see("claude", "Ctrl-C ends")
    terminal.press("C-c")
    terminal.see("status=0")


def test_one_look_as_json_is_a_session_a_line(tmp_path: Path) -> None:
    store = recorded(tmp_path / "parcel.lmdb", parcel())
    words = [sys.executable, "-m", "agentsight_rx", "top", "--once", "--json", "--db", str(store)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert ['"agent":"claude"' in line for line in done.stdout.splitlines()] == [True]
