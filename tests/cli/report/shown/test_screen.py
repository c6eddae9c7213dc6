"""Lines and tables: aligned, as wide as the screen, and harmless whatever was captured."""

from __future__ import annotations

import re
from operator import itemgetter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from rich.cells import cell_len

from agentsight_rx.cli.report import calls, files, lists, mcp, network, tokens, tools, transcripts
from agentsight_rx.cli.report.shown.screen import Cell, Column, Columns, Prose, Screen, Span, Whole, render, table
from agentsight_rx.cli.report.summary import COLUMNS as SUMMARY

COLUMNS: Columns[tuple[Cell, ...]] = (
    Column("n", itemgetter(0), right=True),
    Column("text", itemgetter(1), flexible=True),
    Column("path", itemgetter(2), flexible=True, middle=True),
)
TABLES: dict[str, Columns[Any]] = {
    "calls": calls.columns_of(one_model=False, wide=True),
    "files": files.columns_of("/home"),
    "mcp": mcp.COLUMNS,
    "summary": SUMMARY,
    "transcripts": transcripts.columns_of(0),
    "audit": lists.COLUMNS,
    "http": lists.HTTP_COLUMNS,
    "prompts": lists.prompts_columns_of(0),
    "sessions": lists.sessions_columns_of(0),
    "processes": tools.COLUMNS,
    "tools": tools.TOOLS_COLUMNS,
    "peers": network.PEERS,
    "hosts": network.HOSTS,
    "tokens": tokens.columns_of("dir"),
}
HOSTILE = [
    "\x1b[2J\x1b]0;owned\x07",
    "two\nlines\r\nand \ttabs",
    "\u202egnihtyna",
    "\u05e9\u05dc\u05d5\u05dd 12",
    "\u4f60\u597d" * 60,
    "a\u200db\u0301" * 50,
    "\x9b31m \x00\x7f",
    "\ud800",
]


def shown(rows: list[tuple[Cell, ...]], width: int = 40) -> list[str]:
    screen = Screen(width=width)
    return [render(line, screen) for line in table(COLUMNS, rows, screen)]


def test_numbers_end_in_one_column_and_titles_stand_over_them() -> None:
    assert ["    n  text", "    1  a", " 1000  b"] == shown([("1", "a", ""), ("1000", "b", "")])


def test_a_column_without_a_cell_is_left_out() -> None:
    assert [" text", " a"] == shown([("", "a", "")])


@pytest.mark.parametrize("width", [20, 40, 80, 200])
@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_whatever_was_captured_is_one_line_in_the_width_and_does_nothing(text: str, width: int) -> None:
    lines = shown([("1", text, text), ("22", "ok", "/a/b")], width)
    assert len(lines) == 3
    for line in [*lines, render((Span(text), text), Screen(width=width))]:
        assert cell_len(line) <= max(width, 8 + 8 + 2 + 4)
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", line)


def test_text_from_right_to_left_moves_nothing_behind_it() -> None:
    (_, line) = shown([("1", "\u05e9\u05dc\u05d5\u05dd", "12")])
    assert "\u05e9\u05dc\u05d5\u05dd\u200e" in line


def test_a_path_is_cut_in_the_middle_and_prose_at_its_end() -> None:
    (_, line) = shown([("1", "word " * 10, "/home/ada/" + "x" * 30 + "/invoice.py")], 40)
    assert cell_len(line) <= 40
    assert line.endswith("invoice.py")
    assert " word… " in line


def test_the_widest_column_gives_way_first() -> None:
    (_, line) = shown([("1", "short", "/home/" + "x" * 100)], 40)
    assert " short " in line


def test_a_line_is_cut_once() -> None:
    assert "aaaaaaaaa…" == render(("a" * 30, Span("b" * 30)), Screen(width=10))


@pytest.mark.parametrize("state", ["failed", "missing", "title", "quiet"])
def test_colour_is_there_only_where_it_is_wanted(state: str) -> None:
    line = ("x ", Span("said", state))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert render(line, Screen()) == "x said"
    assert re.fullmatch("x \x1b\\[\\d+msaid\x1b\\[0m", render(line, Screen(colour=True)))


def test_the_escapes_of_a_captured_text_are_not_ours() -> None:
    assert "\x1b" not in render(Span("\x1b[31mred", ""), Screen(colour=True))


def test_whole_texts_keep_their_lines_and_are_harmless_too() -> None:
    assert "  one\n\n      two\ufffd[2J" == render(Whole("one\n\n\ttwo\x1b[2J", indent=2), Screen(width=5))


def test_a_sentence_takes_the_lines_that_it_needs() -> None:
    assert "one two\nthree" == render(Prose("one two\nthree"), Screen(width=9))


def test_the_least_important_columns_give_way_and_are_named() -> None:
    columns: Columns[tuple[str, ...]] = (
        Column("a", itemgetter(0), rank=2),
        Column("long title", itemgetter(1), flexible=True),
        Column("c", itemgetter(2), right=True, rank=1),
    )
    rows = [("a" * 20, "b" * 50, "7" * 20)]

    def lines(width: int) -> list[str]:
        screen = Screen(width=width)
        return [line for each in table(columns, rows, screen) for line in render(each, screen).splitlines()]

    first, second = lines(55)
    assert (first.split(), cell_len(first)) == (["a", "long", "title", "c"], 55)
    assert second == f" {'a' * 20}  {'b' * 9}…  {'7' * 20}"
    first, second, *said = lines(50)
    assert first.split() == ["long", "title", "c"]
    assert second.endswith("7" * 20)
    assert " ".join(" ".join(said).split()) == "too narrow for a: widen the terminal, or take --json"
    assert " ".join(" ".join(lines(20)[2:]).split()) == "too narrow for a, c: widen the terminal, or take --json"


@pytest.mark.parametrize("width", [80, 100])
@pytest.mark.parametrize("name", [*TABLES])
def test_every_report_has_whole_titles_on_a_terminal(name: str, width: int) -> None:
    """Also where each cell is as long as it may be: numbers and times of 8 characters, texts of 300."""
    columns = tuple(replace(column, of=itemgetter(at)) for at, column in enumerate(TABLES[name]))
    digits = {
        column.title: 4 if column.title == "turn" else 8 for column in columns if not column.flexible and column.most == 400
    }
    rows = [["x" * min(digits.get(column.title, 300), column.most) for column in columns]]
    screen = Screen(width=width)
    first, second, *said = table(columns, rows, screen)
    titles = render(first, screen)
    assert max(cell_len(titles), cell_len(render(second, screen))) <= width
    for column in columns:
        assert re.search(rf"(^| ){column.title}( |$)", titles) or column.title in "".join(render(each, screen) for each in said)


WHITE = st.text(st.sampled_from("ab \t\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"))


@given(WHITE, WHITE)
def test_white_space_is_never_a_replacement_sign(before: str, behind: str) -> None:
    """Such as the newline behind the output of a command."""
    for line in ((Span(before), behind), before, Span(f"{before}x{behind}", "failed"), Prose(before)):
        shown = render(line, Screen())
        assert "\ufffd" not in shown
        assert len(shown.split("\n")) == 1
    assert "a b" == render(("a", Span("\n b\n")), Screen()).replace("  ", " ")
