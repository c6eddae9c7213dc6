from __future__ import annotations

from agentsight_rx.cli.report.shown.screen import Screen, render
from agentsight_rx.cli.report.shown.words import changed_lines
from agentsight_rx.view.queries.calls.diff import LineChange


def shown(*changes: LineChange, indent: str = "") -> list[str]:
    return [render(line, Screen()) for line in changed_lines(changes, indent=indent)]


def same(count: int) -> LineChange:
    return LineChange("same", tuple(str(number) for number in range(count)))


def test_a_few_equal_lines_stand_around_a_change() -> None:
    changes = same(9), LineChange("gone", ("a",)), LineChange("new", ("b", "c")), same(8), LineChange("new", ("d",)), same(7)
    assert shown(*changes) == [
        *("   6 lines unchanged", "   6", "   7", "   8", " - a", " + b", " + c"),
        *("   0", "   1", "   2", "   2 lines unchanged", "   5", "   6", "   7", " + d"),
        *("   0", "   1", "   2", "   4 lines unchanged"),
    ]


def test_one_line_is_not_worth_a_count() -> None:
    assert shown(LineChange("new", ("a",)), same(4), indent="  ") == ["   + a", "     0", "     1", "     2", "     3"]
    assert shown(same(2)) == ["   2 lines unchanged"]
    assert shown(same(1)) == ["   0"]
    assert shown() == []
