"""Recordings and what was imported -> reports over all of them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from agentsight_rx.cli.places import stores
from agentsight_rx.store.state import LmdbStore
from agentsight_rx.view.queries.reading import sessions_named
from tests.cli.inside import ended
from tests.cli.report.story import Story, recorded, text
from tests.cli.test_past import home, past

__all__ = ["home"]


def _recording(home: Path, name: str, prompt: str) -> Path:
    story = Story()
    story.runs("claude -p fix")
    story.asks(text(prompt), answer=[text("done")])
    return recorded(past(home).with_name(f"agentsight-{name}.lmdb"), story)


def _values(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, object]]:
    done = ended(capsys, "report", *words, "--json")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_reports_are_over_recordings_and_files(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ended(capsys, "import")
    path = _recording(home, "20261101-100000", "of the recording")
    rows = _values(capsys, "sessions")
    assert sorted(map(str, (row["known_by"] for row in rows))) == ["['said']"] * 3 + ["['view']"]
    assert {row["db"] for row in rows} == {str(path), str(past(home))}
    assert len(_values(capsys, "sessions", "--db", str(path))) == 1
    said = ended(capsys, "report", "sessions", "--text").stdout
    assert "recorded" in said
    assert "file: the word of the agent's own file. No program, file or connection was seen." in said
    assert "of the recording" in {row["prompt"] for row in _values(capsys, "prompts")}
    assert len(_values(capsys, "prompts", "-n", "2")) == 2
    calls = sum(int(str(row["calls"])) for row in rows)
    assert calls == sum(int(str(row["calls"])) for row in _values(capsys, "tokens", "--group-by", "month"))
    assert ["gemini"] == [row["group"] for row in _values(capsys, "tokens", "--group-by", "agent", "--agent", "gemini")]
    nothing = ended(capsys, "report", "prompts", "--text", "--until", "2001-01-01").stdout
    assert "nothing of that kind is in 1 recording and the imported sessions, as it was selected" in nothing


def test_a_session_is_found_in_whichever_store_has_it(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ended(capsys, "import")
    _recording(home, "20261101-100000", "of the recording")
    store = LmdbStore.open(past(home), readonly=True)
    try:
        (codex,) = sessions_named(store, agent="codex")
        named = [sessions_named(store, project=each) for each in ("/work/shop", "/work/", "shop")]
        assert [codex in found for found in named] == [True] * 3
        assert sessions_named(store, project="/nowhere") == []
    finally:
        store.close()
    (value,) = _values(capsys, "--session", codex.id)
    assert value["session"]["id"] == codex.id  # type: ignore[index]  # of the first screen
    assert codex.id in {row["id"] for row in _values(capsys, "sessions", "--project", "shop")}
    done = ended(capsys, "report", "sessions", "--project", "nowhere")
    assert (2, True) == (done.returncode, "no session fits --project nowhere; there are " in done.stderr)
    assert ended(capsys, "report", "--session", "none").returncode == 2


def test_sessions_of_two_stores_are_compared(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ended(capsys, "import")
    _recording(home, "20261101-100000", "of the recording")
    rows = {row["agent"]: str(row["id"]) for row in _values(capsys, "sessions") if row["known_by"] == ["said"]}
    (seen,) = (str(row["id"]) for row in _values(capsys, "sessions") if row["known_by"] == ["view"])
    kinds = {row["kind"] for row in _values(capsys, "diff", seen, rows["codex"])}
    assert kinds <= {"number", "model", "tool"}
    lines = " ".join(ended(capsys, "report", "diff", seen, rows["codex"], "--text").stdout.split())
    assert "The second run is from the agent's own file: its programs, files and hosts are not known" in lines
    markdown = ended(capsys, "report", "diff", rows["gemini"], rows["codex"], "--markdown").stdout
    assert "Both runs are from the agent's own file: their programs, files and hosts are not known" in markdown


def _refused(path: object, mode: int) -> bool:
    return False


def test_what_cannot_be_read_is_named(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    ended(capsys, "import")
    broken = past(home).with_name("agentsight-broken.lmdb")
    broken.write_bytes(b"no store")
    said = ended(capsys, "report", "sessions", "--text").stdout
    assert f"! not read: {broken} is not a store" in " ".join(said.split())
    monkeypatch.setattr(os, "access", _refused)  # as for a user without rights
    lines = ended(capsys, "report", "tokens", "--text").stdout.splitlines()
    of_root = "! 1 recording belongs to root, and can be read by it: sudo agentsight-rx report tokens"
    assert (of_root in lines) == (broken.stat().st_uid == 0)
    past(home).unlink()
    assert ended(capsys, "report", "sessions").returncode == 1


def test_the_given_store_is_alone(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    ended(capsys, "import")
    path = _recording(home, "20261101-100000", "one")
    assert stores.all_stores(None) == [path, past(home)]
    assert stores.all_stores(path) == [path]
    monkeypatch.setenv("AGENTSIGHT_DB_PATH", str(path))
    assert stores.all_stores(None) == [path]
