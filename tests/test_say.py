"""Messages to the user: while a command owns the terminal they are held, from whatever thread and however they are written."""

from __future__ import annotations

import io
import sys
import threading
import traceback

import pytest

from agentsight_rx.say import holding, say


def test_a_message_is_one_line_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    say("hello")
    assert capsys.readouterr() == ("", "agentsight-rx: hello\n")


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
