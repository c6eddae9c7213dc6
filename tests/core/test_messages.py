"""Messages to the user: while a command owns the terminal they are held, from whatever thread and however they are written."""

from __future__ import annotations

import io
import os
import pty
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from agentsight_rx.core.messages import brief, detail, fit, harmless, holding, passing, program, say


def test_a_message_is_one_line_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    say("hello")
    assert capsys.readouterr() == ("", "agentsight-rx: hello\n")


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        ("./run.sh", "./run.sh"),
        ("/my work/run.sh", "'/my work/run.sh'"),
        ("{0}/agentsight-rx", "agentsight-rx"),  # as PATH finds it
        ("{0}/../elsewhere/agentsight-rx", "{0}/../elsewhere/agentsight-rx"),
        ("/usr/lib/python3/site-packages/agentsight_rx/__main__.py", "agentsight-rx"),
    ],
)
def test_hints_name_the_program_as_it_was_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str, named: str
) -> None:
    (tmp_path / "agentsight-rx").touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", [typed.format(tmp_path), "report"])
    assert named.format(tmp_path) == program()


def test_what_is_said_meanwhile_comes_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    with holding():
        say("one")
        say("two")
        assert capsys.readouterr().err == ""
    say("three")
    assert capsys.readouterr().err == "agentsight-rx: one\nagentsight-rx: two\nagentsight-rx: three\n"


def test_it_also_comes_where_the_block_fails(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        with holding():
            say("one")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert capsys.readouterr().err == "agentsight-rx: one\n"


def test_what_others_write_is_held_too(capsys: pytest.CaptureFixture[str]) -> None:
    with holding():
        print("careful", file=sys.stderr)
        traceback.print_exception(ValueError("no"))
        assert capsys.readouterr().err == ""
    assert capsys.readouterr().err == "careful\nValueError: no\n"


def test_lines_of_many_threads_stay_whole(capsys: pytest.CaptureFixture[str]) -> None:
    def speak(number: int) -> None:
        for count in range(53):
            say(f"{number} {count} {'x' * 100}")

    with holding():
        threads = [threading.Thread(target=speak, args=(number,)) for number in range(7)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    lines = capsys.readouterr().err.splitlines()
    assert sorted(lines) == sorted(f"agentsight-rx: {number} {count} {'x' * 100}" for number in range(7) for count in range(53))


def test_so_many_lines_are_held_and_the_others_counted(capsys: pytest.CaptureFixture[str]) -> None:
    with holding():
        for number in range(1007):
            say(str(number))
    *held, last = capsys.readouterr().err.splitlines()
    assert held == [f"agentsight-rx: {number}" for number in range(1000)]
    assert last == "agentsight-rx: 7 more lines were written meanwhile; --log FILE keeps all"


def test_a_log_gets_it_at_once_and_the_terminal_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    log = io.StringIO()
    with holding(log):
        say("one")
        assert log.getvalue() == "agentsight-rx: one\n"
    assert capsys.readouterr().err == ""


def test_a_terminal_that_is_gone_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(io.StringIO):
        def write(self, text: str, /) -> int:
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(sys, "stderr", Gone())
    say("one")
    with holding():
        say("two")


def on_a_terminal(body: Callable[[], None], *, kind: str = "xterm") -> str:
    """What `body` writes to standard error where that is a terminal."""
    master, slave = pty.openpty()
    with pytest.MonkeyPatch.context() as patch, os.fdopen(slave, "w") as file:
        patch.setenv("TERM", kind)
        patch.setattr(sys, "stderr", file)
        body()
    written = b""
    with suppress(OSError):  # EIO: all was read, and no one has the terminal open any more
        while True:
            written += os.read(master, 4096)
    os.close(master)
    return written.decode().replace("\r\n", "\n")


def test_what_is_under_way_is_one_line_that_is_replaced_and_goes() -> None:
    def wait() -> None:
        with passing() as show:
            show("preparing: files, tls …")
            show("preparing: tls …")

    assert on_a_terminal(wait) == "\r\x1b[Kpreparing: files, tls …\r\x1b[Kpreparing: tls …\r\x1b[K"


def talk() -> None:
    with passing() as show:
        show("preparing …")
        say("hello")


def test_a_message_comes_above_what_is_under_way() -> None:
    assert on_a_terminal(talk) == "\r\x1b[Kpreparing …\r\x1b[Kagentsight-rx: hello\npreparing …\r\x1b[K"


def test_on_a_terminal_that_cannot_clear_a_line_it_is_not_shown() -> None:
    assert on_a_terminal(talk, kind="dumb") == "agentsight-rx: hello\n"


def test_elsewhere_it_is_not_shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    talk()
    assert capsys.readouterr().err == "agentsight-rx: hello\n"


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_that_belongs_to_a_command_gets_no_details(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    terminal = _Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    detail("one")
    with brief():
        detail("two")
        say("three")
        with holding():
            detail("four")
            say("five")
        with (tmp_path / "log").open("w+") as log, holding(log):
            detail("six")
    assert terminal.getvalue() == "agentsight-rx: one\nagentsight-rx: three\nagentsight-rx: five\n"
    assert (tmp_path / "log").read_text() == "agentsight-rx: six\n"


def test_what_is_no_terminal_gets_the_details(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    monkeypatch.setattr("sys.stderr", file)
    with brief(), holding():
        detail("one")
    assert file.getvalue() == "agentsight-rx: one\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [("👩\u200d💻", "👩\u200d💻"), ("می\u200cخواهم", "می\u200cخواهم\u200e"), ("a\u200db", "a\ufffdb"), ("x\u200c", "x\ufffd")],
)
def test_a_joiner_stays_where_it_joins_letters_or_parts_of_an_emoji(text: str, shown: str) -> None:
    assert shown == harmless(text)


@pytest.mark.parametrize(
    ("text", "cells", "shown"),
    [
        ("read the ledger again", 15, "read the…"),  # behind a whole word
        ("read the ledger again", 16, "read the ledger…"),  # which may end where the room does
        ("read the ledger again", 21, "read the ledger again"),
        ("/home/user/project/ledger.py", 10, "/home/use…"),  # one word, or less than half of the room would be used
        ("a /home/user/project/ledger.py", 10, "a /home/u…"),
    ],
)
def test_a_longer_text_ends_behind_a_word(text: str, cells: int, shown: str) -> None:
    assert shown == fit(text, cells)
