"""
The rows of a call, a program and its files -> lines of JSON, by which a store compresses its rows.

    python -m scripts.typical_rows

writes agentsight_rx/sinks/typical_rows.jsonl. A store keeps its own, so these may change with the rows. They are kept in a
file because to make them takes every dialect of models and 60 ms of a start.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import msgspec
from msgspec.structs import replace

from agentsight_rx.events import (
    Connection,
    Event,
    FileEvent,
    HttpRequest,
    HttpResponse,
    NetEvent,
    Origin,
    ProcessExec,
    ProcessExit,
    ProcessFork,
)
from agentsight_rx.store.fold.fold import Fold
from agentsight_rx.store.rows.kind import put
from agentsight_rx.store.rows.kinds import Row

__all__ = ["PLACE", "typical_rows"]

PLACE = Path(__file__).parents[1] / "agentsight_rx" / "sinks" / "typical_rows.jsonl"
_TIME_NS, _WALL_NS = 3_600_000_000_000, 1_800_000_000_000_000_000
_ASKED = b"""{"model":"claude-sonnet-4-5","max_tokens":32000,"stream":true,"messages":[{"role":"user","content":"hi"}]}"""
_SAID = b"""{"id":"msg_01","type":"message","role":"assistant","model":"claude-sonnet-4-5","stop_reason":"tool_use","content":[
{"type":"text","text":"ok"},{"type":"tool_use","id":"toolu_01","name":"Bash","input":{"command":"ls -la"}}],
"usage":{"input_tokens":3,"output_tokens":7,"cache_read_input_tokens":20000,"cache_creation_input_tokens":900}}"""


def typical_rows() -> bytes:
    """The rows of one call, one program and its files; before them the names of all fields, which those rows have in part."""
    names = (dict.fromkeys(kind.__struct_fields__) for kind in get_args(Row))
    return b"".join(msgspec.json.encode(each) + b"\n" for each in (*names, *(put(row).value for row in _rows())))


def _rows() -> Iterator[Row]:
    fold = Fold()
    connection = Connection(4000, 360_000_000_000, "/usr/lib/x86_64-linux-gnu/libssl.so.3", 0x7F00_0000_1000)
    process, tool = (Origin(_TIME_NS, pid, pid, 1000, "node", wall_ns=_WALL_NS + _TIME_NS) for pid in (4000, 4001))
    agent = replace(process, connection=connection)
    host, target = "api.anthropic.com", "/v1/messages?beta=true"
    answered = HttpResponse(agent, 1, 200, "OK", "HTTP/1.1", headers=(), body=_SAID, end_ns=_TIME_NS + 1)
    events: tuple[Event, ...] = (
        ProcessFork(process, 3999, _TIME_NS),
        ProcessExec(process, 3999, _TIME_NS, "/usr/bin/node", argv=("node", "/usr/bin/claude"), cwd="/home/user/project"),
        HttpRequest(agent, 1, "POST", target, "HTTP/1.1", headers=(("host", host),), body=_ASKED),
        replace(answered, method="POST", target=target, host=host),
        ProcessFork(tool, 4000, _TIME_NS),
        ProcessExec(tool, 4000, _TIME_NS, "/usr/bin/bash", argv=("bash", "-c", "ls -la"), cwd="/home/user/project"),
        *(
            FileEvent(tool, _TIME_NS, action, "/home/user/project/src/main.py", read_bytes=4096, written_bytes=1)
            for action in ("unlink", "rename", "mkdir", "close", "open")
        ),
        NetEvent(tool, _TIME_NS, "connect", "ipv4", "tcp", peer="127.0.0.1", port=443),
        ProcessExit(tool, 4000, _TIME_NS, 0, duration_ns=1_000_000),
    )
    for event in events:
        yield from fold.add(event)


if __name__ == "__main__":
    PLACE.write_bytes(typical_rows())
