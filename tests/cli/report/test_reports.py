"""Every report of a small recording: its text, its JSON, and what it says where there is nothing, or too much."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from agentsight_rx.cli import app
from agentsight_rx.cli.program.errors import shown
from agentsight_rx.events import BlindSpot, Origin
from agentsight_rx.events.loss import Ledger, Reason
from agentsight_rx.store.rows.kind import put
from agentsight_rx.store.rows.tables import CALLS, RUNS
from agentsight_rx.store.state import LmdbStore, Put
from agentsight_rx.view.queries.reading import rows_of
from tests.cli.inside import ended
from tests.cli.program.test_errors import PROGRAM
from tests.cli.report.story import AGENT, Story, recorded, result, small_story, text, tool
from tests.view.page.story import long_session
from tests.view.page.story import recorded as recorded_events

PRICES = '["claude-*"]\ninput = 3\noutput = 15\ncache_read = 0.3\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reports")


@pytest.fixture(scope="module")
def store(folder: Path) -> Path:
    return recorded(folder / "small.lmdb", small_story())


def said(*words: object, status: int = 0) -> list[str]:
    """The text of a report."""
    ran = CliRunner().invoke(app, ["report", *map(str, words), "--text"], catch_exceptions=False)
    assert ran.exit_code == status, ran.output
    return ran.output.splitlines()


def values(*words: object) -> list[Any]:
    """The values of a report: a line of JSON each."""
    ran = CliRunner().invoke(app, ["report", *map(str, words)], catch_exceptions=False)
    assert ran.exit_code == 0, ran.output
    return [json.loads(line) for line in ran.output.splitlines()]


def test_the_first_screen_says_what_it_did_and_what_is_missing(store: Path) -> None:
    lines = said("--db", store)
    assert lines[0] == "Invoice totals are off by one cent for orders with discounts"
    assert lines[1].startswith("claude 12345 · /home/ada/code/parcel · 2025-11-2")
    assert " ".join(lines[2:4]) == (
        "Edited 1 file, removed 1 file, ran 2 commands, 2 failed. pytest tests/test_invoice.py -q failed twice in a row."
    )
    assert lines[4] == "nothing is missing"
    assert lines[5] == "$0.017 of $0.096 (17 %) could be saved: the cache was lost once (turn 4): 6.2 k paid again."
    assert lines[7].startswith("4 calls · 78.4 k in (78 % cached) · 1.7 k out · $0.096 (prices of 20")
    assert " files    2 written   src/billing/invoice.py, .pytest_cache/lastfailed" in lines
    assert "          1 removed   notes.tmp" in lines
    assert "          1 refused   .env" in lines
    assert " network  2 peers     api.anthropic.com ×4, 127.0.0.1:5432 ×1" in lines
    (at,) = [number for number, line in enumerate(lines) if line.startswith(" worth a look ")]
    found = sorted(line.removeprefix(" worth a look ").strip()[:53] for line in lines[at : at + 2])
    assert found == [
        "Cache lost: no part of the request was marked to be c",
        "Same command, same result: twice, nothing else in bet",
    ]
    whole = f"agentsight-rx report call 1 --db {store} · agentsight-rx report calls --db {store}"
    short = f"agentsight-rx report call 1 --db {store} (also calls, "
    assert lines[-1].startswith(f"next: {short if len(str(store)) > 40 else whole}")


def test_a_file_that_a_child_made_before_the_first_call_is_temporary_everywhere(folder: Path) -> None:
    story = Story()
    story.runs("claude -p fix")
    story.runs("sh -c probe", pid=12401, ppid=AGENT)
    story.touches("open", "/home/ada/probe.txt", pid=12401, comm="sh", flags=0o101)
    story.now_s = 0.1
    story.asks(text("go"), answer=[text("done")])
    story.touches("unlink", "/home/ada/probe.txt", pid=AGENT, comm="claude")
    path = recorded(folder / "probe.lmdb", story)
    (found,) = values("--db", path)
    assert (found["files"]["removed"], found["files"]["passing"]) == ([], ["/home/ada/probe.txt"])
    assert "Answered 1 prompt, changed nothing." in said("--db", path)
    assert ["temporary"] == [row["kind"] for row in values("files", "--db", path, "--session", "newest")]


def test_a_later_turn_shows_what_was_sent_in_it_and_never_the_first_prompt_again(store: Path) -> None:
    turns = [line for line in said("--db", store) if line[:5].strip().isdigit()]
    assert ["your prompt", "1 tool result", "1 tool result", "1 tool result"] == [
        next(words for words in ("your prompt", "1 tool result") if words in line) for line in turns
    ]
    lines = said("call", 2, "--db", store)
    assert lines[1].startswith(" new     failed result of Bash (pytest tests/test_invoice.py -q), 76 characters: FAILED")
    assert not any("off by one cent" in line for line in lines)
    assert [row["turn"] for row in values("prompts", "--db", store)] == [1]


def test_a_call_names_the_proxy_that_passed_it_on(folder: Path) -> None:
    path = recorded(folder / "proxied.lmdb", small_story())
    store = LmdbStore.open(path)
    rows = list(rows_of(store, CALLS))
    store.commit([put(replace(rows[0], through="litellm"))])
    store.close()
    assert said("call", 1, "--db", path)[0].startswith("turn 1 · claude-sonnet-4-5 through litellm · ")
    assert said("call", 2, "--db", path)[0].startswith("turn 2 · claude-sonnet-4-5 · ")


def test_a_call_names_its_tool_the_process_its_files_and_the_result(store: Path) -> None:
    lines = said("call", 1, "--db", store)
    assert lines[0].startswith("turn 1 · claude-sonnet-4-5 · ")
    assert lines[0].endswith(", 6.2 s · 18.2 k in (12.0 k cached), 640 out · $0.032 · whole")
    assert lines[1:7] == [
        " new     “Invoice totals are off by one cent for orders with discounts”",
        " says    I will run the test.",
        " tool    Bash  pytest tests/test_invoice.py -q  → exit 1, 3.2 s",
        "           process  12401 sh -c 'pytest tests/test_invoice.py -q'  matched by argv",
        "           files    + /home/ada/code/parcel/.pytest_cache/lastfailed",
        "           result   FAILED tests/test_invoice.py::test_discounted_total - assert 99.99 == 100.00",
    ]
    assert lines[-1].endswith(f"whole: agentsight-rx report call 1 --db {store} --request, --answer")


def test_the_whole_request_and_the_whole_answer_can_be_read(folder: Path) -> None:
    long = "all of it " * 2000
    story = Story()
    story.asks(text(long), answer=[text(long + "said"), tool("t", "Bash", command="ls")])
    story.asks(result("t", long), answer=[text("done")])
    path = recorded(folder / "long.lmdb", story)
    assert f"  {long}".rstrip() in said("call", 1, "--request", "--db", path)
    assert f"  {long}said" in said("call", 1, "--answer", "--db", path)
    asked = said("call", 2, "--request", "--db", path)
    assert [line for line in asked if line[:1].isdigit()] == ["1. user", "2. assistant", "3. user"]
    assert f"    {long}".rstrip() in asked
    (whole,) = values("call", 2, "--db", path)
    assert whole["exchange"]["asked"]["messages"][2]["parts"] == [
        {"type": "tool_result", "id": "t", "output": long, "is_error": False, "media": []}
    ]
    assert len(whole["results_of"]["t"]["tool_name"]) == 4


@pytest.mark.parametrize("wanted", ["2", "llm-12345-1-7-2", "12345-1-7-2"])
def test_a_call_is_found_by_its_turn_and_by_its_id(store: Path, wanted: str) -> None:
    (found,) = values("call", wanted, "--db", store)
    assert found["call"]["id"] == "llm-12345-1-7-2"


@pytest.mark.parametrize(("wanted", "says"), [("9", "no call is 9"), ("llm-1", "may be 4 calls"), ("\x1b[2J", "no call is")])
def test_a_call_that_is_not_there_or_not_one_is_an_error(store: Path, wanted: str, says: str) -> None:
    done = subprocess.run([*PROGRAM, "report", "call", wanted, "--db", str(store)], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("Error: ")
    assert says in done.stderr


def test_calls_are_lines_with_a_sum_and_values_with_costs(store: Path) -> None:
    lines = said("calls", "--db", store)
    assert lines[0].split() == ["turn", "time", "took", "in", "cached", "out", "cost", "tools", "what", "was", "new"]
    assert lines[1].split()[2:10] == ["6.2", "s", "18.2", "k", "12.0", "k", "640", "$0.032"]
    assert lines[-1].startswith("4 calls · 78.4 k in (78 % cached) · 1.7 k out · $0.096 (prices of 20")
    rows = values("calls", "--db", store)
    assert [row["turn"] for row in rows] == [1, 2, 3, 4]
    assert round(sum(row["cost_usd"] for row in rows), 5) == 0.09576
    assert [row["turn"] for row in values("calls", "--db", store, "--limit", 2)] == [3, 4]


def test_the_prices_of_the_user_come_first_and_unknown_ones_say_so(folder: Path, tmp_path: Path) -> None:
    story = Story()
    story.asks(text("a"), answer=[text("b")], usage={"input_tokens": 1_000_000, "output_tokens": 0})
    story.asks(text("c"), answer=[text("d")], model="a-model-of-ours")
    path, prices = recorded(folder / "unknown.lmdb", story), tmp_path / "prices.toml"
    prices.write_text(PRICES)
    assert [row["cost_usd"] for row in values("calls", "--db", path, "--prices", prices)] == [3.0, None]
    lines = said("calls", "--db", path, "--prices", prices)
    assert "unknown" in lines[2]
    assert f"at least $3.00 (prices of {prices}), 1 more without a price: no price of a-model-of-ours" in " ".join(lines)
    groups = values("tokens", "--db", path, "--prices", prices)
    assert [(group["group"], group["cost"]["usd"]) for group in groups] == [
        ("claude-sonnet-4-5", 3.0),
        ("a-model-of-ours", None),
    ]


@pytest.mark.parametrize(
    ("kind", "group"),
    [
        ("model", "claude-sonnet-4-5"),
        ("provider", "anthropic"),
        ("session", "5e5510"),
        ("agent", "claude"),
        ("comm", "claude"),
        ("pid", "12345"),
        ("dir", "/home/ada/code/parcel"),
    ],
)
def test_tokens_are_summed_by_kind(store: Path, kind: str, group: str) -> None:
    (row,) = values("tokens", "--group-by", kind, "--db", store)
    assert (row["group"], row["calls"], row["total_tokens"]) == (group, 4, 80_120)
    assert said("tokens", "--group-by", kind, "--db", store)[0].split()[0] == kind


def test_tokens_by_day_are_in_the_order_of_days(folder: Path) -> None:
    later = Story(session="2nd", began_s=200_000)
    later.asks(text("x"), answer=[text("y")])
    path = recorded(folder / "days.lmdb", small_story(), later)
    days = [row["group"] for row in values("tokens", "--group-by", "day", "--db", path)]
    assert len(days) == 2
    assert days == sorted(days)


def test_tools_name_how_they_ended_and_can_be_chosen(store: Path) -> None:
    lines = said("tools", "--db", store)
    assert lines[1].split(maxsplit=1)[1].split() == [
        "Bash",
        "pytest",
        "tests/test_invoice.py",
        "-q",
        "exit",
        "1",
        "3.2",
        "s",
        "12401",
        "argv",
    ]
    assert lines[3].split(maxsplit=1)[1].split()[0] == "Edit"
    assert [row["tool_name"] for row in values("tools", "--failed", "--db", store)] == ["Bash", "Bash"]
    (edit,) = values("tools", "--name", "Edit", "--db", store)
    assert edit["input"]["old_string"] == "a"  # JSON, as in a snapshot


def test_sessions_are_lines_and_the_newest_is_that_of_the_first_screen(folder: Path) -> None:
    other = Story(pid=777, comm="codex", session="0ther", began_s=500)
    other.asks(text("Another task"), answer=[text("y")])
    path = recorded(folder / "two.lmdb", small_story(), other)
    assert [row["id"] for row in values("sessions", "--db", path)] == ["5e5510", "0ther"]
    lines = said("--db", path)
    assert lines[0] == "Another task"
    assert f"1 other session: agentsight-rx report sessions --db {path}" in lines
    assert said("--db", path, "--session", "5e")[0].startswith("Invoice totals")
    assert [row["session_id"] for row in values("calls", "--db", path, "--session", "newest")] == ["0ther"]
    assert [row["comm"] for row in values("prompts", "--db", path, "--pid", 777)] == ["codex"]


def test_health_names_each_gap_and_what_to_do(folder: Path) -> None:
    story, ledger = small_story(), Ledger()
    spot = BlindSpot(
        Origin(1, 71, comm="uv"), 1, connections=3, size=15018, peers=("127.0.0.1:8443",), files=("/bin/uv",),
        looks_like=("rustls with aws-lc",),
    )  # fmt: skip
    story.events.append(spot)
    ledger.meter("tls").lose(Reason.KERNEL_LOST, 41, 1200)
    ledger.meter("tls/find_blind_spots").lose(Reason.UNREADABLE, 3)
    ledger.meter("process").lose(Reason.UNSEEN, 1)
    path = recorded(folder / "gaps.lmdb", story, ledger=ledger)
    lines = said("health", "--db", path)
    assert lines[0] == "3 things are missing"
    assert any(line.startswith("  ! could not be read: uv (rustls with aws-lc), process 71: 3 connections") for line in lines)
    assert "  ! 41 records of TLS lost (kernel lost), 1.2 kB" in lines
    assert "  ! the recorded command was not seen to run" in lines
    (found,) = values("health", "--db", path)
    assert (found["complete"], found["missing"]) == (False, 3)
    first = said("--db", path)
    assert f"all of it: agentsight-rx report health --db {path}" == first[first.index("3 things are missing") + 1]


def test_a_recording_that_did_not_end_says_so(folder: Path) -> None:
    path = recorded(folder / "killed.lmdb", small_story(), ended=False)
    assert said("health", "--db", path) == ["nothing is missing so far: it is being recorded"]  # its writer is open
    recorded(folder / "ended.lmdb", small_story())
    made = LmdbStore.open(folder / "ended.lmdb")
    ((key, run),) = made.scan(RUNS)
    made.commit([Put(RUNS, key, replace(run, ended=False))])
    made.close()
    lines = said("health", "--db", folder / "ended.lmdb")
    assert lines[0] == "1 thing is missing"
    assert lines[1].startswith("  ! the recording has no orderly end: nothing is known after ")


def test_list_names_each_recording(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    home = tmp_path / "agentsight-rx"
    home.mkdir()
    monkeypatch.setattr("agentsight_rx.cli.places.stores._folder", lambda: home)
    nothing = "no recording; make one with `agentsight-rx record -- COMMAND`; `agentsight-rx import` reads what"
    assert said("list")[0] == nothing
    recorded(home / "agentsight-20261127-180004.lmdb", small_story())
    (home / "agentsight-20261127-190000.lmdb").write_text("not a store at all")
    lines = said("list")
    assert "Invoice totals are off" in lines[2]
    assert "is not a store" in lines[3]
    good, bad = values("list")
    assert (good["held"]["calls"], good["held"]["ended"], bad["held"]) == (4, True, None)


REPORTS: Sequence[tuple[str, ...]] = (
    (), ("summary",), ("calls",), ("call", "1"), ("prompts",), ("tools",), ("sessions",), ("tokens",), ("health",), ("list",),
)  # fmt: skip


@pytest.mark.parametrize("words", REPORTS, ids=" ".join)
def test_a_report_changes_nothing_in_the_store(folder: Path, words: tuple[str, ...]) -> None:
    path = recorded(folder / f"kept-{len(words)}-{words[0] if words else 'first'}.lmdb", small_story())
    before = path.read_bytes()
    said(*words, "--db", path)
    values(*words, "--db", path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("words", REPORTS, ids=" ".join)
def test_an_empty_store_has_an_answer_too(folder: Path, words: tuple[str, ...]) -> None:
    path = recorded(folder / f"empty-{len(words)}-{words[0] if words else 'first'}.lmdb", Story())
    assert said(*words, "--db", path) if words[:1] != ("call",) else True


@pytest.mark.parametrize("words", REPORTS, ids=" ".join)
def test_hostile_texts_are_shown_harmlessly(folder: Path, words: tuple[str, ...]) -> None:
    bad = "\x1b[2J\u202e\x9b1m\r\n\u4f60\u597d\u05e9\u05dc\u05d5\u05dd\x07" * 20
    story = Story(comm="cl\x1b[1maude")
    story.asks(text(bad), answer=[text(bad), tool("t", f"Bash{bad}", command=bad), tool("u", "Read", path=[bad])], model=bad)
    story.asks(result("t", bad, failed=True), answer=[text(bad)], status=529)
    path = recorded(folder / f"hostile-{len(words)}-{words[0] if words else 'first'}.lmdb", story)
    for line in said(*words, "--db", path):
        assert not [char for char in line if not char.isprintable() and char != "\u200e"]
    values(*words, "--db", path)


def test_more_than_the_newest_names_how_to_see_all(store: Path) -> None:
    lines = said("tools", "--db", store, "--limit", 1)
    assert "Edit" in lines[1]
    assert lines[-1] == f"the newest 1; all of them: agentsight-rx report tools --db {store} --all"
    assert len(values("tools", "--db", store, "--all")) == 3


def test_flags_count_before_and_behind_the_name_of_a_report(store: Path) -> None:
    before = CliRunner().invoke(app, ["report", "--db", str(store), "--limit", "1", "tools"]).output
    assert before == CliRunner().invoke(app, ["report", "tools", "--db", str(store), "-n", "1"]).output
    assert before.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["nonsense"], 2, "No such command 'nonsense'"),
        (["tools", "--since", "soon"], 2, "is no time"),
        (["tools", "--session", "zz"], 2, "no session fits --session zz"),
        (["tokens", "--group-by", "colour"], 2, "expected one of model, provider"),
        (["tools", "--json", "--text"], 2, "do not go together"),
        (["tools", "--all", "--limit", "3"], 2, "do not go together"),
        (["tools", "--limit", "0"], 2, "--limit"),
        (["calls", "--prices", "/no/such/file"], 2, "/no/such/file cannot be read"),
        (["call"], 2, "N|ID"),
    ],
    ids=str,
)
def test_wrong_use_is_one_line_and_no_traceback(
    store: Path, words: list[str], status: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    done = ended(capsys, "report", *words, "--db", str(store))
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.startswith("Error: ")
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_goes_away_is_no_error(store: Path) -> None:
    command = f"{' '.join(PROGRAM)} report calls --db {store} | head -n 1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["turn"] == 1


@pytest.mark.parametrize(
    ("rule", "turns"),
    [
        ("request.body~FAILED", [2, 3, 4]),
        ("response.status_code=200&request.body_size<250", [1]),
        ("exchange.path=/v1/messages", [1, 2, 3, 4]),
        ("request.method=GET", []),
    ],
)
def test_calls_are_chosen_by_a_rule_about_their_exchange(store: Path, rule: str, turns: list[int]) -> None:
    assert [row["turn"] for row in values("calls", "--filter", rule, "--db", store)] == turns
    assert [row["turn"] for row in values("http", "--filter", rule, "--db", store)] == turns


def test_a_wrong_rule_is_marked(store: Path) -> None:
    done = subprocess.run(
        [*PROGRAM, "report", "calls", "--filter", "(len<10", "--db", str(store)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("Error: filter: ")


def test_ctrl_c_ends_a_report_quietly_and_leaves_the_store_as_it_was(
    store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> list[str]:
        raise KeyboardInterrupt

    before = store.read_bytes()
    monkeypatch.setattr(sys.modules["agentsight_rx.cli.report.shown.ask"], "write_json", interrupted)
    words = ["report", "calls", "--db", str(store)]
    assert shown(lambda: app(words, prog_name="agentsight-rx", standalone_mode=False), words) == 130
    assert capsys.readouterr() == ("", "")
    assert store.read_bytes() == before
    monkeypatch.undo()
    assert len(values("calls", "--db", store)) == 4  # it was closed: the same process may open it again


def test_turns_that_are_not_shown_say_how_many_failures_they_have(tmp_path: Path) -> None:
    path = recorded_events(tmp_path / "long.lmdb", long_session(300))
    done = CliRunner().invoke(app, ["report", "--db", str(path), "--text"], catch_exceptions=False)
    (line,) = [each for each in done.stdout.splitlines() if "more, with " in each]
    assert re.search(r"… +\d+ more, with \d+ failures: ", line), line
