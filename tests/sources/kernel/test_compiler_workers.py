"""Processes that compile: used again while others wait, gone afterwards, never more than allowed."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from agentsight_rx.sources.kernel import compiler as module
from agentsight_rx.sources.kernel.compiler import Worker, Workers

_ECHO = """
import os, sys
for line in sys.stdin:
    print("about", line[:9], file=sys.stderr, flush=True)
    print(os.getpid(), flush=True)
"""


@pytest.fixture(autouse=True)
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """It answers with its pid."""
    path = tmp_path / "program.py"
    path.write_text(_ECHO)
    monkeypatch.setattr(module, "_PROGRAM", path)
    return path


def _is_there(pid: str) -> bool:
    return Path("/proc", pid).exists()


def test_an_answer_comes_with_the_words_of_its_request() -> None:
    worker = Worker()
    answers = [worker.ask(text, []) for text in ("one", "two")]
    worker.close()
    assert [words for _, words in answers] == ['about {"text": \n'] * 2
    assert answers[0][0] == answers[1][0]


def test_where_nobody_waits_a_worker_ends() -> None:
    with Workers(2).one() as worker:
        pid = worker.ask("", [])[0].decode().strip()
        assert _is_there(pid)
    assert not _is_there(pid)


def test_one_worker_serves_all_who_wait() -> None:
    workers = Workers(1)
    answers: list[bytes] = []

    def ask() -> None:
        with workers.one() as worker:
            answers.append(worker.ask("", [])[0])

    threads = [threading.Thread(target=ask) for _ in range(5)]
    with workers.one() as first:
        answers.append(first.ask("", [])[0])
        for thread in threads:
            thread.start()
        while workers.waiting < len(threads):
            os.sched_yield()
    for thread in threads:
        thread.join()
    assert answers == [answers[0]] * 6
    assert not _is_there(answers[0].decode().strip())


def test_the_longest_text_that_waits_is_next() -> None:
    workers = Workers(1)
    asked: list[int] = []

    def ask(size: int) -> None:
        with workers.one(size):
            asked.append(size)

    threads = [threading.Thread(target=ask, args=(size,)) for size in (3, 7, 2, 7, 5)]
    with workers.one(1):
        for thread in threads:
            thread.start()
        while workers.waiting < len(threads):
            os.sched_yield()
    for thread in threads:
        thread.join()
    assert asked == [7, 7, 5, 3, 2]


def test_after_an_exception_a_worker_is_not_used_again() -> None:
    workers = Workers(1)
    answers: list[bytes] = []

    def ask_and_fail() -> None:
        with workers.one() as worker:
            answers.append(worker.ask("", [])[0])
            raise ZeroDivisionError

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            ask_and_fail()
    assert len(set(answers)) == 2


def test_a_worker_that_dies_answers_nothing_and_its_words_are_there(program: Path) -> None:
    program.write_text("import sys\nsys.exit('libbcc.so.0: not here')\n")
    with Workers(1).one() as worker:
        assert worker.ask("", []) == (b"", "libbcc.so.0: not here\n")


def test_each_of_many_that_wait_has_the_words_of_a_worker_that_died(program: Path) -> None:
    """A dead process is not asked again, and more text than a pipe holds does not hide its words."""
    program.write_text("import sys\nsys.exit('bcc: not here')\n")
    workers = Workers(1)
    answers: list[tuple[bytes, str]] = []

    def ask() -> None:
        with workers.one() as worker:
            answers.append(worker.ask("x" * 1_000_000, []))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    with workers.one() as first:
        for thread in threads:
            thread.start()
        while workers.waiting < len(threads):
            os.sched_yield()
        answers.append(first.ask("", []))
    for thread in threads:
        thread.join()
    assert answers == [(b"", "bcc: not here\n")] * 5
