"""What tools change in files, by their inputs: lines that came and went, the content, and who changed a file last."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agentsight_rx.view import AuditRow, ToolRow
from agentsight_rx.view.queries.effects.file_edits import Edit, content_of, editors_of, edits_of, lines_of, writers_of
from tests.view.queries.rows import BASE, TOOL, causes

PATCH = "*** Begin Patch\n*** Update File: src/a.py\n@@\n one\n-two\n+2\n+3\n*** Add File: b.py\n+x\n*** End Patch"


def tool(name: str = "Edit", *, id: str = "t", status: str = "completed", **given: Any) -> ToolRow:
    return ToolRow(id, 1, "llm-1", "t", name, input=json.dumps(given), status=status)


@pytest.mark.parametrize(
    ("given", "edits"),
    [
        ({"file_path": "/w/a.py", "old_string": "a\nb", "new_string": "a\nc\nd"}, [Edit("a\nb", "a\nc\nd")]),
        ({"file_path": "/w/a.py", "content": "x\ny"}, [Edit(None, "x\ny")]),
        ({"path": "/w/a.py", "command": "str_replace", "old_str": "1", "new_str": "2"}, [Edit("1", "2")]),
        ({"path": "/w/a.py", "command": "create", "file_text": "1"}, [Edit(None, "1")]),
        (
            {"file_path": "/w/a.py", "edits": [{"old_string": "1", "new_string": "2"}, {"old_string": "3", "new_string": ""}]},
            [Edit("1", "2"), Edit("3", "")],
        ),
        ({"input": PATCH}, [Edit(None, "@@\n one\n-two\n+2\n+3", marked=True)]),
        ({"file_path": "/w/a.py"}, []),
        ({"file_path": "/w/a.py", "content": 7}, []),
    ],
)
def test_the_input_of_a_tool_says_what_it_changes(given: dict[str, Any], edits: list[Edit]) -> None:
    assert edits == edits_of(json.dumps(given), "/w/src/a.py")


@pytest.mark.parametrize("text", ["", "[]", "7", "no json", '{"file_path": "/w/a.py", "content": "cu'])
def test_what_is_no_input_of_an_edit_has_no_edits(text: str) -> None:
    assert [] == edits_of(text, "/w/a.py")


@pytest.mark.parametrize(
    ("edit", "made", "lines"),
    [
        (Edit("a\nb", "a\nc\nd"), False, (2, 1)),
        (Edit("a", "a"), False, (0, 0)),
        (Edit(None, "x\ny\n"), True, (2, 0)),
        (Edit(None, "x\ny\n"), False, None),
        (Edit(None, "@@\n one\n-two\n+2\n+3", marked=True), False, (2, 1)),
    ],
)
def test_lines_that_came_and_went(edit: Edit, made: bool, lines: tuple[int, int] | None) -> None:
    assert lines == edit.lines(made=made)


def test_lines_of_several_tools_add_up_until_one_does_not_say_them() -> None:
    tools = [tool("Write", content="a\nb"), tool(old_string="a", new_string="c\nd")]
    assert (4, 1) == lines_of(tools, "/w/a", lambda each: each.input, made=True)
    assert lines_of(tools, "/w/a", lambda each: each.input, made=False) is None
    assert lines_of([*tools, tool()], "/w/a", lambda each: each.input, made=True) is None


def test_content_is_known_behind_a_tool_that_wrote_all_of_it() -> None:
    assert "x\nc" == content_of([Edit("q", "r"), Edit(None, "x\ny"), Edit("y", "c")])
    assert content_of([Edit(None, "x"), Edit("absent", "c")]) is None
    assert content_of([Edit("x", "y")]) is None


def test_tools_that_failed_or_edit_nothing_are_no_editors() -> None:
    tools = [tool(file_path="a.py"), tool(file_path="/x", status="failed"), tool("Read", file_path="/w/a.py")]
    assert ["/w/a.py"] == list(editors_of(tools, "/w"))


def test_the_newest_change_is_by_its_tool_and_another_process_is_noted() -> None:
    def did(at: int, action: str, path: str, tool: str | None = None, **details: Any) -> AuditRow:
        return AuditRow(f"{at}", at, "file", 7, "sed", action=action, target=path, tool_id=tool, details=details)

    rows = [
        did(1, "open", "/w/a", flags=577),
        did(2, "rename", "/w/a", TOOL, target="/w/b"),
        did(3, "open", "/w/b"),
    ]
    found = writers_of(rows, causes(*BASE))
    assert (["/w/a", "/w/b"], [True, False]) == (list(found), [each.others for each in found.values()])
    newest = found["/w/b"].newest
    assert (3, 2) == (newest.cause.turn if newest.cause else 0, newest.at_ms)


def test_the_bytes_of_the_newest_write_go_with_the_file_to_its_new_name() -> None:
    def did(at: int, action: str, path: str, **more: Any) -> AuditRow:
        details = {name: value for name, value in more.items() if name.endswith("_bytes")}
        return AuditRow(f"{at}", at, "file", 7, "x", action=action, target=path, details=details | more)

    rows = [
        did(1, "close", "/w/b", written_bytes=7),
        did(2, "close", "/w/a", written_bytes=12),
        did(3, "rename", "/w/a", target="/w/b"),
    ]
    assert 12 == writers_of(rows, causes(*BASE))["/w/b"].newest.bytes
