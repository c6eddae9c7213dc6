"""A recording with every kind of effect: files, connections, MCP, exchanges of no model; and hostile names."""

from __future__ import annotations

from pathlib import Path

from agentsight_rx.events import BlindSpot, Channel, FileEvent, NetEvent, Origin, RpcMessage, TcpTraffic
from tests.cli.report.story import AGENT, BEGAN_MS, Story, recorded, small_story

__all__ = ["HOSTILE", "effects"]

HOSTILE = "/tmp/\x1b[31mred\x1b]0;title\x07\nnext line\u202eevil"


def _at(ms: int, pid: int = AGENT, comm: str = "claude") -> Origin:
    return Origin(1_000_000_000 + ms * 1_000_000, pid, comm=comm, wall_ns=(BEGAN_MS + ms) * 1_000_000)


def _told(story: Story, ms: int, tool: str, *, outcome: str = "ok", result: str = '{"rows":2}') -> None:
    origin = _at(ms)
    story.events.append(
        RpcMessage(
            origin, Channel("pipe", 5), "request", "tools/call", id=str(ms), tool=tool, params='{"sql":"select 1"}',
            result=result, outcome=outcome, writer_pid=AGENT, reader_pid=500, server="postgres 1.0",
            end_ns=origin.time_ns + 4_000_000,
        )
    )  # fmt: skip


def effects(path: Path) -> Path:
    """A store of it."""
    story = small_story()
    _told(story, 7000, "query")
    _told(story, 7100, "query", outcome="tool_error", result='{"error":"no table"}')
    _told(story, 7200, "list_tables")
    story.events += [
        FileEvent(_at(7300), 1, "close", HOSTILE, written_bytes=3),
        FileEvent(_at(7301), 1, "rename", "/home/ada/code/parcel/a.tmp", target="/home/ada/code/parcel/a.py"),
        NetEvent(_at(7400), 1, "connect", family="ipv4", protocol="tcp", peer="160.79.104.10", port=443),
        NetEvent(_at(7401), 1, "connect", family="ipv4", protocol="tcp", peer="10.0.0.1", port=1, error=111),
        TcpTraffic(_at(7450), 1, number=1, peer="160.79.104.10", port=443, sent=9000, received=120_400, judged=True),
        BlindSpot(_at(7500, 77, "uv"), 1, connections=3, size=9000, peers=("9.9.9.9:443",), looks_like=("rustls",)),
    ]
    return recorded(path, story)
