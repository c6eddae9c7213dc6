"""report summary and report diff as Markdown: whole, escaped, folded, and short enough for a comment."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agentsight_rx.cli.report.shown.markdown import escaped, shortened_to
from agentsight_rx.errors import UsageError
from agentsight_rx.policy.rules.guard.file import built_in_rules
from agentsight_rx.store.words import cut
from agentsight_rx.view.queries.sessions.diff import Difference, Runs
from tests.cli.report.asking import bytes_of
from tests.cli.report.story import recorded, small_story
from tests.guarded import leaking, stored


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stored(tmp_path_factory.mktemp("store") / "run.lmdb", leaking().events, built_in_rules())


def lines_of(*words: str) -> list[str]:
    return bytes_of(*words).decode().splitlines()


def test_a_summary_says_what_was_done_and_its_alerts(store: Path) -> None:
    first, _, second, *rest = lines_of("summary", "--markdown", "--db", str(store))
    assert first.startswith("**")
    assert first.endswith("⚑ 2 alerts: secret-left, new-host.**")
    assert "missing" in second
    assert any(line.startswith("- ⚑ `secret-left`, warn: claude read &#126;/.ssh/id&#95;ed25519, and a part") for line in rest)
    assert "unsandboxed" not in "\n".join(line for line in rest if line.startswith("- ⚑"))


def test_parts_are_folded_and_empty_ones_are_absent(tmp_path: Path) -> None:
    text = "\n".join(lines_of("summary", "--markdown", "--db", str(recorded(tmp_path / "run.lmdb", small_story()))))
    titles = re.findall(r"<details><summary>(.*?)</summary>", text)
    assert ["3 tools, 2 failed", "2 files written", "1 file removed"] == titles[:3]
    assert text.count("<details>") == text.count("</details>") == len(titles)
    assert "what was not seen" not in titles
    assert "⚑" not in text


def test_two_runs_are_compared(store: Path, tmp_path: Path) -> None:
    other = recorded(tmp_path / "run.lmdb", small_story())
    lines = lines_of("diff", str(store), str(other), "--markdown")
    assert re.match(r"\*\*\d+ differences between the two runs\*\*; \d+ things? (is|are) equal\.", lines[0])
    assert "| | first | second |" in lines
    assert any(line.startswith("| calls | ") for line in lines)
    assert any("programs, and how they ended: " in line for line in lines)
    with pytest.raises(UsageError, match="--markdown is for two runs"):
        lines_of("diff", "1", "2", "--markdown", "--db", str(store))


def test_captured_text_is_text() -> None:
    made = escaped("a](http://x) <b> `@me` #1 | *x*\x1b[31m &amp; " + "y" * 400)
    for letter in ("](", "<", "`", "@", "http://", "\x1b", "&amp;"):
        assert letter not in made
    assert made.endswith("…")


def test_a_long_text_is_cut_between_lines_and_closes_what_is_open() -> None:
    text = "head\n<details><summary>x</summary>\n" + "\n".join(f"- {number:>6}" for number in range(10_000)) + "\n</details>"
    made = shortened_to(text)
    assert len(made.encode()) <= 60_000
    assert made.endswith("</details>\n\n… the rest is left out: it has more than 60 kB")
    assert 1 == made.count("</details>")
    assert "short" == shortened_to("short")
    assert shortened_to("a\n" * 400, 500).endswith("60 kB")


def test_a_kind_of_many_is_cut(tmp_path: Path) -> None:
    from agentsight_rx.cli.report.shown.markdown import difference_markdown

    many = tuple(Difference("read", f"file {number}", 1, 0) for number in range(60))
    made = difference_markdown(Runs(many, {"read": 1}), {"read": "files read"}, lambda name, value: cut(name, 3))
    assert "- file 49: ×1 → –" in made
    assert "- … and 10 more" in made
