"""Reports as values: the same numbers and words as the command `report` gives as JSON; tables for a notebook; many at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from agentsight_rx import Ledger, Recording, Rows, op, open_recording, open_recordings, testing
from agentsight_rx.cli import app
from agentsight_rx.cli.report.shown.ask import plain
from agentsight_rx.errors import StoreError, UsageError
from tests.cli.report.story import Story, recorded, text


def network(recording: Recording) -> list[Any]:
    found = recording.network()
    kinds: dict[str, tuple[Any, ...]] = {"peer": tuple(found.peers), "host": tuple(found.hosts), "unread": tuple(found.unread)}
    values: list[Any] = [(kind, plain(value)) for kind, values in kinds.items() for value in values]
    return [{"kind": kind, **value} for kind, value in values]


REPORTS: dict[str, Callable[[Recording], Any]] = {
    "": lambda recording: [recording.summary()],
    "cache": Recording.lost_caches,
    "context": Recording.contexts,
    "files": Recording.file_uses,
    "health": lambda recording: [recording.health()],
    "network": network,
    "tokens": Recording.costs,
    "tokens --group-by agent": lambda recording: recording.costs("agent"),
    "tokens --group-by origin": lambda recording: recording.costs("origin"),
}


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_as_a_value_is_the_report_as_json(path: Path, name: str) -> None:
    shown = CliRunner().invoke(app, ["report", *name.split(), "--db", str(path), "--json", "--all"])
    assert 0 == shown.exit_code, shown.output
    with open_recording(path) as recording:
        values = [plain(each) for each in REPORTS[name](recording)]
    assert [json.loads(line) for line in shown.output.splitlines()] == json.loads(msgspec.json.encode(values))


def test_the_words_are_those_of_the_reports(path: Path) -> None:
    first, gaps = (CliRunner().invoke(app, ["report", *name, "--db", str(path), "--text"]).output for name in ([], ["health"]))
    with open_recording(path) as recording:
        assert recording.verdict().sentence in " ".join(first.split())
        assert recording.findings() == list(recording.summary().findings)
        assert len(recording.losses()) == gaps.count("  ! ")
        assert all(each.lines[0] in " ".join(gaps.split()) for each in recording.losses())


def test_words_are_found_where_they_are(recording: Recording) -> None:
    hits = recording.search("bash")
    assert {"command"} <= {hit.kind for hit in hits}
    assert all(hit.recording == "run.lmdb" for hit in hits)
    assert 1 == len(recording.search("bash", limit=1))
    assert [] == recording.search("nothing-has-this-word")


def test_a_wrong_grouping_names_the_others(recording: Recording) -> None:
    with pytest.raises(UsageError, match="by='modle' is unknown; expected one of model, provider, session"):
        recording.costs("modle")  # type: ignore[arg-type]


def test_a_file_is_opened_as_often_as_it_is_wanted(path: Path) -> None:
    first, second = open_recording(path), open_recording(path)
    first.close()
    first.close()
    assert 4 == len(list(second.calls()))
    with pytest.raises(StoreError, match=r"the recording run\.lmdb is closed: open it again"):
        first.calls()
    second.close()
    rows = open_recording(path).calls()  # whose recording is not kept
    with open_recording(path) as third:
        assert list(third.calls()) == list(rows)


def test_values_say_what_they_are_in_one_line(path: Path) -> None:
    recording = open_recording(path)
    assert repr(recording).startswith("<Recording run.lmdb: 1 session, 4 calls, ")
    recording.close()
    assert "<Recording run.lmdb, closed>" == repr(recording)
    events = testing.cold("-a-b|").pipe(op.keep(bool), op.change(str))
    assert repr(events).endswith(" ▸ keep ▸ change>")
    assert repr(op.keep(bool)).startswith("<Operator keep")
    assert "<Ledger of 0 stages, nothing lost>" == repr(Ledger())


def test_html_is_escaped(tmp_path: Path) -> None:
    story = Story()
    story.asks(text("<script>alert(1)</script>"), answer=[text("<b>bold</b>")])
    with open_recording(recorded(tmp_path / "run.lmdb", story)) as recording:
        shown: list[Any] = [recording, recording.search("alert"), Rows(recording.sessions()), recording.verdict()]
        html = "".join(each._repr_html_() for each in shown)
    events: Any = testing.cold("-a|").pipe(op.keep(bool, name="<i>"))
    html += events._repr_html_()
    assert "&lt;script&gt;" in html
    assert "&lt;i&gt;" in html
    assert not [tag for tag in ("<script", "<b>", "<i>") if tag in html]


def test_many_recordings_are_read_in_turn(path: Path, tmp_path: Path) -> None:
    for name in ("a.lmdb", "b.lmdb"):
        (tmp_path / name).write_bytes(path.read_bytes())
    (tmp_path / "c.lmdb").write_bytes(b"no store")
    (tmp_path / "notes.txt").write_text("no store")
    for many in (open_recordings(tmp_path), open_recordings(f"{tmp_path}/*"), open_recordings(sorted(tmp_path.glob("*.lmdb")))):
        assert ["a.lmdb", "b.lmdb"] == [each.name for each in many]
        assert ["c.lmdb"] == [Path(each).name for each in many.unread]
    assert 8 == len(list(open_recordings(tmp_path).rows(Recording.calls)))
    assert {"a.lmdb", "b.lmdb"} == set(open_recordings(tmp_path).to_arrow("tools")["recording"].to_pylist())
    assert "<Recordings: 3, a.lmdb to c.lmdb>" == repr(open_recordings(tmp_path))


@pytest.mark.parametrize("where", ["/nothing/*.lmdb", []])
def test_no_recording_is_an_error(where: str | list[str]) -> None:
    with pytest.raises(UsageError, match=r"no recording is in .*: give a folder"):
        open_recordings(where)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_table_goes_to_the_library_that_is_there(recording: Recording, library: str) -> None:
    pytest.importorskip(library)
    made = getattr(recording, f"to_{library}")("calls")
    assert type(made).__module__.startswith(library)
    assert 4 == len(made)


@pytest.mark.parametrize("wanted", [3, None])
def test_what_is_no_path_is_named(wanted: Any) -> None:
    with pytest.raises(UsageError, match=f"a recording is a path, .* and this is .*: {wanted}"):
        open_recording(wanted)
