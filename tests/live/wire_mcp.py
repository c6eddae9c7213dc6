"""
A request to an MCP server over streamable HTTP -> its reply.

The tools are `echo`, whose results come as an event stream, and `count`, whose results come as JSON. Shapes:
https://modelcontextprotocol.io/specification/2025-06-18/basic/transports#streamable-http.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from agentsight_rx.runtime.demo.answers import Reply, error_reply, json_bytes, server_sent

__all__ = ["mcp_reply"]

_METHOD_NOT_FOUND, _INVALID_PARAMS = -32601, -32602  # JSON-RPC 2.0, section 5.1
_VERSION = "2025-06-18"
_TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
_TOOLS = [
    {"name": "echo", "description": "Say it again.", "inputSchema": _TEXT},
    {"name": "count", "description": "Count the characters.", "inputSchema": _TEXT},
]


def mcp_reply(method: str, body: bytes) -> Reply:
    """What `method` /mcp with this body is answered. The server has no stream of its own: GET gets 405."""
    if method == "DELETE":
        return Reply(200, {})
    if method != "POST":
        return error_reply(405, "method_not_allowed", "messages are sent by POST")
    try:
        message: Any = json.loads(body)
        wanted = str(message["method"])
    except (ValueError, KeyError, TypeError) as error:
        return error_reply(400, "invalid_request_error", f"not a JSON-RPC request: {error!r}")
    if "id" not in message:
        return Reply(202, {})
    if wanted not in _METHODS:
        return _json(message["id"], {"error": {"code": _METHOD_NOT_FOUND, "message": f"there is no method {wanted}"}})
    params: Any = message.get("params") or {}
    try:
        result = _METHODS[wanted](params)
    except (KeyError, TypeError) as error:
        return _json(message["id"], {"error": {"code": _INVALID_PARAMS, "message": repr(error)}})
    if wanted == "tools/call" and params["name"] == "echo":
        return _streamed(message["id"], {"result": result})
    reply = _json(message["id"], {"result": result})
    if wanted == "initialize":
        reply.headers["mcp-session-id"] = "fake-session"
    return reply


def _json(request_id: object, outcome: dict[str, object]) -> Reply:
    return Reply(200, {"content-type": "application/json"}, (json_bytes({"jsonrpc": "2.0", "id": request_id} | outcome),))


def _streamed(request_id: object, outcome: dict[str, object]) -> Reply:
    said = {"level": "info", "data": "échoing 模"}
    notice = {"jsonrpc": "2.0", "method": "notifications/message", "params": said}
    events = (server_sent("message", notice), server_sent("message", {"jsonrpc": "2.0", "id": request_id} | outcome))
    return Reply(200, {"content-type": "text/event-stream", "cache-control": "no-cache"}, events, streamed=True)


def _initialize(_: Any) -> dict[str, object]:
    server = {"name": "fake-mcp", "version": "1.0"}
    return {"protocolVersion": _VERSION, "capabilities": {"tools": {}, "logging": {}}, "serverInfo": server}


def _call(params: Any) -> dict[str, object]:
    text: str = params["arguments"]["text"]
    said = text if params["name"] == "echo" else f"{len(text)} characters"
    return {"content": [{"type": "text", "text": said}], "isError": False}


_METHODS: dict[str, Callable[[Any], dict[str, object]]] = {
    "initialize": _initialize,
    "ping": lambda _: {},
    "tools/list": lambda _: {"tools": _TOOLS},
    "tools/call": _call,
}
