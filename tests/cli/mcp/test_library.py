"""Whose recordings are answered about, and which session is meant."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from agentsight_rx.cli.mcp.answers import ask
from agentsight_rx.cli.mcp.library import refusal_of
from agentsight_rx.cli.places.stores import MACHINE
from agentsight_rx.core.errors import StoreError, UsageError
from tests.cli.report.story import Story, recorded
from tests.cli.report.story import text as says

from .recordings import asked, library_of

_OTHER = 54_321


def test_a_recording_of_another_user_is_neither_opened_nor_named(run: Path) -> None:
    with library_of(run, uid=_OTHER) as library:
        assert [] == library.paths()
        found = asked(library, "find_sessions")
        text, failed = ask(library, "session", {"recording": str(run)})
    assert "sessions in 0 recordings of yours, the newest first. 1 recordings of other users are left out" == found["answer"]
    assert "rows" not in found["recorded"]
    assert failed
    assert "there is no recording of yours" in text
    assert "run" not in json.dumps(found["recorded"])


def test_the_refusal_says_whose_it_is(run: Path) -> None:
    assert "" == refusal_of(run, os.getuid())
    assert f"is a recording of user {os.getuid()}, and user {_OTHER} asks" in refusal_of(run, _OTHER)
    assert "cannot be read: No such file" in refusal_of(run.with_name("nothing.lmdb"), os.getuid())


@pytest.mark.needs("root")
def test_the_recording_of_the_machine_is_not_answered_about(run: Path, tmp_path: Path) -> None:
    machine = tmp_path / MACHINE
    shutil.copy(run, machine)
    assert "has the sessions of all users" in refusal_of(machine, 0)


@pytest.mark.needs("root")
def test_a_file_that_changes_its_owner_is_not_read_any_more(run: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.lmdb"
    shutil.copy(run, mine)
    with library_of(mine) as library:
        assert "7d1e0c52" == library.found("", "").session.id
        os.chown(mine, _OTHER, _OTHER)
        with pytest.raises(StoreError, match="no recording of yours"):
            library.found("", "")


def test_a_session_is_named_by_the_begin_of_its_id_in_any_recording(run: Path, injected: Path) -> None:
    with library_of(run, injected) as library:
        found = library.found("", "7d1e")
        assert ("injected", frozenset({"7d1e0c52"})) == (found.recording, found.selection.sessions)
        assert "run" == library.found("run", "newest").recording
        assert "run" == library.found("/somewhere/run.lmdb", "").recording
        with pytest.raises(UsageError, match="no session begins with 'x' in run"):
            library.found("run", "x")
        with pytest.raises(UsageError, match="no recording of yours is 'nothing'; find_sessions lists the recordings"):
            library.found("nothing", "")


def test_a_begin_of_several_ids_is_refused_and_a_whole_id_is_not(tmp_path: Path) -> None:
    stories = [Story(pid=pid, session=session) for pid, session in ((10, "aaaa"), (20, "aaaa-b"), (30, "aaac"))]
    for story in stories:
        story.runs("claude")
        story.asks(says("Do it."), answer=[says("Done.")], usage={"input_tokens": 5, "output_tokens": 1})
    with library_of(recorded(tmp_path / "three.lmdb", *stories)) as library:
        with pytest.raises(UsageError, match="3 sessions begin with 'aaa'; give more of the id"):
            library.found("", "aaa")
        assert "aaaa" == library.found("", "aaaa").session.id


def test_where_one_is_being_recorded_it_says_to_ask_again(run: Path) -> None:
    with library_of(run, live=True) as library:
        with pytest.raises(UsageError, match="One is being recorded, and shows what happened a second ago: ask again"):
            library.found("", "x")
        assert "nothing is missing" == library.found("", "").not_seen  # its run has ended


def test_a_file_that_is_no_recording_is_said_and_skipped(run: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.lmdb"
    broken.write_bytes(b"no store")
    with library_of(run, broken) as library:
        assert "run" == library.found("", "").recording
        rows = asked(library, "find_sessions")["recorded"]["rows"]
        assert {"recording": "broken", "cannot_be_read": True} in rows
        with pytest.raises(StoreError, match="broken"):
            library.found("broken", "")
