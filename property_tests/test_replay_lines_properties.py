"""Lines of the original that are decoded in one go give the events that the general way gives."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.events import Event
from agentsight_rx.sources.replay.original_lines import OriginalLines

_NUMBERS = st.integers(0, 2**40)
_TEXTS = st.text(max_size=12) | st.sampled_from(["HTTP/1.1 200 OK\r\n", "na\u00efve \u6a21", "\x00\xff"])
_RECORDS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "function": st.sampled_from(["READ/RECV", "WRITE/SEND", "READ", "WRITE", "CLOSE", "HANDSHAKE", "FLY"]),
        "timestamp_ns": _NUMBERS,
        "comm": st.sampled_from(["claude", "node"]),
        "pid": st.integers(1, 3),
    },
    optional={
        "data": st.none() | _TEXTS,
        "data_hex": st.none() | st.sampled_from(["", "00ff", "zz", "0"]),
        "len": st.integers(0, 30),
        "tid": st.integers(0, 2),
        "uid": st.integers(0, 1),
        "latency_ms": st.sampled_from([0, 0.042, 3]),
        "truncated": st.booleans(),
        "bytes_lost": st.integers(0, 5),
        "transport_handle": st.sampled_from(["", "0x10", "0x20", "wrong"]),
        "connection_id": st.integers(0, 2),
        "process_start_ns": st.integers(0, 1),
        "tls_library": st.sampled_from(["", "/lib/libssl.so.3"]),
        "is_handshake": st.booleans(),
        "capture_seq": st.integers(0, 3),
        "container_id": st.sampled_from(["", "c1"]),
        "another": st.none() | st.integers(),
    },
)


def _enveloped(data: dict[str, Any], time_ms: int) -> dict[str, Any]:
    return {"timestamp": time_ms, "source": "ssl", "pid": data["pid"], "comm": data["comm"], "data": data}


_LINES = st.lists(_RECORDS | st.builds(_enveloped, _RECORDS, st.integers(0, 2**40)), max_size=12)


def _read(lines: list[dict[str, Any]], *, quickly: bool) -> list[list[Event] | None]:
    """The events of each line; None: it is malformed."""
    reader = OriginalLines()
    made: list[list[Event] | None] = []
    for line in lines:
        if quickly:
            try:
                made.append([reader.usual(msgspec.json.encode(line))])
                continue
            except (msgspec.MsgspecError, ValueError):
                pass
        try:
            made.append(reader.events(line))
        except (msgspec.MsgspecError, ValueError, KeyError, TypeError):
            made.append(None)
    return made


@given(_LINES)
def test_both_ways_give_the_same_events(lines: list[dict[str, Any]]) -> None:
    assert _read(lines, quickly=True) == _read(lines, quickly=False)
