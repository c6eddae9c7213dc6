"""Params and results of JSON-RPC messages -> what they mean in MCP (modelcontextprotocol.io): tool, outcome, server."""

from __future__ import annotations

import re
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType, field

from ..core.start import regex
from .lines import TEXT_MOST, Line, first_byte, is_text

# -- jsonrpc -------------------------------------------------------------------------------------------------------
# A line -> the JSON-RPC 2.0 messages in it, as MCP sends them over a stream; the rest of a message that has a gap in it.


_HEAD_MOST = 65_536  # bytes read of a message with a gap: `id` and `method` are at its beginning or at its very end

Kind: TypeAlias = Literal["request", "notification", "result", "error", "text"]


class RpcText(Struct, frozen=True):
    """
    One message, or a line that is not JSON-RPC. `body`: JSON text of params, result or error as it was sent, or the line.

    `id` is JSON text, normalised so that equal ids are equal texts; 1 and "1" differ. `reason` says why it is incomplete: then
    `body` is the beginning of the line, `lost` bytes are missing, and `failed` is the value of `isError` if it was found.
    """

    kind: Kind
    body: str = ""
    method: str = ""
    id: str = ""
    lost: int = 0
    reason: str | None = None
    failed: bool | None = None


class _Spelled(Struct):
    jsonrpc: Literal["2.0"]
    method: str | UnsetType = UNSET
    id: Raw | UnsetType = UNSET
    params: Raw | UnsetType = UNSET
    result: Raw | UnsetType = UNSET
    error: Raw | UnsetType = UNSET


_one = msgspec.json.Decoder(_Spelled)
_batch = msgspec.json.Decoder(list[_Spelled])  # several messages in one line: only in version 2025-03-26
_any = msgspec.json.Decoder()


def decode_line(line: Line) -> list[RpcText]:
    """The messages of one line, at least one."""
    before, after = _messages(line.head), _messages(line.tail or b"")
    if line.tail is None and before:
        return before
    if not before and not after:
        return [(_damaged(line) if line.lost else None) or _text(line)]
    # The gap begins or ends exactly where a message does
    broken = Line(b"" if before else line.head, b"" if after else line.tail, 0, line.lost)
    if before and not after:
        broken = Line(broken.tail or b"", b"", 0, line.lost)
    return [*(before or ()), _damaged(broken) or _text(broken), *(after or ())]


def _messages(text: bytes) -> list[RpcText] | None:
    """The messages in `text`; None if it is not JSON-RPC."""
    first = first_byte(text)
    if first not in (b"{", b"["):
        return None
    try:
        found = [_one.decode(text)] if first == b"{" else _batch.decode(text)
        messages = [_message(spelled) for spelled in found]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    whole = [message for message in messages if message is not None]
    return whole if whole and len(whole) == len(messages) else None


def _message(spelled: _Spelled) -> RpcText | None:
    known = None if spelled.id is UNSET else id_text(spelled.id)
    if spelled.method is not UNSET:
        body = _json_text(spelled.params)
        if spelled.id is UNSET:
            return RpcText("notification", body, spelled.method)
        return None if known is None else RpcText("request", body, spelled.method, known)
    if known is None:
        return None
    if spelled.error is not UNSET:
        return RpcText("error", _json_text(spelled.error), "", known)
    return None if spelled.result is UNSET else RpcText("result", _json_text(spelled.result), "", known)


def _json_text(raw: Raw | UnsetType) -> str:
    return "" if raw is UNSET else bytes(raw).decode()


def id_text(raw: Raw | bytes) -> str | None:
    """An id as normalised JSON text: `"\\u0031"` is `"1"`. None if it is not a string, a number or null."""
    text = bytes(raw)
    if text[:1] not in b'"-0123456789n':
        return None
    try:
        spelled = text.decode()
    except UnicodeDecodeError:
        return None
    try:
        return msgspec.json.encode(_any.decode(spelled)).decode()
    except msgspec.DecodeError:  # e.g. half of a surrogate pair, or a number of 400 digits
        return spelled


def _text(line: Line) -> RpcText:
    lost = line.lost + len(line.head[TEXT_MOST:]) + len(line.tail or b"")
    reason = "text_limit" if lost else None
    if line.tail is not None:
        reason = "lost"
    elif line.lost and not is_text(line.head):
        reason = "line_limit"
    return RpcText("text", _shown(line.head), lost=lost, reason=reason)


def _shown(text: bytes) -> str:
    return text[:TEXT_MOST].decode("utf-8", "backslashreplace")


# -- a message with a gap in it ----------------------------------------------------------------------------------------

_TOKEN = regex(
    rb'(?P<text>"(?:[^"\\]|\\.)*")(?P<key>\s*:)?'
    rb'|(?P<cut>"(?:[^"\\]|\\.?)*\Z)'
    rb"|(?P<open>[{\[])|(?P<close>[}\]])"
    rb"|(?P<plain>-?[0-9][0-9.eE+-]*(?=[\s,}\]])|true|false|null)",
    re.DOTALL,
)
_VERSION = rb'"jsonrpc"\s*:\s*"2\.0"'
# The last brace of a line closes the message itself, so an id right before it is the id of the message
_END = regex(
    rb"(?P<before>" + _VERSION + rb'\s*,\s*)?"id"\s*:\s*(?P<id>-?[0-9]+|"(?:[^"\\]|\\.)*")\s*'
    rb"(?P<after>,\s*" + _VERSION + rb"\s*)?\}\s*\Z"
)
_IS_ERROR = regex(rb'(?<!\\)"isError"\s*:\s*(true|false)')


def _damaged(line: Line) -> RpcText | None:
    """The answer, or the request with an id, that a message with a gap was, if its beginning and end are enough to know."""
    head, tail = line.head[:_HEAD_MOST], (line.tail or b"")[-_HEAD_MOST:]
    members = _members(head)
    end = _END.search(tail)
    if members.get(b"jsonrpc") != b'"2.0"' and not (end and (end["before"] or end["after"])):
        return None
    spelled = members.get(b"id") or (end["id"] if end else b"")
    known = id_text(spelled) if spelled else None
    method = _string(members.get(b"method", b""))
    kind: Kind = "request" if method else "error" if b"error" in members else "result"
    if known is None or not (method or b"error" in members or b"result" in members):
        return None
    text = _text(line)
    seen = _IS_ERROR.search(head) or _IS_ERROR.search(tail)
    failed = seen[1] == b"true" if seen else None
    return RpcText(kind, text.body, method=method, id=known, lost=text.lost, reason="lost", failed=failed)


def _string(text: bytes) -> str:
    try:
        return str(_any.decode(text)) if text.startswith(b'"') else ""
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


def _members(head: bytes) -> dict[bytes, bytes]:
    """Names and values of an object that is cut off. A value that is not a whole string, number or word is empty."""
    members: dict[bytes, bytes] = {}
    depth, name = 0, b""
    if is_text(head):
        return members
    for token in _TOKEN.finditer(head):
        if token["open"]:
            depth += 1
        elif token["close"]:
            depth -= 1
        elif depth != 1 or token["cut"]:
            continue
        elif token["key"]:
            name = token["text"][1:-1]
            members.setdefault(name, b"")
        else:
            members[name] = token["text"] or token["plain"]
    return members


# ------------------------------------------------------------------------------------------------------------------------


_SERVER_KEY = "io.modelcontextprotocol/serverInfo"  # in `_meta` since version 2026-07-28; before, in the answer to initialize
# The methods of requests in every version up to 2026-07-28. Others speak of textDocument/hover or turn/start
_METHOD = regex(
    r"(?:tools|resources|prompts|completion|logging|sampling|elicitation|roots|tasks)/.|server/discover|subscriptions/listen|ping\Z"
)
# Versions are days. The first request of editors and of agents names none, or a number (Agent Client Protocol)
_MCP_VERSION = regex(r'"protocolVersion"\s*:\s*"')


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
    return _MCP_VERSION.search(params) is not None if method == "initialize" else _METHOD.match(method) is not None


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
