"""report files: as text and as JSON."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsight_rx.errors import UsageError
from tests.cli.report.asking import text, values
from tests.cli.report.effects import effects
from tests.cli.report.story import AGENT


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return effects(tmp_path_factory.mktemp("store") / "run.lmdb")


def test_writes_come_first_with_who_and_what_for(store: Path) -> None:
    lines = text(store, "files")
    assert lines[0] == "4 written · 1 removed · 1 moved · 1 refused · in /home/ada/code/parcel"
    assert [line.split()[0] for line in lines[3:]] == ["written"] * 4 + ["removed", "moved", "refused"]
    assert "src/billing/invoice.py         2.0 kB            2  claude 12345           turn 3, Edit" in lines[5]
    assert "sh 12401 of claude +1" in lines[3]


def test_hostile_names_do_nothing_to_a_terminal(store: Path) -> None:
    whole = "\n".join(text(store, "files", "--kind", "written"))
    assert {"\n"} == {char for char in whole if not char.isprintable()}
    assert len(text(store, "files", "--kind", "written")) == 3 + 4


def test_json_has_a_path_a_line(store: Path) -> None:
    found = {value["path"]: value for value in values(store, "files")}
    invoice = found["/home/ada/code/parcel/src/billing/invoice.py"]
    assert (invoice["kind"], invoice["written_bytes"], invoice["count"]) == ("written", 2048, 2)
    assert [(cause["tool"], cause["turn"]) for cause in invoice["causes"]] == [("Edit", 3)]
    assert [(who["pid"], who["agent"]) for who in invoice["by"]] == [(AGENT, "claude")]
    assert found["/home/ada/code/parcel/.env"]["error"] == "EACCES"


def test_one_kind_or_the_paths_below_one(store: Path) -> None:
    assert [value["kind"] for value in values(store, "files", "--kind", "refused")] == ["refused"]
    assert len(values(store, "files", "--path", "/home/ada/code/parcel/src")) == 1


def test_a_limit_is_of_paths_and_the_last_line_names_how_to_see_all(store: Path) -> None:
    assert [value["kind"] for value in values(store, "files", "--limit", "2")] == ["written", "written"]
    lines = text(store, "files", "--limit", "2")
    assert (len(lines), lines[-1]) == (7, f"5 more; all of them: agentsight-rx report files --db {store} --all")
    assert len(text(store, "files", "--all")) == 10


def test_a_session_has_what_its_processes_did_before_their_first_call(store: Path) -> None:
    assert values(store, "files", "--session", "newest") == values(store, "files")


def test_what_there_is_nothing_of_is_said(store: Path) -> None:
    assert text(store, "files", "--pid", "99") == [f"nothing of that kind is in {store}, as it was selected"]


def test_another_kind_is_an_error_that_names_those_that_there_are(store: Path) -> None:
    with pytest.raises(UsageError, match="--kind new is not known; there are written, removed, moved"):
        text(store, "files", "--kind", "new")
