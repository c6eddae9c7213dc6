"""The session files of a home -> a store, and what reports say of it."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from agentsight_rx.llm.prices import Prices
from agentsight_rx.runtime.run import Run
from agentsight_rx.store.reasons import FILE_GONE
from agentsight_rx.store.rows.kinds import SAID
from agentsight_rx.store.state import LmdbStore
from agentsight_rx.view.page.bodies import body_of_call, body_of_tool, diff_of
from agentsight_rx.view.page.counts import wholeness_of
from agentsight_rx.view.page.head import head_of
from agentsight_rx.view.page.picture import Picture
from agentsight_rx.view.page.rail import rail_of
from tests.cli.inside import ended
from tests.guarded import leaking, stored
from tests.sources.session_files.test_source import FILES, NAME, rows_in, write
from tests.view.transcripts.samples import CLAUDE

REPORTS = ("", "health", "tools", "processes", "files", "network", "context", "cache", "tokens", "prompts", "timeline")
HIDDEN = ("nothing is missing", "Nothing is missing")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_DATA_HOME", "SUDO_USER", "SUDO_UID", "AGENTSIGHT_DB_PATH"):
        monkeypatch.delenv(name, raising=False)
    for path, content in FILES.items():
        write(tmp_path, path, content)
    return tmp_path


def past(home: Path) -> Path:
    return home / ".local/share/agentsight-rx/past.lmdb"


def test_sessions_are_imported_and_reports_find_them(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = ended(capsys, "import")
    assert done.returncode == 0
    assert "3 sessions of agents' own files: Claude Code 1, Gemini CLI 1, Codex CLI 1" in done.stderr
    assert "agentsight-rx report sessions" in done.stderr
    assert "Claude Code deletes session files after 30 days (`cleanupPeriodDays`): " in done.stderr
    assert past(home).stat().st_mode & 0o777 == 0o600
    listed = ended(capsys, "report", "sessions", "--json")
    assert {"claude", "codex", "gemini"} == {json.loads(line)["agent"] for line in listed.stdout.splitlines()}
    for report in REPORTS:
        said = ended(capsys, "report", *report.split())
        assert said.returncode == 0, (report, said.stderr)
        assert not any(claim in said.stdout for claim in HIDDEN), report
    assert not json.loads(ended(capsys, "report", "health", "--json").stdout)["complete"]


def test_reports_of_what_no_file_has_say_so(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ended(capsys, "import")
    for report in ("processes", "files", "network", "http", "mcp"):
        said = ended(capsys, "report", report, "--text").stdout
        assert "from the agent's own file: no program, file or connection was seen" in said, report
    for report in ("calls", "tools", "timeline"):
        assert "from the agent's own file" in ended(capsys, "report", report, "--text").stdout, report
    assert "6 of 6 calls are known from agents' own files alone" in ended(capsys, "report", "tokens", "--text").stdout
    assert "from the agent's own file" in ended(capsys, "report", "call", "1", "--agent", "codex", "--text").stdout
    assert "processes" not in ended(capsys, "report", "--text").stdout
    assert "3 imported sessions, of agents' own files" in ended(capsys, "report", "list", "--text").stdout
    compared = ended(capsys, "report", "compare")
    assert (2, True) == (compared.returncode, "compare needs a recording" in compared.stderr)
    assert "is from agents' own files" in ended(capsys, "report", "alerts", "--text").stdout


def test_exports_claim_no_more_than_a_file(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ended(capsys, "import")
    for form in ("snapshot", "jsonl", "html", "har", "perfetto", "atif", "csv", "parquet", "otlp"):
        done = ended(capsys, "report", "export", "--format", form, "-o", str(home / form))
        assert (0, True) == (done.returncode, "no program, file or connection was seen" in done.stderr), form
    snapshot = json.loads((home / "snapshot").read_text())
    assert (snapshot["completeness"]["complete"], snapshot["completeness"]["cut_off"]) == (False, 0)
    spans = (home / "otlp").read_text()
    assert '"chat ' in spans
    chats = [each for each in spans.split('"name":"') if each.startswith("chat ")]
    assert [each for each in chats if "url.scheme" in each or "agentsight.complete" in each] == []


def test_rules_are_judged_as_far_as_a_file_says(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ended(capsys, "import")
    rules = home / "rules.toml"
    rules.write_text(
        '[rule.calls]\nwhen = "session.calls >= 2"\ndo = "warn"\n'
        '[rule.fails]\nwhen = "tool.failures >= 1"\ndo = "warn"\n'
        '[rule.hosts]\nwhen = "net.host = a.example"\ndo = "warn"\n'
    )
    words = ("check", str(past(home)), "--rules", str(rules))
    done = ended(capsys, *words, "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 1
    assert {"secret-in-prompt", "calls", "fails"} == {each["rule"] for each in found["alerts"]}
    assert {"said"} == {each["view_source"] for each in found["alerts"]}
    assert {None} == {each["pid"] for each in found["alerts"]}
    assert {"hosts", "writes-outside"} < {*found["not_judged"]}
    assert "dangerous-command" not in found["not_judged"], "the file has what the agent asked for"
    assert "rules need a recording, which this is not: " in ended(capsys, *words).stdout
    junit = ended(capsys, *words, "--format", "junit").stdout
    assert f'skipped="{len(found["not_judged"])}"' in junit
    gaps = " ".join(ended(capsys, "guard", "test", str(past(home)), "--gaps", "--text").stdout.split())
    assert "from the agent's own file: no program, file or connection was seen: " in gaps


def test_a_dangerous_command_is_judged_by_what_the_agent_asked_for(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(home, NAME, CLAUDE.replace(b'"command": "make"', b'"command": "make && rm -rf /srv/shop"'))
    ended(capsys, "import")
    rules = home / "rules.toml"
    rules.write_text(
        '[rule.runs-rm]\nwhen = "process.argv ~ rm"\ndo = "warn"\n'
        '[rule.any-program]\nwhen = "event=process"\ndo = "warn"\n'
        '[rule.danger-and-files]\nwhen = "process.danger = delete | file.path = /etc/x"\ndo = "note"\n'
    )
    found = json.loads(ended(capsys, "check", str(past(home)), "--rules", str(rules), "--json").stdout)
    (alert,) = (each for each in found["alerts"] if each["rule"] == "dangerous-command")
    assert "claude asked to delete recursively outside of the workspace: /srv/shop" == alert["sentence"]
    assert ("rm -rf /srv/shop", "said") == (alert["command"], alert["view_source"])
    assert {"runs-rm", "any-program", "danger-and-files"} < {*found["not_judged"]}
    assert not {"runs-rm", "any-program"} & {each["rule"] for each in found["alerts"]}
    assert "danger-and-files" in {each["rule"] for each in found["alerts"]}, "judged in part"
    rules.write_text('[rule.dangerous-command]\nallow = [{ command = "rm *" }]\n')
    found = json.loads(ended(capsys, "check", str(past(home)), "--rules", str(rules), "--json").stdout)
    assert "dangerous-command" not in {each["rule"] for each in found["alerts"]}


def test_without_a_name_the_recordings_and_the_imported_sessions_are_judged(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ended(capsys, "import")
    alone = json.loads(ended(capsys, "check", str(past(home)), "--json").stdout)
    stored(past(home).with_name("agentsight-20261101-100000.lmdb"), leaking().events)
    found = json.loads(ended(capsys, "check", "--json").stdout)
    assert alone["not_judged"] == found["not_judged"]
    assert {"view", "said"} == {each["view_source"] for each in found["alerts"]}
    assert alone["alerts"] == [each for each in found["alerts"] if each["view_source"] == "said"]
    assert "which the imported sessions are not: " in ended(capsys, "check").stdout


def test_a_csv_of_all_stores_has_each_call_once(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ended(capsys, "import")
    copy = past(home).with_name("agentsight-20261101-100000.lmdb")
    copy.write_bytes(past(home).read_bytes())
    other = stored(past(home).with_name("agentsight-20261101-110000.lmdb"), leaking().events)

    def calls(*words: str) -> list[str]:
        return ended(capsys, "report", "export", "--format", "csv", *words).stdout.splitlines()[1:]

    every = calls("--all")
    assert {line.partition(",")[0] for line in every} == {
        line.partition(",")[0] for path in (copy, other) for line in calls("--db", str(path))
    }
    assert len(every) == len(calls("--db", str(copy))) + len(calls("--db", str(other)))
    total = sum(json.loads(line)["calls"] for line in ended(capsys, "report", "tokens", "--json").stdout.splitlines())
    assert total == len(every)
    done = ended(capsys, "report", "export", "--all", "-o", str(home / "all.csv"))
    assert "of 2 recordings and the imported sessions to " in done.stderr
    wrong = ended(capsys, "report", "export", "--all", "--format", "csv", "--table", "tools")
    assert (2, True) == (
        wrong.returncode,
        "--all writes calls, tokens, parts; the table tools" in wrong.stderr,
    )
    assert ended(capsys, "report", "export", "--all", "--format", "jsonl").returncode == 2


def test_the_page_shows_the_sheet_and_claims_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ended(capsys, "import")
    store = LmdbStore.open(past(home), readonly=True)
    try:
        picture = Picture(store, Prices())
        rows = list(rail_of(picture, "past.lmdb"))
        whole = [wholeness_of(picture.healths.of(session)) for session in picture.roots]
    finally:
        store.close()
    assert [True] * 3 == [row.file for row in rows]
    assert {"from the agent's own file: no program, file or connection was seen"} == {each.file for each in whole}


def test_the_texts_of_a_call_are_whole(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A row has their begin."""
    prompt, result = "Mend the prices. " * 400, "shop.py\n" * 4000
    lines: list[dict[str, object]] = [
        {"type": "user", "message": {"role": "user", "content": prompt}},
        {"type": "assistant", "message": {"id": "msg_1", "model": "claude-4", "role": "assistant", "content": [
            {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {}}], "usage": {"input_tokens": 9000}}},
        {"type": "user", "message": {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "toolu_1", "content": result}]}},
        {"type": "assistant", "message": {"id": "msg_2", "model": "claude-4", "role": "assistant", "content": [
            {"type": "text", "text": "Done. " * 400}], "usage": {"input_tokens": 19000}}},
    ]  # fmt: skip
    begin = {"sessionId": "long", "version": "2.1.4", "cwd": "/work", "timestamp": "2026-11-20T10:00:00Z"}
    write(home, ".claude/projects/-work/long.jsonl", "".join(json.dumps(begin | line) + "\n" for line in lines).encode())
    ended(capsys, "import")
    store = LmdbStore.open(past(home), readonly=True)
    try:
        picture = Picture(store, Prices())
        body = body_of_call(picture, "said-long-msg_2", part="whole")
        told = body_of_tool(picture, "tool-said-long-msg_1-toolu_1", part="result", offset=0)
        changed = diff_of(picture, "said-long-msg_1", "said-long-msg_2")
    finally:
        store.close()
    assert body.missing.startswith("the agent's own file does not contain the request")
    sizes = [each.total for said in body.messages for each in said.parts]
    assert (body.parameters, body.fresh, sizes) == ({}, 1, [len(prompt), 2, len(result)])
    assert ([each.total for each in body.answer], told.text) == ([len("Done. " * 400)], result)
    assert (changed.missing, [line.change for line in changed.lines]) == (body.missing, ["same", "new", "new"])
    shown = ended(capsys, "report", "call", "said-long-msg_2", "--request", "--text")
    assert result.splitlines()[-1] in shown.stdout


def test_a_file_that_is_gone_is_said_where_its_session_is_shown(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ended(capsys, "import")
    assert "gone" not in ended(capsys, "report", "sessions", "--text").stdout
    (home / NAME).unlink()
    ended(capsys, "import")
    (id,) = [row.id for row in rows_in(past(home))["sessions"] if row.file_gone]
    assert "file gone: Mend" in ended(capsys, "report", "sessions", "--text").stdout
    assert FILE_GONE in ended(capsys, "report", "--session", id, "--text").stdout
    store = LmdbStore.open(past(home), readonly=True)
    try:
        assert FILE_GONE == head_of(Picture(store, Prices()), id, recording="past.lmdb").whole.gone
    finally:
        store.close()


def test_a_second_import_changes_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ended(capsys, "import")
    before = rows_in(past(home))
    written = past(home).stat()
    again = ended(capsys, "import")
    assert (0, True) == (again.returncode, "3 sessions of agents' own files" in again.stderr)
    assert before == rows_in(past(home))
    assert (written.st_size, written.st_mtime_ns) == (past(home).stat().st_size, past(home).stat().st_mtime_ns)
    with (home / NAME).open("ab") as file:
        file.write(b'{"type": "summary", "summary": "Another title"}\n')
    ended(capsys, "import")
    assert "Another title" in repr(rows_in(past(home))["sessions"])


def test_what_was_imported_exported_and_replayed_is_equal(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ended(capsys, "import")
    next(home.glob(".codex/**/*.jsonl")).unlink()
    ended(capsys, "import")
    lines, again = home / "past.jsonl", home / "again.lmdb"
    assert ended(capsys, "report", "export", "--db", str(past(home)), "-o", str(lines)).returncode == 0
    assert ended(capsys, "replay", str(lines), "--db", str(again)).returncode == 0
    assert rows_in(past(home)) == rows_in(again)


def test_a_row_of_a_file_claims_nothing_that_only_a_kernel_sees(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ended(capsys, "import")
    for table, rows in rows_in(past(home)).items():
        assert table not in {"process_nodes", "resource_samples", "network_targets", "http_exchanges"} or not rows
        for row in rows:
            seen = (getattr(row, name, None) for name in ("pid", "process_id", "container", "exit_code", "host", "path_bytes"))
            assert not any(seen), row
            assert SAID == getattr(row, "view_source", SAID), row


def test_what_retention_removed_is_not_read_anew(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def sessions() -> set[str]:
        return {row.agent or "" for row in rows_in(past(home))["sessions"]}

    recent = CLAUDE.replace(b"2026-11-01", time.strftime("%Y-%m-%d", time.gmtime()).encode())
    write(home, NAME, recent)
    ended(capsys, "import")
    assert {"claude", "codex", "gemini"} == sessions()
    for flags in (("--keep", "3d"), (), ("--max-size", "1GB")):
        assert ended(capsys, "import", *flags).returncode == 0
        assert {"claude"} == sessions()
        assert {row.session_id for row in rows_in(past(home))["llm_calls"]} == {"1a2b3c4d-0000-4000-8000-000000000001"}
    next(home.glob(".codex/**/*.jsonl")).unlink()
    ended(capsys, "import")
    assert {"claude"} == sessions(), "the mark of a file that is gone brings no row back"
    assert ended(capsys, "import", "--keep", "soon").returncode == 2


def test_what_cannot_be_read_is_said(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (home / NAME).open("ab") as file:
        file.write(b"{broken\n")
    said = ended(capsys, "import").stderr
    assert "1 line could not be read" in said
    assert "1 malformed" in ended(capsys, "report", "health").stdout or "malformed" in ended(capsys, "report", "health").stdout


def test_a_home_without_sessions_is_said(home: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for path in FILES:
        (home / path).unlink()
    done = ended(capsys, "import")
    assert (0, True) == (done.returncode, f"no session of an agent is in {home}" in done.stderr)


def test_only_one_agent(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "1 session of agents' own files: Codex CLI 1" in ended(capsys, "import", "--agent", "codex").stderr
    done = ended(capsys, "import", "--agent", "hal")
    assert (2, True) == (done.returncode, "--agent hal: its session files are not read; there are " in done.stderr)
    assert ended(capsys, "import", "--since", "soon").returncode == 2
    known_by_name = ended(capsys, "import", "--agent", "aider")  # and its files are read by no parser
    assert (2, True) == (known_by_name.returncode, "there are claude, codex, gemini" in known_by_name.stderr)


def test_paths_are_read_in_place_of_the_home(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "1 session of agents' own files: Claude Code 1" in ended(capsys, "import", str(home / ".claude")).stderr
    assert "2 sessions of agents' own files" in ended(capsys, "import", str(home / ".codex"), str(home / NAME)).stderr
    for wrong in (str(home / "gone"), str(home / ".local")):
        done = ended(capsys, "import", wrong)
        assert (2, True) == (done.returncode, done.stderr.startswith(f"Error: {wrong}: "))
    refused = ended(capsys, "import", "--forget", str(home))
    assert (2, True) == (refused.returncode, "--forget removes all that was imported, and takes no PATH" in refused.stderr)


def test_it_is_forgotten(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "nothing was imported" in ended(capsys, "import", "--forget").stderr
    ended(capsys, "import")
    assert "what was imported is removed" in ended(capsys, "import", "--forget").stderr
    assert not past(home).exists()
    assert (home / NAME).exists()
    assert "`agentsight-rx import` reads what agents wrote down themselves" in ended(capsys, "report").stderr


def test_recordings_come_before_what_was_imported(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ended(capsys, "import")
    recording = past(home).with_name("agentsight-20261101-100000.lmdb")
    recording.write_bytes(past(home).read_bytes())
    past(home).unlink()
    ended(capsys, "import", "--agent", "codex")
    listed = ended(capsys, "report", "sessions", "--json").stdout.splitlines()
    assert len(listed) == 3


def test_a_stop_says_that_there_is_more(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = home / "whole.lmdb"
    ended(capsys, "import", "--db", str(whole))

    def at_once(_: Run, __: float) -> str:
        return "signal"

    monkeypatch.setattr(Run, "ended", at_once)
    stopped = ended(capsys, "import")
    assert stopped.returncode == 0
    monkeypatch.undo()
    monkeypatch.setenv("HOME", str(home))
    assert ended(capsys, "import").returncode == 0
    for table in ("token_usage", "sessions"):  # without labels of secrets, which are others in each store
        assert rows_in(whole)[table] == rows_in(past(home))[table]
