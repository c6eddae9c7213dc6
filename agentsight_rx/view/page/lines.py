"""The rows of the tabs, one short line each: a process, a file, a host, an MCP request, an HTTP exchange."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["FileLine", "HostLine", "HttpLine", "McpLine", "ProcessLine"]


class ProcessLine(Struct, frozen=True, omit_defaults=True):
    id: str
    pid: int
    depth: int
    argv: str
    start_ms: int
    ms: int | None = None
    end: str = ""  # exit 0, signal 9, running, no end seen
    bad: bool = False
    agent: str = ""
    cwd: str = ""
    turn: int = 0
    tool: str = ""
    kids: int = 0
    starts: bool = False


class FileLine(Struct, frozen=True, omit_defaults=True):
    """`kind` as in FileUse. It was used last for `prompt`, of which this is the begin; `asked` is the turn of the prompt."""

    path: str
    kind: str
    count: int = 0
    errors: int = 0
    error: str = ""
    target: str = ""
    read: int = 0
    written: int = 0
    last_ms: int = 0
    by: str = ""
    turn: int = 0
    tool: str = ""
    prompt: str = ""
    asked: int = 0


class HostLine(Struct, frozen=True, omit_defaults=True):
    """
    `kind`: host (with its exchanges), peer (with its connections), unread (a process that could not be read). Bytes are None
    where they were not measured.
    """

    kind: str
    name: str
    count: int = 0
    errors: int = 0
    error: str = ""
    calls: int = 0
    sent: int | None = 0
    received: int | None = 0
    paths: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    by: str = ""
    turn: int = 0
    last_ms: int = 0


class McpLine(Struct, frozen=True, omit_defaults=True):
    id: str
    start_ms: int
    server: str
    method: str
    tool: str = ""
    outcome: str = ""
    ms: int | None = None
    params: str = ""
    result: str = ""
    client: int = 0
    pid: int = 0
    turn: int = 0


class HttpLine(Struct, frozen=True, omit_defaults=True):
    id: str
    start_ms: int
    method: str
    host: str
    path: str
    status: int = 0
    state: str = ""
    why: str = ""
    ms: int | None = None
    sent: int = 0
    received: int = 0
    type: str = ""
    by: str = ""
    peer: str = ""
    passed_on: bool = False  # by a proxy, which was asked for it
    turn: int = 0
    call: str = ""
    version: str = ""
