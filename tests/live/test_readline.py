"""A person types into bash: the events are these lines, and no other input of the shell."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import termios
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

import pytest

from agentsight_rx import operators as op
from agentsight_rx import sources
from agentsight_rx.events import Readline
from agentsight_rx.sources import ReadlineOptions, Target
from agentsight_rx.sources.readline import ReadlineReader
from tests.live.capture import PATIENCE_S, running, until

_BASH = "/bin/bash"

pytestmark = pytest.mark.live

LINES = ("echo one", "true && echo 'two  words' # and more", "printf %s äöü", ": " + "x" * 3000, "(exit 3)")


class _Person:
    """A bash on a terminal of its own. It starts when `begin` is called."""

    def __init__(self, directory: Path, bash: str) -> None:
        self._gate, self._prompts = directory / "go", directory / "prompts"
        self._seen = 0
        self._keyboard, terminal = os.openpty()
        script = f"until [ -e {self._gate} ]; do sleep 0.01; done; exec {bash} --norc -i"
        env = {"HOME": str(directory), "TERM": "dumb", "LC_ALL": "C.UTF-8", "PROMPT_COMMAND": f"echo >> {self._prompts}"}
        self.shell = subprocess.Popen(
            ["/bin/sh", "-c", script], stdin=terminal, stdout=terminal, stderr=terminal, env=env, start_new_session=True
        )
        os.close(terminal)
        self._screen = Thread(target=self._look)
        self._screen.start()

    def _look(self) -> None:
        with suppress(OSError):  # the shell has ended
            while os.read(self._keyboard, 65_536):
                pass

    def begin(self) -> None:
        self._gate.touch()
        self.wait_for_prompt()

    def wait_for_prompt(self) -> None:
        """Wait until bash is inside `readline`: it has prompted once more, and the terminal passes on single characters."""
        until(lambda: self._prompts.exists() and self._prompts.stat().st_size > self._seen and not self._passes_lines())
        self._seen = self._prompts.stat().st_size

    def _passes_lines(self) -> bool:
        return bool(termios.tcgetattr(self._keyboard)[3] & termios.ICANON)

    def type(self, line: str) -> None:
        os.write(self._keyboard, line.encode() + b"\n")
        self.wait_for_prompt()

    def type_for_program(self, command: str, line: str) -> None:
        """Type a command, then a line that this command reads."""
        os.write(self._keyboard, command.encode() + b"\n")
        until(self._passes_lines)  # bash sets the terminal back before it runs a command
        self.type(line)

    def leave(self) -> None:
        os.write(self._keyboard, b"exit 7\n")
        assert self.shell.wait(PATIENCE_S) == 7

    def close(self) -> None:
        self.shell.kill()
        self.shell.wait()
        self._screen.join()
        os.close(self._keyboard)


@contextmanager
def _person(directory: Path, bash: str = _BASH) -> Generator[_Person]:
    person = _Person(directory, bash)
    try:
        yield person
    finally:
        person.close()


def test_each_line_is_seen_and_the_input_of_programs_is_not(tmp_path: Path) -> None:
    with _person(tmp_path) as person:
        graph = sources.readline(ReadlineOptions(Target(person.shell.pid))).pipe(op.normalize())
        with running(graph) as (run, kept):
            person.begin()
            for line in LINES:
                person.type(line)
            person.type("")
            person.type_for_program("read secret", "not for the shell")
            person.leave()
            summary = run.stop()
    assert summary.complete, summary.failures
    lines = kept.of(Readline)
    assert [*LINES, "read secret", "exit 7"] == [each.command for each in lines]
    assert {(person.shell.pid, "bash")} == {(each.origin.pid, each.origin.comm) for each in lines}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A bash in another place. Unlike /bin/bash it has no probe of another tracer of this machine."""
    path = tmp_path / "elsewhere" / "bash"
    path.parent.mkdir()
    shutil.copy(_BASH, path)
    return path


def test_of_a_bash_that_already_waits_for_a_line_the_next_one_is_seen(tmp_path: Path, copy: Path) -> None:
    with _person(tmp_path, str(copy)) as person:
        person.begin()
        with running(sources.readline(ReadlineOptions(Target(person.shell.pid)))) as (run, kept):
            person.type("true first")
            person.type("true second")
            person.leave()
            run.stop()
    assert ["true second", "exit 7"] == [each.command for each in kept.of(Readline)]


def test_a_bash_in_another_place_is_probed_when_it_starts(tmp_path: Path, copy: Path) -> None:
    said: list[str] = []
    with _person(tmp_path, str(copy)) as person:
        reader = ReadlineReader(ReadlineOptions(Target(person.shell.pid)), said.append)
        reader.open()
        lines: list[object] = []
        try:
            person.begin()
            until(lambda: reader.poll(0.01) is not None and f"reading lines typed into {copy}" in said)
            person.type("true first")  # bash was already waiting for this one
            person.type("true second")
            person.leave()
            lines += [*(reader.poll(0.1) or ()), *reader.lost()]
        finally:
            lines += reader.close()
    assert ["true second", "exit 7"] == [each.command for each in lines if isinstance(each, Readline)][-2:]


def test_one_message_says_that_no_bash_has_the_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bash = tmp_path / "bash"
    shutil.copy("/bin/true", bash)
    module = sys.modules[ReadlineReader.__module__]
    monkeypatch.setattr(module, "_SYSTEM", (str(bash), str(tmp_path / "nowhere")))
    said: list[str] = []
    reader = ReadlineReader(ReadlineOptions(Target(os.getpid())), said.append)
    reader.open()
    events = [*(reader.poll(0.01) or ()), *reader.close()]
    assert ["no bash with a readline function found; lines typed into a shell are not seen"] == said
    assert [] == events


def test_lines_are_seen_without_uprobe_multi_too(tmp_path: Path) -> None:
    with _person(tmp_path) as person:
        graph = sources.readline(ReadlineOptions(Target(person.shell.pid), multi=False))
        with running(graph) as (run, kept):
            person.begin()
            person.type("true")
            person.leave()
            run.stop()
    assert ["true", "exit 7"] == [each.command for each in kept.of(Readline)]
