"""The lines behind a recording: what it did, its numbers, what is missing, where to look."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsight_rx.cli.capturing.closing import closing_lines, outcome_of
from agentsight_rx.cli.text import did_said
from agentsight_rx.events import BlindSpot, Origin
from agentsight_rx.events.loss import Ledger, Reason
from agentsight_rx.llm.prices import Prices
from agentsight_rx.runtime.run import Summary
from agentsight_rx.store.rows.tally import Tally, Totals
from agentsight_rx.view.queries.sessions import verdict as outcome
from tests.cli.report.story import BEGAN_MS, Story, items, recorded, result, small_story, text, tool


def summed(story: Story, *lost: tuple[str, Reason, int], failures: tuple[str, ...] = ()) -> Summary:
    """What a run of it says at its end."""
    ledger, tally = Ledger(), Tally()
    ledger.began_ms = BEGAN_MS
    for stage, reason, count in lost:
        ledger.meter(stage).lose(reason, count)
    tally.add(items(story.events))
    return Summary(tally, ledger, seconds=209.4, ended_by="graph", failures=failures)


def closed(store: Path | None, summary: Summary) -> list[str]:
    return list(closing_lines(summary, store, since_ms=BEGAN_MS, who="sh"))


def test_four_lines_say_all_where_nothing_is_missing(tmp_path: Path) -> None:
    store = recorded(tmp_path / "run.lmdb", small_story())
    did, numbers, missing, where = closed(store, summed(small_story()))
    assert did == (
        "claude, 18.5 s: edited 1 file, removed 1 file, ran 2 commands, 2 failed; "
        "pytest tests/test_invoice.py -q failed twice in a row"
    )
    assert numbers.startswith("4 calls · 78.4 k in (78 % cached) · 1.7 k out · $0.096 (prices of 20")
    assert numbers.endswith(" · claude-sonnet-4-5")
    assert missing == "nothing is missing"
    assert where == f"report: agentsight-rx report --db {store}  page: agentsight-rx serve {store}"


def test_the_newest_recording_needs_no_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = recorded(tmp_path / "run.lmdb", small_story())
    monkeypatch.setenv("AGENTSIGHT_DB_PATH", str(store))
    assert "report: agentsight-rx report            page: agentsight-rx serve" == closed(store, summed(small_story()))[-1]


def test_two_things_that_are_missing_are_named_and_where_to_see_all(tmp_path: Path) -> None:
    story = small_story()
    story.events.append(BlindSpot(Origin(1, 77, comm="uv"), 1, connections=3, size=9000, looks_like=("rustls",)))
    store = recorded(tmp_path / "run.lmdb", story)
    lost = [("tls", Reason.KERNEL_LOST, 41), ("inbox", Reason.QUEUE_FULL, 2), ("tls", Reason.FILTERED, 7)]
    lines = closed(store, summed(story, *lost))
    assert lines[2:4] == [
        "3 things are missing: uv 77 could not be read, rustls; 41 records of TLS lost (kernel lost)",
        f"all of it: agentsight-rx report health --db {store}",
    ]


def test_a_command_that_was_not_seen_to_run_is_missing(tmp_path: Path) -> None:
    lost, said = ("process", Reason.UNSEEN, 1), "the recorded command was not seen to run"
    lines = closed(recorded(tmp_path / "run.lmdb", Story()), summed(Story(), lost))
    assert f"1 thing is missing: {said}" in lines
    assert ["1 thing is missing:", f"  {said}"] == closed(None, summed(Story(), lost))[-3:-1]


def test_a_command_of_the_model_without_a_process_is_missing(tmp_path: Path) -> None:
    """Others were seen, so that its process should be known."""
    story = small_story()
    story.asks(text("again"), answer=[tool("t9", "Bash", command="make release")])
    story.asks(result("t9", "released"), answer=[text("Done.")])
    lines = closed(recorded(tmp_path / "run.lmdb", story), summed(story))
    said = "1 command came back and no process of it was seen"
    assert f"1 thing is missing: {said}" in lines
    assert f"  {said}" in closed(None, summed(story))


def test_a_tool_that_is_no_command_needs_no_process(tmp_path: Path) -> None:
    story = small_story()
    story.asks(text("again"), answer=[tool("t9", "WebSearch", query="rounding")])
    story.asks(result("t9", "found"), answer=[text("Done.")])
    assert "nothing is missing" in closed(recorded(tmp_path / "run.lmdb", story), summed(story))


def test_a_destination_that_failed_is_named_whatever_else_is_missing(tmp_path: Path) -> None:
    store = recorded(tmp_path / "run.lmdb", small_story())
    failures = ("sink otel: refused", "sink jsonl: full", "sink web: gone")
    lines = closed(store, summed(small_story(), ("tls", Reason.KERNEL_LOST, 1), failures=failures))
    assert lines[2] == "4 things are missing: sink otel: refused; sink jsonl: full; sink web: gone"


def test_a_program_without_calls_has_no_numbers_and_a_reason(tmp_path: Path) -> None:
    story = Story()
    story.runs("ls -a", pid=50)
    story.ends(2, pid=50, comm="ls")
    summary = summed(story)
    summary.ledger.meter("tls").seen = 0
    lines = closed(recorded(tmp_path / "run.lmdb", story), summary)
    assert lines[0] == "sh, 3 m 29 s: 1 program ran, and no call of a model was seen"
    assert lines[1].startswith("no TLS traffic was read")
    assert lines[2] == "nothing is missing"


def test_where_nothing_was_stored_all_that_is_missing_is_listed() -> None:
    lines = closed(None, summed(small_story(), ("store", Reason.SINK_FAILED, 9), ("tls", Reason.KERNEL_LOST, 1)))
    assert lines == [
        "sh, 3 m 29 s: asked for 3 tools (2 matched with a process), 3 programs ran, 8 file events, 1 network event",
        "4 calls · 78.4 k in (78 % cached) · 1.7 k out · claude-sonnet-4-5",
        "2 things are missing:",
        "  9 lost at store (sink failed)",
        "    It could not be written. Make room on the disk, or limit the store by --max-size.",
        "  1 record of TLS lost (kernel lost)",
        "    The kernel's buffer was full. Leave out what you do not need, such as --no-files.",
    ]


def test_only_the_run_counts_not_earlier_ones_of_the_store(tmp_path: Path) -> None:
    second = Story(session="second", began_s=100)
    second.asks(text("more"), answer=[text("done")])
    store = recorded(tmp_path / "run.lmdb", small_story(), second)
    found = outcome_of(store, since_ms=BEGAN_MS + 50_000, prices=Prices())
    assert found is not None
    assert (found.calls, found.verdict.line) == (1, "answered 1 prompt, changed nothing")


def test_of_very_many_calls_only_the_newest_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcome, "_MOST", 3)
    lines = closed(recorded(tmp_path / "run.lmdb", small_story()), summed(small_story()))
    assert lines[1].startswith("of the newest 3 calls · ")


def test_a_store_that_cannot_be_read_is_named_and_all_that_is_missing_is_listed(tmp_path: Path) -> None:
    (tmp_path / "run.lmdb").write_bytes(b"no store")
    lines = closed(tmp_path / "run.lmdb", summed(small_story(), ("tls", Reason.KERNEL_LOST, 1)))
    assert lines[2:] == [
        f"nothing that can be read was stored in {tmp_path / 'run.lmdb'}",
        "1 thing is missing:",
        "  1 record of TLS lost (kernel lost)",
        "    The kernel's buffer was full. Leave out what you do not need, such as --no-files.",
    ]


def test_every_end_has_one_kind_of_sentence_and_the_same_counts(tmp_path: Path) -> None:
    """record, trace and replay, each with and without a store, and a replay into a store that has other runs."""
    store, summary = recorded(tmp_path / "run.lmdb", small_story()), summed(small_story())
    for verb, who, place, since_ms in (
        ("", "sh", store, BEGAN_MS),
        ("", "sh", None, BEGAN_MS),
        ("traced", "", store, BEGAN_MS),
        ("traced", "", None, BEGAN_MS),
        ("replayed", "", store, 0),
        ("replayed", "web1", store, None),
        ("replayed", "", None, None),
    ):
        lines = list(closing_lines(summary, place, since_ms=since_ms, verb=verb, who=who))
        known = "claude" if place and since_ms is not None else who
        lasted = "18.5 s" if known == "claude" else "3 m 29 s"  # of the session, as in a report; else of the run
        assert lines[0].startswith(f"{' '.join(filter(None, (verb, known)))}, {lasted}: ")
        assert lines[1].startswith("4 calls · 78.4 k in (78 % cached) · 1.7 k out · ")
        assert lines[1].endswith(" · claude-sonnet-4-5")
        assert lines[2] == "nothing is missing"
        assert [line.split(":")[0] for line in lines[3:]] == ["report"] * bool(place)


def test_what_a_run_saw_is_said_without_a_store() -> None:
    """Each kind of row that was counted, and nothing else."""
    assert did_said(Totals()) == "nothing was seen"
    assert did_said(Totals(calls=1)) == "no tool and no program was seen"
    assert did_said(Totals(programs=1)) == "1 program ran, and no call of a model was seen"
    seen = Totals(calls=2, tools=1200, tools_linked=1, programs=192_300, audits={"file": 1, "network": 2, "mcp": 3, "llm": 4})
    assert did_said(seen) == (
        "asked for 1,200 tools (1 matched with a process), 192,300 programs ran, 1 file event, 2 network events, 3 MCP requests"
    )


def test_what_the_tools_of_an_agent_wrote_is_edited_wherever_it_lies(tmp_path: Path) -> None:
    story, written = Story(), ("/home/ada/code/parcel/.env", "/tmp/plan.md")
    story.runs("claude -p plan")
    story.now_s = 0.1
    for at, path in enumerate(written):
        story.asks(text("go"), answer=[tool(f"t{at}", "Write", file_path=path, content="x")])
        story.touches("mkdir", "/home/ada/code/parcel/made", pid=story.pid, comm="claude")
        story.touches("open", path, pid=story.pid, comm="claude", flags=0o1101)
        story.asks(result(f"t{at}", "done"), answer=[text("Done.")])
    store = recorded(tmp_path / "run.lmdb", story)
    assert closed(store, summed(story))[0] == "claude, 8.3 s: edited 2 files"
