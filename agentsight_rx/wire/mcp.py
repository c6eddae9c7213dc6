"""Params and results of JSON-RPC messages -> what they mean in MCP (modelcontextprotocol.io): tool, outcome, server."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType, field

from .jsonrpc import RpcText, id_text

__all__ = ["is_mcp", "outcome_of", "read_cancelled", "read_failed", "read_server", "read_tool"]

_SERVER_KEY = "io.modelcontextprotocol/serverInfo"  # in `_meta` since version 2026-07-28; before, in the answer to initialize
# The methods of requests in every version up to 2026-07-28. Others speak of textDocument/hover or turn/start
_METHOD = re.compile(
    r"(?:tools|resources|prompts|completion|logging|sampling|elicitation|roots|tasks)/.|server/discover|subscriptions/listen|ping\Z"
)
# Versions are days. The first request of editors and of agents names none, or a number (Agent Client Protocol)
_VERSION = re.compile(r'"protocolVersion"\s*:\s*"')


class _Params(Struct):
    name: str = ""
    request_id: Raw | UnsetType = field(default=UNSET, name="requestId")


class _Result(Struct):
    is_error: bool = field(default=False, name="isError")


class _Named(Struct):
    name: object = ""
    version: object = ""


class _Meta(Struct):
    server: _Named | None = field(default=None, name=_SERVER_KEY)


class _Introduced(Struct):
    server: _Named | None = field(default=None, name="serverInfo")
    meta: _Meta | None = field(default=None, name="_meta")


def is_mcp(method: str, params: str) -> bool:
    """Is the request one of MCP? Language servers, and the servers that agents have for editors, speak JSON-RPC too."""
    return _VERSION.search(params) is not None if method == "initialize" else _METHOD.match(method) is not None


def read_tool(params: str) -> str:
    """The name of the tool that a `tools/call` requests."""
    return _read(params, _Params).name if params else ""


def read_cancelled(params: str) -> str | None:
    """The id of the request that a `notifications/cancelled` cancels."""
    asked = _read(params, _Params).request_id if params else UNSET
    return None if asked is UNSET else id_text(asked)


def read_failed(result: str) -> bool:
    """Does the result of a `tools/call` say that the tool failed? In JSON-RPC that is a success."""
    return bool(_read(result, _Result).is_error)


def outcome_of(method: str, answer: RpcText) -> str:
    """How a request for `method` ended: ok, tool_error, rpc_error, or unknown if the part that says so is missing."""
    if answer.kind == "error":
        return "rpc_error"
    if method != "tools/call":
        return "ok"
    if answer.reason is None:
        return "tool_error" if read_failed(answer.body) else "ok"
    return {True: "tool_error", False: "ok", None: "unknown"}[answer.failed]


def read_server(result: str) -> str:
    """Name and version of the server, if a result has them."""
    if "serverInfo" not in result:
        return ""
    said = _read(result, _Introduced)
    named = said.server or (said.meta.server if said.meta else None)
    return f"{named.name} {named.version}".strip() if named else ""


def _read(text: str, kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, RecursionError):
        return kind()
