"""report export: what is written is what was recorded."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from agentsight_rx.cli.program.snapshot_schema import schema
from agentsight_rx.errors import SinkError, StoreError, UsageError
from agentsight_rx.graphs import TraceOptions, replay
from agentsight_rx.runtime.run import run
from agentsight_rx.runtime.web.app import Bundle
from agentsight_rx.sinks import store as store_sink
from agentsight_rx.sources import ReplayOptions
from agentsight_rx.store.log.reading import read_events
from agentsight_rx.store.rows.kind import ROW_TABLES
from agentsight_rx.store.state import LmdbStore
from agentsight_rx.view.queries.reading import rows_of
from tests.cli.report.asking import bytes_of
from tests.cli.report.effects import effects
from tests.cli.report.story import Story, recorded, small_story
from tests.sinks.test_otel import collecting


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return effects(tmp_path_factory.mktemp("store") / "run.lmdb")


@pytest.fixture(autouse=True)
def page(monkeypatch: pytest.MonkeyPatch) -> None:
    """A built page, also where there is none."""
    built = Bundle("<!doctype html>", "", "a { color: red }", rest="", whole="let page = 1")
    monkeypatch.setattr("agentsight_rx.cli.report.export.bundle", lambda: built)


def export(store: Path, *words: str) -> bytes:
    return bytes_of("export", "--db", str(store), *words)


def contents(path: Path) -> dict[str, list[Any]]:
    """Every event and every row of a store."""
    opened = LmdbStore.open(path, readonly=True)
    try:
        return {"events": list(read_events(opened)), **{table.name: list(rows_of(opened, table)) for table in ROW_TABLES}}
    finally:
        opened.close()


def test_events_that_are_replayed_give_the_same_recording(store: Path, tmp_path: Path) -> None:
    lines = tmp_path / "run.jsonl"
    assert export(store, "-o", str(lines)) == b""
    again = tmp_path / "again.lmdb"
    run(replay(ReplayOptions((str(lines),)), TraceOptions(redaction_key=bytes(32))), [store_sink(again)])
    before, after = contents(store), contents(again)
    assert [name for name in before if before[name] != after[name]] == []
    assert (len(before["llm_calls"]), len(before["events"]) > 30) == (4, True)


def test_a_snapshot_fits_its_schema(store: Path) -> None:
    value: Any = msgspec.json.decode(export(store))
    validator: Any = jsonschema.Draft202012Validator(schema())
    validator.validate(value)
    assert (value["schema_version"], value["summary"]["llm_calls"], len(value["tool_calls"])) == (1, 4, 3)
    assert len(value["audit_events"]) == value["summary"]["audit_events"] > 5
    assert len(msgspec.json.decode(export(store, "--audit-limit", "5"))["audit_events"]) == 5


@pytest.mark.parametrize(
    ("words", "begin"),
    [
        (["-o", "x.jsonl"], b'{"timestamp"'),
        (["-o", "x.ndjson"], b'{"timestamp"'),
        (["-o", "x.json"], b'{\n  "schema_version": 1'),
        (["-o", "x"], b'{\n  "schema_version": 1'),
        (["-o", "x.json", "--format", "jsonl"], b'{"timestamp"'),
        (["-o", "x.jsonl", "--format", "snapshot"], b'{\n  "schema_version": 1'),
    ],
)
def test_the_ending_of_the_file_says_what_is_written(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], begin: bytes
) -> None:
    monkeypatch.chdir(tmp_path)
    export(store, *words)
    (made,) = tmp_path.iterdir()
    assert made.read_bytes().startswith(begin)
    assert made.stat().st_mode == stat.S_IFREG | 0o600


@pytest.mark.parametrize("name", ["x.hra", "run.otlp", "x.jsonl.gz", "x.json.", "x.HAR", "a.json/x.y"])
def test_an_ending_that_no_format_has_is_refused_with_the_list(store: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="no format has the ending") as refusal:
        export(store, "-o", str(tmp_path / name))
    assert [] == list(tmp_path.iterdir())
    said = str(refusal.value)
    assert all(ending in said for ending in (".jsonl", ".json", ".html", ".har", ".pftrace", ".atif.json", ".csv", "otlp"))


def test_standard_output_has_the_same_bytes(store: Path, tmp_path: Path) -> None:
    export(store, "-o", str(tmp_path / "x.jsonl"))
    assert export(store, "-o", "-", "--format", "jsonl") == (tmp_path / "x.jsonl").read_bytes()


def test_a_file_is_replaced_only_by_force(store: Path, tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(b"mine")
    with pytest.raises(SinkError, match="is there already; give --force"):
        export(store, "-o", str(tmp_path / "x.jsonl"))
    assert (tmp_path / "x.jsonl").read_bytes() == b"mine"
    export(store, "-o", str(tmp_path / "x.jsonl"), "--force")
    assert (tmp_path / "x.jsonl").read_bytes().startswith(b'{"timestamp"')


def test_a_place_that_cannot_be_written_to_is_named(store: Path, tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="cannot be written: No such file or directory"):
        export(store, "-o", str(tmp_path / "none" / "x.jsonl"))


def test_a_recording_that_goes_on_is_exported_as_far_as_it_is(tmp_path: Path) -> None:
    live = recorded(tmp_path / "live.lmdb", small_story(), ended=False)
    assert export(live, "--format", "jsonl").count(b"\n") == len(contents(live)["events"])
    assert msgspec.json.decode(export(live))["completeness"]["cut_off"] == 1


@pytest.mark.parametrize(
    ("form", "words", "what"),
    [
        ("snapshot", ("--session", "newest"), "the whole recording: leave out --session"),
        ("jsonl", ("--since", "1h"), "the whole recording: leave out --since"),
        ("har", ("--limit", "3", "--pid", "1"), "the whole recording: leave out --pid and --limit"),
        ("atif", ("--since", "1h"), "what one session did: leave out --since"),
    ],
)
def test_a_part_that_a_format_cannot_have_is_an_error(store: Path, form: str, words: tuple[str, ...], what: str) -> None:
    with pytest.raises(UsageError, match=f"export --format {form} writes {what}"):
        export(store, "--format", form, *words)


def test_another_format_is_an_error(store: Path) -> None:
    with pytest.raises(UsageError, match="--format xls is not known; there are jsonl, snapshot, html, har, perfetto"):
        export(store, "--format", "xls")


def test_another_table_is_an_error(store: Path) -> None:
    with pytest.raises(UsageError, match="--table files is not known; there are calls, tools, tokens, alerts, context, parts"):
        export(store, "--format", "csv", "--table", "files")


@pytest.mark.parametrize("name", ["x.html", "x.har", "x.pftrace", "x.atif.json", "x.csv", "x.parquet"])
def test_formats_of_other_tools_are_private_files_that_are_there_whole(store: Path, tmp_path: Path, name: str) -> None:
    export(store, "-o", str(tmp_path / name))
    assert [name] == [each.name for each in tmp_path.iterdir()]
    assert (tmp_path / name).stat().st_mode == stat.S_IFREG | 0o600
    with pytest.raises(SinkError, match="is there already"):
        export(store, "-o", str(tmp_path / name))


@pytest.mark.parametrize("form", ["html", "har", "perfetto", "atif", "csv", "parquet"])
def test_a_recording_that_is_being_written_is_exported_in_every_format(tmp_path: Path, form: str) -> None:
    live = recorded(tmp_path / "live.lmdb", small_story(), ended=False)
    assert len(export(live, "--format", form)) > 300


def embedded_in(file: bytes) -> Any:
    return msgspec.json.decode(file.partition(b'type="application/json">')[2].partition(b"</script>")[0])


def test_a_page_has_the_session_in_it(store: Path) -> None:
    answers = embedded_in(export(store, "--format", "html"))["answers"]
    assert ["run"] == [row["recording"] for row in answers["sessions"]["sessions"]]
    assert 4 == len(answers["r/run/session/5e5510/turns"]["cards"])
    assert export(store, "--format", "html") == export(store, "--format", "html", "--session", "5e5510")


def test_a_page_of_a_recording_without_a_call_of_a_model_has_all_that_ran(tmp_path: Path) -> None:
    story = Story()
    story.runs("ls")
    story.ends(0)
    answers = embedded_in(export(recorded(tmp_path / "none.lmdb", story), "--format", "html"))["answers"]
    assert "ls" in str(answers["r/none/session/-/processes"])


def test_where_the_page_is_not_built_no_file_is_made(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentsight_rx.cli.report.export.bundle", lambda: None)
    with pytest.raises(SinkError, match=r"the web page is not built.*scripts/page\.sh"):
        export(store, "-o", str(tmp_path / "x.html"))
    assert [] == list(tmp_path.iterdir())


def test_a_trajectory_without_a_session_is_an_error(tmp_path: Path) -> None:
    story = Story()
    story.runs("ls")
    story.ends(0)
    with pytest.raises(StoreError, match="no session of an agent is in"):
        export(recorded(tmp_path / "none.lmdb", story), "--format", "atif")


def test_the_session_of_a_trajectory_is_one(store: Path) -> None:
    with pytest.raises(UsageError, match="no session is meant; give the id of one with --session"):
        export(store, "--format", "atif", "--session", "none")
    assert export(store, "--format", "atif", "--session", "newest") == export(store, "--format", "atif")


def test_spans_are_written_as_lines_and_equal_each_time(store: Path) -> None:
    first, second = (export(store, "--format", "otlp") for _ in range(2))
    assert first == second
    spans: list[Any] = [
        span
        for line in first.splitlines()
        for resource in msgspec.json.decode(line)["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]
    assert 4 == len([span for span in spans if span["name"].startswith("chat ")])
    assert b"off by one cent" not in first
    assert b"off by one cent" in export(store, "--format", "otlp", "--otel-capture-content")


def test_spans_go_to_a_collector_where_one_is_named(store: Path, tmp_path: Path) -> None:
    with collecting() as collector:
        assert b"" == export(store, "--format", "otlp", "--otel-endpoint", collector.url)
    assert 4 == len([span for span in collector.spans if span.name.startswith("chat ")])
    with pytest.raises(UsageError, match="without -o FILE"):
        export(store, "--format", "otlp", "--otel-endpoint", collector.url, "-o", str(tmp_path / "spans"))
    with pytest.raises(UsageError, match="--format otlp"):
        export(store, "--otel-endpoint", collector.url)


def test_a_collector_that_takes_nothing_is_an_error(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.2")
    with pytest.raises(SinkError, match="did not take every span"):
        export(store, "--format", "otlp", "--otel-endpoint", "http://127.0.0.1:9")
