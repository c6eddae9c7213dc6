"""What the tools answer about a real recording, what they refuse, and where texts of a recording stand."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from msgspec.structs import replace

from agentsight_rx.cli.mcp import answers
from agentsight_rx.cli.mcp.answers import TOOLS_BY_NAME, OfSession, ask, schema_of
from agentsight_rx.cli.mcp.library import Library
from agentsight_rx.cli.mcp.paging import MOST, NOTE
from agentsight_rx.llm.prices import Prices
from agentsight_rx.runtime.web.search import Found
from agentsight_rx.store.state import Store
from agentsight_rx.view import CallRow
from agentsight_rx.view.queries.calls.call import WholeCall, read_call
from agentsight_rx.view.queries.context.context import AgentContext
from tests.cli.report.story import Story, recorded
from tests.cli.report.story import text as says

from .recordings import LONG, PROMPT, asked, library_of, paged, replayed

NEEDED: dict[str, dict[str, object]] = {
    "call": {"turn": 1},
    "search": {"words": "refund"},
    "compare": {"first": "newest", "second": "newest"},
}


@pytest.fixture
def library(run: Path) -> Iterator[Library]:
    with library_of(run) as found:
        yield found


def _rows(page: dict[str, Any]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = page["recorded"].get("rows", [])
    return rows


def test_sessions_are_found_with_what_the_other_tools_take(library: Library) -> None:
    (row,) = _rows(asked(library, "find_sessions"))
    assert ("7d1e0c52", "run", "claude", PROMPT, 7) == tuple(
        row[each] for each in ("session", "recording", "agent", "title", "calls")
    )
    assert 1 == len(_rows(asked(library, "find_sessions", agent="Claude", words="REFUNDED", since="2025-11-27T18:00Z")))
    for other in ({"agent": "codex"}, {"words": "another"}, {"since": "2h"}):
        assert [] == _rows(asked(library, "find_sessions", **other))


def test_a_session_has_its_verdict_its_cost_its_findings_and_what_is_missing(library: Library) -> None:
    found = asked(library, "session")
    assert "7 calls (0 failed), 4 tools (1 failed), 36,550 tokens in (11,240 cached), 616 out" in found["answer"]
    assert "nothing is missing" == found["not_seen"]
    assert "Edited 2 files, ran 3 commands, 1 failed." == found["recorded"]["verdict"]
    assert ["Cache lost"] == [row["finding"] for row in _rows(found) if "finding" in row]
    assert found == asked(library, "session", session="7d1e", recording="run.lmdb")


def test_turns_calls_and_tools_lead_to_each_other(library: Library) -> None:
    turns = _rows(asked(library, "turns"))
    assert [1, 2, 3, 4, 5, 6, 7] == [row["turn"] for row in turns]
    assert [7, 6, 5] == [row["turn"] for row in _rows(asked(library, "turns", order="newest"))[:3]]
    costs = [row["usd"] for row in _rows(asked(library, "turns", order="dearest"))]
    assert sorted(costs, reverse=True) == costs
    kinds = {row["kind"]: row["text"] for row in _rows(asked(library, "call", call=turns[2]["call"]))}
    assert "4302 sh -c 'pytest -q tests/test_refunds.py > report.txt' → exit 0" == kinds["process of the tool"]
    assert "/home/ada/shop/report.txt" == kinds["file written by the tool"]
    sent = [row["text"] for row in _rows(asked(library, "call", turn=2, request=True)) if row["kind"] == "sent"]
    assert f"user: {PROMPT}" == sent[0]
    (failed,) = _rows(asked(library, "tools", failed=True))
    assert (1, "exit 1", "argv") == (failed["turn"], failed["ended"], failed["matched_by"])
    assert 3 == len(_rows(asked(library, "tools", name="Bash")))


def test_the_context_and_the_lost_cache_have_their_reasons(library: Library) -> None:
    first, *others = _rows(asked(library, "context"))
    assert 6400 == first["tokens"] == sum(first["tokens_by_origin"].values())
    assert {"prompt, turn 1", "prompt, turn 6"} <= {row.get("part") for row in others}
    assert 2 == _rows(asked(library, "context", turn=2))[0]["turn"]
    (lost,) = _rows(asked(library, "lost_caches"))
    assert (4, 5960, "no part of the request was marked to be cached") == (lost["turn"], lost["lost_tokens"], lost["why"])


def test_files_hosts_and_alerts(library: Library) -> None:
    assert ["/home/ada/shop/refunds.py", "/home/ada/shop/report.txt"] == [row["path"] for row in _rows(asked(library, "files"))]
    assert [] == _rows(asked(library, "files", kind="removed"))
    assert 1 == len(_rows(asked(library, "files", kind="all", path="/home/ada/shop/rep")))
    assert [("api.anthropic.com", 7)] == [(row["host"], row["requests"]) for row in _rows(asked(library, "hosts"))]
    assert "without a guard" in asked(library, "alerts")["answer"]


def test_a_text_is_found_with_the_session_and_the_turn_of_it(library: Library) -> None:
    found = asked(library, "search", words="counted twice")
    assert [("7d1e0c52", 4, "answer")] == [(row["session"], row["turn"], row["kind"]) for row in _rows(found)]
    assert "all recordings were searched, for texts that were recorded" == found["not_seen"]


def test_two_sessions_are_compared(run: Path, injected: Path) -> None:
    with library_of(injected, run) as library:
        assert [] == _rows(asked(library, "compare", first="newest", second="newest"))
    with library_of(run) as library:
        found = asked(library, "compare", first="7d1e0c52", second="7d1e")
    assert "7d1e0c52" == found["recorded"]["second"]["session"]
    assert 4 == found["recorded"]["equal"]["tool"]


def test_a_recording_that_lost_something_says_so_in_every_answer(tmp_path: Path, library: Library) -> None:
    whole = asked(library, "not_seen")
    assert ("nothing is missing", []) == (whole["not_seen"], _rows(whole))
    with library_of(replayed(tmp_path / "lost.lmdb", lost=7)) as other:
        for name, tool in TOOLS_BY_NAME.items():
            if issubclass(tool.takes, OfSession):
                said = asked(other, name, **NEEDED.get(name, {}))["not_seen"]
                assert "1 thing is missing: the tool not_seen says what, and why" == said
        assert "first: 1 thing is missing" in asked(other, "compare", first="newest", second="newest")["not_seen"]
        (missing,) = _rows(asked(other, "not_seen"))
        assert "7 records of TLS lost (kernel lost)" == missing["missing"]
        assert missing["why_and_what_to_do"]


def test_old_recordings_are_skipped_and_broken_ones_named(run: Path, tmp_path: Path) -> None:
    old, broken = tmp_path / "old.lmdb", tmp_path / "broken.lmdb"
    shutil.copy(run, old)
    os.utime(old, (0, 0))
    broken.write_bytes(b"no store")
    with library_of(old, broken) as library:
        assert [{"recording": "broken", "cannot_be_read": True}] == _rows(asked(library, "find_sessions", since="1970-01-02"))
        assert ["broken", "old"] == [row["recording"] for row in _rows(asked(library, "find_sessions"))]


def test_peers_of_connections_are_hosts_too(tmp_path: Path) -> None:
    story = Story(pid=10, session="aaaa")
    story.runs("claude")
    story.asks(says("Do it."), answer=[says("Done.")], usage={"input_tokens": 5, "output_tokens": 1})
    story.connects("192.0.2.7", 5432, pid=10, comm="claude")
    with library_of(recorded(tmp_path / "peer.lmdb", story)) as library:
        (peer,) = [row for row in _rows(asked(library, "hosts")) if "peer" in row]
    assert ("192.0.2.7:5432", ["connect 1"]) == (peer["peer"], peer["did"])


def test_without_the_bytes_of_a_call_there_are_the_texts_of_its_row(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    def without_bytes(store: Store, row: CallRow, prices: Prices) -> WholeCall:
        return replace(read_call(store, row, prices), exchange=None)

    monkeypatch.setattr(answers, "read_call", without_bytes)
    kinds = {row["kind"]: row["text"] for row in _rows(asked(library, "call", turn=1))}
    assert ("I run the test first.", True) == (kinds["answer"], "are not in the recording" in kinds["note"])


def test_a_context_that_is_not_known_is_said(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*_: object) -> list[AgentContext]:
        return []

    monkeypatch.setattr(answers, "read_contexts", nothing)
    said = "no request of this session up to turn 3 was captured whole, so its context is not known"
    assert said == asked(library, "context", turn=3)["answer"]


def test_a_search_waits_for_the_index_and_says_where_it_is_not_whole(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    states = iter((True, False))

    def search(_: str, *, limit: int) -> Found:
        return Found((), 1, limit and 2, going_on=next(states))

    monkeypatch.setattr(library.search, "search", search)
    assert "only 1 of 2 recordings were searched so far: ask again" == asked(library, "search", words="x")["not_seen"]


@pytest.mark.parametrize("name", TOOLS_BY_NAME)
def test_what_was_recorded_is_marked_as_data_and_stands_nowhere_else(injected: Path, name: str) -> None:
    with library_of(injected) as library:
        pages = list(paged(library, name, **(NEEDED.get(name, {}) | ({"words": "IGNORE"} if name == "search" else {}))))
    assert all(page["recorded"]["note"] == NOTE for page in pages)
    inside = json.dumps([page.pop("recorded") for page in pages])
    assert "IGNORE ALL" not in json.dumps(pages)
    assert "IGNORE ALL" in inside


def test_a_secret_is_a_label_in_every_answer(tmp_path: Path) -> None:
    secret = "ghp_" + "a1B2c3D4e" * 4
    with library_of(replayed(tmp_path / "secret.lmdb", prompt=f"Use {secret}", result=f"token {secret}")) as library:
        for name in TOOLS_BY_NAME:
            said = json.dumps(list(paged(library, name, **NEEDED.get(name, {}))))
            assert secret not in said
        assert "[redacted:github:" in json.dumps(asked(library, "turns"))


@pytest.mark.parametrize("name", TOOLS_BY_NAME)
def test_each_schema_is_one_and_takes_what_is_needed(library: Library, name: str) -> None:
    schema = schema_of(TOOLS_BY_NAME[name])
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(NEEDED.get(name, {}), schema)
    assert all(each.get("description") for each in schema["properties"].values())
    text, failed = ask(library, name, NEEDED.get(name, {}))
    assert not failed
    assert len(text.encode()) <= MOST


def test_a_long_text_is_given_whole_over_several_pages(long: Path) -> None:
    with library_of(long) as library:
        pages = list(paged(library, "call", turn=3))
    rows = [row for page in pages for row in _rows(page)]
    whole = "".join(row["text"] for row in rows if row["kind"] == "result of the tool")
    assert len(pages) > 2 or whole  # of a result the row has the begin
    assert all(len(json.dumps(page, ensure_ascii=False, separators=(",", ":")).encode()) <= MOST for page in pages)
    with library_of(long) as library:
        sent = [row for page in paged(library, "call", turn=4, request=True) for row in _rows(page) if row["kind"] == "sent"]
    assert LONG.strip() in "".join(row["text"] for row in sent)


WRONG: list[tuple[str, dict[str, object], str]] = [
    ("nothing", {}, "no tool is 'nothing'; there are find_sessions, session, turns"),
    ("", {}, "no tool is ''"),
    ("Turns", {}, "no tool is 'Turns'"),
    ("turns", {"x": 1}, "unknown field `x`. It takes cursor, session, recording, order"),
    ("session", {"id": "7d1e"}, "unknown field `id`"),
    ("session", {"session": 7}, "Expected `str`, got `int`"),
    ("session", {"session": None}, "session is string: Id of a session"),
    ("session", {"session": ["7d1e"]}, "Expected `str`, got `array`"),
    ("session", {"session": "nothing"}, "no session begins with 'nothing'; find_sessions lists the sessions"),
    ("session", {"session": "x" * 5000}, "no session begins with"),
    ("session", {"session": "../../etc/passwd"}, "no session begins with"),
    ("session", {"recording": "nothing"}, "no recording of yours is 'nothing'"),
    ("session", {"recording": "/etc/passwd"}, "no recording of yours is '/etc/passwd'"),
    ("session", {"recording": "run", "session": "9"}, "no session begins with '9' in run"),
    ("session", {"cursor": "1"}, "the cursor '1' is not of this question"),
    ("turns", {"cursor": "0-00000000"}, "is not of this question"),
    ("turns", {"cursor": "-1-00000000"}, "is not of this question"),
    ("turns", {"cursor": 5}, "Expected `str`, got `int`"),
    ("turns", {"cursor": "x" * 5000}, "the cursor 'xxxx"),
    ("call", {}, "call takes turn or call"),
    ("call", {"turn": 0}, "call takes turn or call"),
    ("call", {"turn": -1}, "Expected `int` >= 0"),
    ("call", {"turn": 99}, "no turn 99 is in this session; turns lists the calls"),
    ("call", {"turn": 10**30}, "call"),
    ("call", {"turn": "two"}, "Expected `int`, got `str`"),
    ("call", {"turn": 1.5}, "Expected `int`"),
    ("call", {"turn": [1]}, "Expected `int`, got `array`"),
    ("call", {"call": "nothing"}, "no call is 'nothing'; turns lists the calls"),
    ("call", {"call": "llm-"}, "several calls are meant; give the id"),
    ("call", {"turn": 1, "request": "maybe"}, "Expected `bool`, got `str`"),
    ("context", {"turn": -5}, "Expected `int` >= 0"),
    ("tools", {"failed": 3}, "Expected `bool`"),
    ("tools", {"name": {}}, "Expected `str`, got `object`"),
    ("files", {"kind": "deleted"}, "kind is all, changed, device, failed, moved, read, refused, removed, temporary, written"),
    ("files", {"path": 1}, "path is string: Only paths that begin with this."),
    ("alerts", {"level": "high"}, "level is note, stop, warn"),
    ("search", {}, "missing required field `words`"),
    ("search", {"words": ""}, "Expected `str` of length >= 1"),
    ("search", {"words": "x" * 401}, "Expected `str` of length <= 400"),
    ("compare", {"first": "7d1e"}, "missing required field `second`"),
    ("compare", {"first": "7d1e", "second": "nothing"}, "no session begins with 'nothing'"),
    ("compare", {"first": "", "second": ""}, "Expected `str` of length >= 1"),
    ("find_sessions", {"since": "yesteryear"}, "yesteryear"),
    ("find_sessions", {"limit": 5}, "unknown field `limit`"),
]


@pytest.mark.parametrize(("name", "arguments", "said"), WRONG)
def test_a_wrong_question_says_what_was_seen_and_what_is_expected(
    library: Library, name: str, arguments: dict[str, object], said: str
) -> None:
    text, failed = ask(library, name, arguments)
    assert failed
    assert said in text
    assert "bug" not in text
    assert len(text) <= 1000


def test_a_text_with_half_of_a_character_is_a_wrong_question(library: Library) -> None:
    for name, arguments in (("tools", {"name": "a\ud800"}), ("search", {"words": "\udfff"}), ("turns", {"cursor": "\ud800"})):
        text, failed = ask(library, name, arguments)
        assert failed
        assert "bug" not in text
        assert text.isascii()


def test_there_are_forty_wrong_questions() -> None:
    assert len(WRONG) >= 40


def test_a_cursor_of_another_question_is_refused(long: Path) -> None:
    with library_of(long) as library:
        cursor = next(paged(library, "call", turn=4, request=True))["cursor"]
        text, failed = ask(library, "call", {"turn": 3, "request": True, "cursor": cursor})
    assert failed
    assert "with the same arguments" in text


def test_a_bug_of_ours_is_one_sentence(
    library: Library, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("of a test")

    monkeypatch.setattr(answers, "read_calls", broken)
    text, failed = ask(library, "turns", {})
    assert failed
    assert "the tool turns has a bug and cannot answer this (ZeroDivisionError); other tools may" == text
    assert "of a test" in capsys.readouterr().err
