from __future__ import annotations

from typing import Any

import pytest

from agentsight_rx.store.rows.ids import at_host, host_of_process
from agentsight_rx.store.rows.kind import of_host
from agentsight_rx.view import AnyRow, AuditRow, CallRow, HttpRow, ProcessRow, SessionRow, ToolRow
from tests.samples import OUTPUTS

ROWS: list[Any] = [item for item in OUTPUTS if isinstance(item, AnyRow)]


@pytest.mark.parametrize(
    ("id", "expected"),
    [
        ("llm-1-2-3-4", "llm-web1:1-2-3-4"),
        ("tool-llm-1-2-3-4-toolu_1", "tool-llm-web1:1-2-3-4-toolu_1"),
        ("process-7-aa", "process-web1:7-aa"),
        ("audit-file-0000-open-7-x", "audit-file-web1:0000-open-7-x"),
        ("0b0c-uuid", "web1:0b0c-uuid"),
        ("", "web1:"),
    ],
)
def test_the_host_stands_behind_the_words_for_the_kind(id: str, expected: str) -> None:
    assert expected == at_host("web1", id)


def test_an_id_that_begins_with_another_still_does() -> None:
    """As reports find the tools of a call."""
    assert at_host("web1", "tool-llm-1-2-3-4-toolu_1").startswith(f"tool-{at_host('web1', 'llm-1-2-3-4')}-")


def test_all_references_of_a_row_are_of_its_host() -> None:
    assert CallRow("llm-h:1", 5, session_id="h:s", process_id="process-h:2", twin="llm-h:3", repeat_of="llm-h:4") == of_host(
        "h", CallRow("llm-1", 5, session_id="s", process_id="process-2", twin="llm-3", repeat_of="llm-4")
    )
    assert AuditRow("audit-file-h:1", 5, "file", process_id="process-h:2", tool_id="tool-h:3") == of_host(
        "h", AuditRow("audit-file-1", 5, "file", process_id="process-2", tool_id="tool-3")
    )
    assert ToolRow("tool-h:1", 5, "llm-h:2", "toolu_3", "Read") == of_host(
        "h", ToolRow("tool-1", 5, "llm-2", "toolu_3", "Read")
    )
    assert HttpRow("http-h:1", 5, 7, "x", "GET", call_id="llm-h:1") == of_host(
        "h", HttpRow("http-1", 5, 7, "x", "GET", call_id="llm-1")
    )
    assert SessionRow("h:s", 5, parent_session_id="h:r") == of_host("h", SessionRow("s", 5, parent_session_id="r"))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: type(row).__name__)
def test_rows_of_two_hosts_never_have_the_same_id(row: Any) -> None:
    assert of_host("a", row).id != of_host("b", row).id
    assert type(row) is type(of_host("a", row))


def test_the_host_of_a_process_is_in_its_id() -> None:
    row = of_host("web1", ProcessRow("process-7-aa", 7))
    assert ("web1", "") == (host_of_process(row.id), host_of_process("process-7-aa"))
