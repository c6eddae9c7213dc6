"""A program that answers no has not failed; everything else that does not end with 0 has."""

from __future__ import annotations

import errno
import os
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.events import Event, Origin, ProcessExec, ProcessExit, ProcessFork
from agentsight_rx.llm.agents.answers import ANSWERS, Answer, finds_nothing, is_answer, meaning_of
from agentsight_rx.view import Fold, ProcessRow


def typed(entry: Answer, program: str) -> list[str]:
    return [program, *entry.sub.split()[:1], *entry.options.split()[:1]]


@given(st.sampled_from(ANSWERS), st.data(), st.sampled_from(["", "/usr/bin/", "/nix/store/x/bin/"]))
def test_each_entry_of_the_table_has_a_source_and_holds_for_its_code_alone(
    entry: Answer,
    data: st.DataObject,
    folder: str,  # pyright: ignore[reportPrivateUsage]
) -> None:
    program = data.draw(st.sampled_from(entry.programs.split()))
    argv = typed(entry, folder + program)
    assert entry.source
    assert entry.meaning
    assert is_answer(argv, entry.code)
    known = {each.code for each in ANSWERS if program in each.programs.split()}
    other = data.draw(st.integers(1, 255).filter(lambda code: code not in known))
    assert not is_answer(argv, other)
    assert not is_answer(argv, 0)
    if entry.sub or entry.options:
        assert not is_answer([folder + program, "push", "origin"], entry.code)


@pytest.mark.parametrize(
    ("argv", "code", "answer"),
    [
        ("git -C /x diff --quiet", 1, True),
        ("git commit -m config", 1, False),
        ("git pull --quiet", 1, False),
        ("busybox grep x y", 1, True),
        ("/lib64/ld-linux-x86-64.so.2 --verify /bin/ls", 2, True),
        ("/lib/ld-musl-x86_64.so.1 --verify /bin/ls", 1, True),
        ("/lib64/ld-linux-x86-64.so.2 /bin/ls", 1, False),
        ("/opt/pyenv/bin/readlink x", 1, True),
        ("grep x missing", 2, False),
        ("pytest grep", 1, False),
        ("egrep.py", 1, False),
        ("", 1, False),
    ],
)
def test_what_is_an_answer_is_said_by_the_program_its_command_and_its_options(argv: str, code: int, answer: bool) -> None:
    assert answer == is_answer(argv.split(), code)


def test_only_a_look_up_finds_nothing() -> None:
    assert finds_nothing("open", os.O_RDONLY | os.O_CLOEXEC, errno.ENOENT)
    assert not finds_nothing("open", os.O_WRONLY | os.O_CREAT, errno.ENOENT), "its folder is not there"
    assert not finds_nothing("open", os.O_RDONLY, errno.EACCES)
    assert not finds_nothing("unlink", 0, errno.ENOENT)
    assert not finds_nothing("open", os.O_RDONLY, 0)


class Lives:
    """Processes below 100, one after the other, and the rows that a fold makes of them."""

    def __init__(self) -> None:
        self._now, self._events = 0, list[Event]()

    def _origin(self, pid: int) -> Origin:
        self._now += 1_000_000
        return Origin(self._now, pid, comm="x", wall_ns=self._now)

    def begins(self, pid: int, *argv: str, ppid: int) -> None:
        self._events.append(ProcessFork(self._origin(pid), ppid, pid))
        self._events.append(ProcessExec(self._origin(pid), ppid, pid, filename=argv[0], argv=argv, cwd="/"))

    def ends(self, pid: int, code: int, *, ppid: int, signal: int = 0) -> None:
        self._events.append(ProcessExit(self._origin(pid), ppid, pid, exit_code=None if signal else code, signal=signal))

    def rows(self) -> dict[int, str]:
        fold, found = Fold(), dict[int, str]()
        for event in self._events:
            state = fold.snapshot()  # what is known of children outlives a checkpoint
            fold = Fold()
            fold.restore(state)
            found |= {row.pid: row.status for row in fold.add(event) if isinstance(row, ProcessRow)}
        return found


@pytest.mark.parametrize(
    ("line", "children", "code", "failed"),
    [
        ("cd /x && eval 'grep a b' && pwd", [(["grep", "a", "b"], 1)], 1, False),
        ("ls | grep x", [(["ls"], 0), (["grep", "x"], 1)], 1, False),
        ("grep -q return x || true; diff a b", [(["grep", "-q", "return", "x"], 1), (["diff", "a", "b"], 1)], 1, False),
        ("cd /x && [ -f y ]", [], 1, False),
        ("make && grep x y", [(["make"], 2)], 2, True),
        ("make; grep x y", [(["make"], 2), (["grep", "x", "y"], 2)], 2, True),
        ("if ! grep -q x y; then echo no; exit 1; fi", [(["grep", "-q", "x", "y"], 1)], 1, True),
        ("grep x y || exit 1", [(["grep", "x", "y"], 1)], 1, True),
        ("cd /nowhere", [], 1, True),
        ("pytest", [(["pytest"], 1)], 1, True),
        ("grep x y; pytest", [(["grep", "x", "y"], 1), (["pytest"], 1)], 1, True),
    ],
)
def test_a_shell_passes_on_the_answer_of_its_last_command(
    line: str, children: list[tuple[list[str], int]], code: int, failed: bool
) -> None:
    lives = Lives()
    lives.begins(100, "bash", "-c", line, ppid=1)
    for pid, (argv, ended) in enumerate(children, 101):
        lives.begins(pid, *argv, ppid=100)
        lives.ends(pid, ended, ppid=100)
    lives.ends(100, code, ppid=1)
    assert lives.rows()[100] == ("failure" if failed else "success")


@pytest.mark.parametrize(
    ("argv", "code", "child", "child_code", "failed"),
    [
        ("xargs grep x", 123, "grep x", 1, False),
        ("xargs rm", 123, "rm", 1, True),
        ("find . -exec grep x {} +", 1, "grep x", 1, False),
        ("timeout 5 grep x y", 1, "grep x y", 1, False),
        ("timeout 5 grep x y", 124, "grep x y", 1, True),
        ("sudo bash check.sh", 1, "grep x", 2, True),
        ("bash check.sh", 1, "grep x", 1, True),
    ],
)
def test_a_program_that_starts_others_passes_their_answer_on(
    argv: str, code: int, child: str, child_code: int, failed: bool
) -> None:
    lives = Lives()
    lives.begins(100, *argv.split(), ppid=1)
    lives.begins(101, *child.split(), ppid=100)
    lives.ends(101, child_code, ppid=100)
    lives.ends(100, code, ppid=1)
    assert lives.rows()[100] == ("failure" if failed else "success")


def test_a_signal_is_no_answer() -> None:
    lives = Lives()
    lives.begins(100, "grep", "x", ppid=1)
    lives.ends(100, 1, ppid=1, signal=9)
    assert "killed" == lives.rows()[100]


@pytest.mark.parametrize(
    ("argv", "meaning"),
    [
        (("grep", "x", "f"), "no line was selected"),
        (("/bin/bash", "-c", "cd src && rg -n x"), "no line was selected"),
        (("git", "diff", "--quiet"), "there are differences"),
        (("bash", "-c", "make"), ""),
        ((), ""),
    ],
)
def test_an_answer_has_a_meaning(argv: tuple[str, ...], meaning: str) -> None:
    assert meaning == meaning_of(argv, 1)


@pytest.mark.parametrize("command", ["grep x /dev/null", "cmp /dev/null /dev/zero", "test -f /nowhere", "expr 0", "readlink /"])
def test_programs_of_this_machine_end_as_the_table_says(command: str) -> None:
    done = subprocess.run(command.split(), capture_output=True, check=False)
    assert is_answer(command.split(), done.returncode), done
