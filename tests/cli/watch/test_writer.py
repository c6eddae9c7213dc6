"""The process that writes for one user: records on its standard input become their store, and its messages a file beside it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest

from agentsight_rx.cli.watch import writer
from agentsight_rx.cli.watch.writer import Piped, Task
from agentsight_rx.events import Event, Loss
from agentsight_rx.runtime.service.users.pipe import END, frame
from agentsight_rx.store.rows.tables import ALERTS, CALLS, LOSSES, RUNS, SESSIONS
from agentsight_rx.store.state import LmdbStore
from agentsight_rx.testing import Scene


def scene(*, ends: bool = True) -> list[Event]:
    found = Scene()
    agent = found.process("claude", "fix it", cwd="/src")
    agent.asks("fix it")
    agent.is_answered("I look", tools={"Bash": {"command": "rm -rf /"}})
    agent.starts("rm", "-rf", "/")
    if ends:
        agent.ends()
    return found.events


def written(task: Task, data: bytes, home: Path) -> int:
    """The exit status of the process."""
    env = {key: value for key, value in os.environ.items() if key not in ("SUDO_UID", "XDG_CONFIG_HOME")} | {"HOME": str(home)}
    words = [sys.executable, "-m", "agentsight_rx.cli.watch.writer", msgspec.json.encode(task).decode()]
    return subprocess.run(words, input=data, env=env, check=False).returncode


def calls(path: Path) -> list[str]:
    store = LmdbStore.open(path, readonly=True)
    try:
        assert [run.number for _, run in store.scan(RUNS)][-1]
        return [row.status for _, row in store.scan(CALLS)]
    finally:
        store.close()


def losses(path: Path) -> list[tuple[str, str, int]]:
    store = LmdbStore.open(path, readonly=True)
    try:
        return [(each.stage, each.reason.value, each.count) for _, each in store.scan(LOSSES) if not each.reason.intended]
    finally:
        store.close()


def of_this_process(task: Task, data: bytes, monkeypatch: pytest.MonkeyPatch) -> int:
    """The same, here."""
    read, write = os.pipe()

    def send() -> None:
        with open(write, "wb") as file:
            file.write(data)

    sender = threading.Thread(target=send)
    sender.start()
    monkeypatch.setattr(writer, "Piped", lambda: Piped(read))

    def stay(_: Path) -> None:
        """Messages stay where the test sees them."""

    monkeypatch.setattr(writer, "speak_into", stay)
    try:
        return writer.main([msgspec.json.encode(task).decode()])
    finally:
        sender.join()
        os.close(read)


def test_a_store_goes_on_with_each_process(tmp_path: Path) -> None:
    task, events = Task(str(tmp_path / "own.lmdb")), scene()
    assert [0, 0] == [written(task, frame(part) + END, tmp_path) for part in (events[:3], events[3:])]
    assert ["complete"] == calls(tmp_path / "own.lmdb")
    store = LmdbStore.open(tmp_path / "own.lmdb", readonly=True)
    assert [("claude", "fix it")] == [(row.agent, row.title) for _, row in store.scan(SESSIONS)]
    assert [1, 2] == [run.number for _, run in store.scan(RUNS)]
    store.close()
    assert ["own.lmdb", "own.lmdb-lock", "own.log"] == sorted(path.name for path in tmp_path.iterdir())
    assert {0o600} == {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}


def test_of_a_record_that_is_cut_nothing_is_stored(tmp_path: Path) -> None:
    events = scene()
    path = tmp_path / "own.lmdb"
    assert 0 == written(Task(str(path)), frame(events) + END, tmp_path)
    assert [] == losses(path)
    assert 0 == written(Task(str(path)), frame(events) + frame(events)[:-1], tmp_path)
    assert ["complete"] == calls(path)
    assert [("from recorder", "sink_failed", 1)] == losses(path), "so the recording is not complete"


def test_members_of_a_group_may_read_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "all.lmdb"
    for _ in range(2):
        assert 0 == of_this_process(Task(str(path), shared=True), frame(scene()), monkeypatch)
    assert "-rw-r-----" == stat.filemode(path.stat().st_mode)
    assert "-rw-rw----" == stat.filemode(Path(f"{path}-lock").stat().st_mode)


def alerts(path: Path) -> list[str]:
    store = LmdbStore.open(path, readonly=True)
    try:
        return [row.rule for _, row in store.scan(ALERTS)]
    finally:
        store.close()


@pytest.fixture
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_CONFIG_HOME", "SUDO_UID"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / ".config/agentsight-rx"
    folder.mkdir(parents=True)
    return folder


RULE = """
[rule.my-rule]
when = "process.program = rm"
"""


@pytest.mark.parametrize(("guard", "expected"), [(True, True), (False, False)])
def test_alerts_are_by_the_rules_of_the_user(
    tmp_path: Path, at_home: Path, monkeypatch: pytest.MonkeyPatch, *, guard: bool, expected: bool
) -> None:
    (at_home / "guard.toml").write_text(RULE)
    path = tmp_path / "own.lmdb"
    assert 0 == of_this_process(Task(str(path), guard=guard), frame(scene()), monkeypatch)
    assert expected == ("my-rule" in alerts(path))


def test_rules_that_are_wrong_are_said_and_the_rest_is_recorded(
    tmp_path: Path, at_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (at_home / "guard.toml").write_text("[rule.my-rule]\nwhen = 3\n")
    path = tmp_path / "own.lmdb"
    assert 0 == of_this_process(Task(str(path), guard=True), frame(scene()), monkeypatch)
    assert "guard.toml" in capsys.readouterr().err
    assert ["complete"] == calls(path)
    assert [] == alerts(path)


def test_a_file_that_is_no_store_stays_and_is_said(
    tmp_path: Path, at_home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "own.lmdb"
    path.write_text("mine" * 4096)
    assert 1 == of_this_process(Task(str(path)), frame(scene()), monkeypatch)
    assert "own.lmdb is not a store" in capsys.readouterr().err
    assert "mine" * 4096 == path.read_text()


def test_its_messages_go_into_a_file_and_no_link_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "own.lmdb"
    path.write_text("mine" * 4096)
    assert 1 == written(Task(str(path)), b"", tmp_path)
    assert "own.lmdb is not a store" in (tmp_path / "own.log").read_text()
    (tmp_path / "own.log").unlink()
    (tmp_path / "target").write_text("whole")
    (tmp_path / "own.log").symlink_to(tmp_path / "target")
    assert written(Task(str(path)), b"", tmp_path)
    assert "whole" == (tmp_path / "target").read_text()


def test_it_waits_for_input_and_no_longer_than_it_is_asked_to() -> None:
    read, write = os.pipe()
    piped = Piped(read)
    piped.open()
    assert () == piped.poll(0)
    os.write(write, frame(scene()))
    assert scene() == [*(piped.poll(1) or ())]
    os.close(write)
    assert piped.poll(1) is None
    assert () == piped.lost()
    assert ["from recorder"] == [event.stage for event in piped.close() if isinstance(event, Loss)]
    os.close(read)


def test_nothing_is_missing_where_nothing_came_or_the_end_was_said() -> None:
    for data in (b"", frame(scene()) + END):
        read, write = os.pipe()
        os.write(write, data)
        os.close(write)
        piped = Piped(read)
        piped.open()
        while piped.poll(1) is not None:
            pass
        assert () == piped.close()
        os.close(read)
