"""About how many bytes a row takes, and the newest rows that fit into a number of bytes."""

from __future__ import annotations

import gc
import sys
from types import FunctionType, ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.msgpack import Decoder, encode

from agentsight_rx.store.rows.kind import newest_fitting, weight_of
from agentsight_rx.view import AlertRow, AnyRow, AuditRow, CallRow, HttpRow, NetworkRow, ProcessRow, SessionRow, ToolRow

__all__ = ["bytes_of"]

TEXT = "the quick brown fox jumps over the lazy dog " * 20


def bytes_of(value: object, *, apart: tuple[object, ...] = ()) -> int:
    """The bytes of a value with all that only it holds: of everything below it, each object once, without `apart`."""
    seen, waiting, size = {id(each) for each in apart}, [value], 0
    while waiting:
        each = waiting.pop()
        if id(each) in seen or isinstance(each, type | ModuleType | FunctionType):
            continue
        seen.add(id(each))
        size += sys.getsizeof(each)
        fields = getattr(type(each), "__struct_fields__", None)  # the collector does not know Structs without containers
        waiting += [getattr(each, name) for name in fields] if fields else gc.get_referents(each)
    return size


@pytest.mark.parametrize(
    "row",
    [
        CallRow("llm-1500-5d21dba00-80f4-1", 1795939721172, 1795939721189, 1500, "agent", "anthropic", "claude-sonnet-4-5",
                call_kind="anthropic", host="api.anthropic.com", path="/v1/messages", status_code=200, session_id="session-1",
                prompt=TEXT, text=TEXT, thinking=TEXT, input_tokens=1200, output_tokens=1300),
        CallRow("llm-1500-5d21dba00-80f4-1", 1795939721172),
        ToolRow("tool-llm-1500-1-t", 1795939721172, "llm-1500-5d21dba00-80f4-1", "toolu_01", "Bash", input=TEXT, output=TEXT),
        ProcessRow("process-1500-9c4", 1500, 999, start_timestamp_ms=1795939721172, comm="sh", command="/bin/sh",
                   argv=("sh", "-c", TEXT), cwd="/home/user"),
        AuditRow("audit-file-1500-5d35e2940", 1795939721191, "file", 1500, "sh", subject="sh", action="open",
                 target="/home/user/work/a/file.py", status="success", summary="opened a file",
                 details={"flags": 577, "count": 3000, "written_bytes": 70000}),
        HttpRow("http-1500-5d21dba00-80f4-1", 1795939721172, 1500, "agent", "POST", host="api.anthropic.com", path="/v1"),
        NetworkRow("net-1500-17-api.anthropic.com", 1500, "api.anthropic.com", "/v1/messages", "agent"),
        SessionRow("5c1f0c52-parcel", 1795939721172, 1795939721189, "claude", 1500, title=TEXT),
        AlertRow("alert-1", 1795939721172, "rule", "note", TEXT, "/home/user/.ssh/id_rsa", prompt=TEXT),
    ],
    ids=lambda row: type(row).__name__,
)  # fmt: skip
def test_the_weight_of_a_row_is_about_its_memory(row: AnyRow) -> None:
    stored = Decoder(type(row)).decode(encode(row))  # as a store gives it: no text is shared with another row
    assert 0.6 <= weight_of(stored) / bytes_of(stored) <= 1.8


@given(st.lists(st.integers(0, 100), max_size=50), st.integers(0, 1000))
def test_the_newest_that_fit_are_all_or_end_before_the_first_that_does_not(sizes: list[int], heaviest: int) -> None:
    found, whole = newest_fitting(iter(sizes), heaviest, lambda size: size)
    count = len(found)
    assert found == sizes[:count][::-1]
    assert whole == (count == len(sizes))
    assert sum(found) <= heaviest or count == 1
    assert whole or sum(sizes[: count + 1]) > heaviest
