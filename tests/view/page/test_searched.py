"""A store -> each text that a search looks through, with its place; of long ones the whole text where a call has it."""

from __future__ import annotations

from agentsight_rx.store.rows.kind import put
from agentsight_rx.store.rows.kinds import AuditRow, HttpRow, ProcessRow
from agentsight_rx.store.rows.tables import PREVIEW
from agentsight_rx.store.state import MemoryStore
from agentsight_rx.view import CallRow, ToolRow
from agentsight_rx.view.page.searched import KINDS, entries_of, whole_texts


def store_of(*rows: CallRow | ToolRow | ProcessRow | AuditRow | HttpRow) -> MemoryStore:
    store = MemoryStore()
    store.commit([put(row) for row in rows])
    return store


def test_each_kind_of_text_has_its_place() -> None:
    store = store_of(
        CallRow("llm-1", 1000, turn=3, session_id="s", prompt="Mend\nit", text="I will"),
        ToolRow("tool-1", 2000, "llm-1", "t", "Bash", input='{"command": "pytest -q"}', output="1 failed", session_id="s"),
        ProcessRow("process-9-1", 9, None, None, start_timestamp_ms=2100, command="/bin/ls", argv=("ls", "-l")),
        HttpRow("http-1", 900, 9, "agent", "POST", "api.example.org", "/v1"),
    )
    found = {entry.kind: entry for entry in entries_of(store)}
    assert {*found} <= {*KINDS}
    assert (found["prompt"].text, found["prompt"].turn, found["answer"].text) == ("Mend it", 3, "I will")
    assert (found["command"].text, found["command"].turn, found["result"].text) == ("Bash pytest -q", 3, "1 failed")
    assert "ls" in found["program"].text
    assert found["host"].text == "api.example.org"
    assert [entry.kind for entry in entries_of(store, since_ms=1500)] == ["command", "result", "program"]


def test_of_a_long_text_rows_have_the_begin_and_say_which_call_has_more() -> None:
    long = "word " * PREVIEW
    store = store_of(CallRow("llm-1", 1000, turn=1, session_id="s", prompt="p", text=long[:PREVIEW]))
    (answer,) = [entry for entry in entries_of(store) if entry.kind == "answer"]
    assert (answer.is_cut, answer.call) == (True, "llm-1")
    assert list(whole_texts(store, [answer])) == [], "no log has the call"
