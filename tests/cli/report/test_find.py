"""Words -> where they are in recordings and imported sessions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.inside import ended
from tests.cli.report.story import Story, recorded, text
from tests.cli.test_past import home, past

__all__ = ["home"]


def _found(capsys: pytest.CaptureFixture[str], *words: str) -> list[dict[str, object]]:
    done = ended(capsys, "report", "find", *words, "--json")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def both(home: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Imported sessions, and a recording of two prompts; the path of the recording."""
    ended(capsys, "import")
    story = Story()
    story.runs("claude -p fix")
    story.asks(text("the Naïve invoice"), answer=[text("I mended the invoice")])
    return recorded(past(home).with_name("agentsight-20261101-100000.lmdb"), story)


def test_texts_of_all_stores_are_found_newest_first(both: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (prompt,) = _found(capsys, "naive")
    assert (prompt["kind"], prompt["text"], prompt["matches"], prompt["db"]) == (
        *("prompt", "the Naïve invoice", [[4, 9]]),
        str(both),
    )
    assert {each["kind"] for each in _found(capsys, "invoice")} == {"prompt", "answer"}
    shop = _found(capsys, "prices")
    assert {each["db"] for each in shop} == {str(past(home))}
    times = [int(str(each["timestamp_ms"])) // 60_000 for each in shop]
    assert times == sorted(times, reverse=True)
    assert past(home).with_name("search.sqlite3").exists()


def test_flags_choose(both: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert {each["agent"] for each in _found(capsys, "prices", "--agent", "codex")} == {"codex"}
    assert {each["cwd"] for each in _found(capsys, "prices", "--project", "shop")} == {"/work/shop"}
    assert len(_found(capsys, "prices", "-n", "1")) == 1
    assert {each["db"] for each in _found(capsys, "invoice", "--db", str(both))} == {str(both)}
    late = ended(capsys, "report", "find", "invoice", "--since", "2999-01-01")
    assert (1, True) == (late.returncode, "and none that was chosen has it" in late.stderr)
    assert ended(capsys, "report", "find", "invoice", "--pid", "7").returncode == 2


def test_words_that_are_nowhere_end_with_1_and_say_how_many_texts_were_searched(
    both: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for form in ("--json", "--text"):
        done = ended(capsys, "report", "find", "nowhere", form)
        assert (1, "") == (done.returncode, done.stdout)
        assert "'nowhere' is in none of " in done.stderr
        assert "texts of 1 recording and the imported sessions" in done.stderr
    wrong = ended(capsys, "report", "find", "...")
    assert (2, True) == (wrong.returncode, "'...' has no word to find" in wrong.stderr)


def test_the_match_is_shown_with_its_session(both: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = ended(capsys, "report", "find", "mended", "--text").stdout.splitlines()
    assert " · claude · " in lines[0]
    assert " · turn 1 · answer · " in lines[0]
    assert lines[1] == "    I mended the invoice"
    lines = ended(capsys, "report", "find", "prices", "--text", "-n", "1").stdout.splitlines()
    assert lines[-1] == "the newest 1; all of them: agentsight-rx report find prices --all"


def test_a_text_of_both_a_recording_and_a_file_is_one(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ended(capsys, "import")
    alone = _found(capsys, "prices")
    copy = past(home).with_name("agentsight-20261101-100000.lmdb")
    copy.write_bytes(past(home).read_bytes())
    again = _found(capsys, "prices")
    assert len(again) == len(alone)
    assert {each["db"] for each in again} == {str(copy)}
