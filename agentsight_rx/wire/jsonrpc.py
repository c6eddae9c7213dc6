"""Bytes -> lines -> JSON-RPC 2.0 messages as MCP puts them on a stream: one a line, over any cutting and any hole."""

from __future__ import annotations

import re
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType, field

__all__ = [
    "Kind",
    "Line",
    "LineDecoder",
    "RpcText",
    "decode_line",
    "is_binary",
    "outcome_of",
    "read_cancelled",
    "read_failed",
    "read_server",
    "read_tool",
]

LONGEST = 16 << 20  # of a line: a tool's answer with a picture in base64 fits
TEXT_MOST = 4096  # what is kept of a line that is no message: enough to see what it is
_HEAD_MOST = 65_536  # of a damaged message: `id` and `method` stand at its beginning or at its very end


class Line(Struct, frozen=True):
    """
    One line without its end. Behind a hole its bytes are in `tail`, and `head` ends where the hole begins.

    `size` counts its captured bytes, `lost` those that were not captured or not kept; `ended` is False where the stream ended
    before the line did.
    """

    head: bytes
    tail: bytes | None = None
    size: int = 0
    lost: int = 0
    ended: bool = True


class LineDecoder(Struct):
    """
    Cuts one stream at LF, and only there: CR, U+2028 and the like are part of a line; a CR in front of the LF is not.

    Of a line that cannot be JSON the first 4 KiB are kept, of any other up to `longest`; the rest is counted.
    """

    longest: int = LONGEST
    _head: bytearray = field(default_factory=bytearray)
    _tail: bytearray | None = None
    _size: int = 0
    _lost: int = 0
    _text: bool | None = None  # no JSON; None while only blanks were seen
    _cr: bool = False  # its last byte so far

    def feed(self, data: bytes, /) -> list[Line]:
        """The lines that these bytes complete."""
        *ended, rest = data.split(b"\n")
        lines: list[Line] = []
        if ended and self._begun():
            self._keep(ended[0])
            lines.append(self._line())
            del ended[0]
        lines += [Line(part.removesuffix(b"\r"), None, len(part) + 1) for part in ended]
        if rest:
            self._keep(rest)
        return lines

    def gap(self, size: int, /) -> None:
        """So many bytes are missing here; there may have been line ends among them."""
        self._lost += size + len(self._tail or b"")
        self._tail = bytearray()
        self._cr = False

    def finish(self) -> list[Line]:
        """The stream ends: what is left of a line."""
        return [self._line(ended=False)] if self._begun() else []

    @property
    def in_hole(self) -> bool:
        """True where nothing came behind a hole yet, so that the line may have ended in it."""
        return self._tail is not None and not self._tail

    def held(self) -> int:
        """Captured bytes of the line that has not ended."""
        return self._size

    def _begun(self) -> bool:
        return self._size > 0 or self._tail is not None

    def _keep(self, part: bytes) -> None:
        self._size += len(part)
        self._cr = part.endswith(b"\r") if part else self._cr
        if self._tail is None:
            self._head += part
            if self._text is None:  # what is held is blank
                self._text = _is_text(part)
        else:
            self._tail += part
        most = TEXT_MOST if self._text and self._tail is None else self.longest
        if len(self._head) + len(self._tail or b"") > most:
            self._shorten()

    def _shorten(self) -> None:
        self._text = True
        before = len(self._head) + len(self._tail or b"")
        del self._head[TEXT_MOST:]
        if self._tail is not None:
            del self._tail[:-TEXT_MOST]
        self._lost += before - len(self._head) - len(self._tail or b"")

    def _line(self, *, ended: bool = True) -> Line:
        head, tail, lost = bytes(self._head), None if self._tail is None else bytes(self._tail), self._lost
        if ended and self._cr:
            if tail is not None:
                tail = tail.removesuffix(b"\r")
            elif lost:
                lost -= 1
            else:
                head = head.removesuffix(b"\r")
        line = Line(head, tail, size=self._size + ended, lost=lost, ended=ended)
        self._head.clear()
        self._tail, self._size, self._lost, self._text, self._cr = None, 0, 0, None, False
        return line


_BEGIN = re.compile(rb"[ \t\r]*([^ \t\r])")


def _is_text(line: bytes | bytearray) -> bool | None:
    """Is the first byte that is no blank none with which a message begins?"""
    begin = _BEGIN.match(line)
    return begin[1] not in b"{[" if begin else None


Kind: TypeAlias = Literal["request", "notification", "result", "error", "text"]


class RpcText(Struct, frozen=True):
    """
    One message, or a line that is none. `body`: JSON text of params, result or error as it was sent, or the line.

    `id` is JSON text, spelled in one way for each value, so that 1 and "1" differ. `reason` says why it is not whole; then
    `body` is the beginning of the line, `lost` bytes are missing, and `failed` is what could be seen of `isError`.
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
_batch = msgspec.json.Decoder(list[_Spelled])  # of the version of 2025-03-26 only; the members of one line
_any = msgspec.json.Decoder()


def decode_line(line: Line) -> list[RpcText]:
    """The messages of one line; never none."""
    before, behind = _messages(line.head), _messages(line.tail or b"")
    if line.tail is None and before:
        return before
    if not before and not behind:
        return [(_damaged(line) if line.lost else None) or _text(line)]
    # the hole begins or ends just where a message does
    broken = Line(b"" if before else line.head, b"" if behind else line.tail, 0, line.lost)
    if before and not behind:
        broken = Line(broken.tail or b"", b"", 0, line.lost)
    return [*(before or ()), _damaged(broken) or _text(broken), *(behind or ())]


def _messages(text: bytes) -> list[RpcText] | None:
    """What `text` says in JSON-RPC; None where it is something else."""
    begin = _BEGIN.match(text)
    if not begin or begin[1] not in b"{[":
        return None
    try:
        found = [_one.decode(text)] if begin[1] == b"{" else _batch.decode(text)
        messages = [_message(spelled) for spelled in found]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    whole = [message for message in messages if message is not None]
    return whole if whole and len(whole) == len(messages) else None


def _message(spelled: _Spelled) -> RpcText | None:
    known = None if spelled.id is UNSET else _id_text(spelled.id)
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


def _id_text(raw: Raw | bytes) -> str | None:
    """`"\\u0031"` and `"1"` are one id; what is neither text nor number nor null is none."""
    text = bytes(raw)
    if text[:1] not in b'"-0123456789n':
        return None
    try:
        spelled = text.decode()
    except UnicodeDecodeError:
        return None
    try:
        return msgspec.json.encode(_any.decode(spelled)).decode()
    except msgspec.DecodeError:  # half of a surrogate pair, a number of 400 digits
        return spelled


def _text(line: Line) -> RpcText:
    lost = line.lost + len(line.head[TEXT_MOST:]) + len(line.tail or b"")
    reason = "text_limit" if lost else None
    if line.tail is not None:
        reason = "lost"
    elif line.lost and not _is_text(line.head):
        reason = "line_limit"
    return RpcText("text", _shown(line.head), lost=lost, reason=reason)


def _shown(text: bytes) -> str:
    return text[:TEXT_MOST].decode("utf-8", "backslashreplace")


# -- a message with a hole in it ---------------------------------------------------------------------------------------

_TOKEN = re.compile(
    rb'(?P<text>"(?:[^"\\]|\\.)*")(?P<key>\s*:)?'
    rb'|(?P<cut>"(?:[^"\\]|\\.?)*\Z)'
    rb"|(?P<open>[{\[])|(?P<close>[}\]])"
    rb"|(?P<plain>-?[0-9][0-9.eE+-]*(?=[\s,}\]])|true|false|null)",
    re.DOTALL,
)
_VERSION = rb'"jsonrpc"\s*:\s*"2\.0"'
# The last brace of a line closes the message itself, so an id in front of it is the message's own
_END = re.compile(
    rb"(?P<before>" + _VERSION + rb'\s*,\s*)?"id"\s*:\s*(?P<id>-?[0-9]+|"(?:[^"\\]|\\.)*")\s*'
    rb"(?P<behind>,\s*" + _VERSION + rb"\s*)?\}\s*\Z"
)
_IS_ERROR = re.compile(rb'(?<!\\)"isError"\s*:\s*(true|false)')


def _damaged(line: Line) -> RpcText | None:
    """What a message was, if its beginning and its end still say so: an answer to a request, or a request with an id."""
    head, tail = line.head[:_HEAD_MOST], (line.tail or b"")[-_HEAD_MOST:]
    members = _members(head)
    end = _END.search(tail)
    if members.get(b"jsonrpc") != b'"2.0"' and not (end and (end["before"] or end["behind"])):
        return None
    spelled = members.get(b"id") or (end["id"] if end else b"")
    known = _id_text(spelled) if spelled else None
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
    """The members of an object that is cut off: of each its name, and its value where that is a whole text or number."""
    members: dict[bytes, bytes] = {}
    depth, name = 0, b""
    if _is_text(head):
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


# -- what MCP says in them ---------------------------------------------------------------------------------------------

_SERVER_KEY = "io.modelcontextprotocol/serverInfo"  # of `_meta`, since 2026-07-28; before, the answer to initialize has it


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


def read_tool(params: str) -> str:
    """The name of the tool that a `tools/call` asks for."""
    return _read(params, _Params).name if params else ""


def read_cancelled(params: str) -> str | None:
    """The id of the request that a `notifications/cancelled` takes back."""
    asked = _read(params, _Params).request_id if params else UNSET
    return None if asked is UNSET else _id_text(asked)


def read_failed(result: str) -> bool:
    """Does the result of a `tools/call` say that the tool failed? That is no error of JSON-RPC."""
    return bool(_read(result, _Result).is_error)


def outcome_of(method: str, answer: RpcText) -> str:
    """How a request for `method` ended: ok, tool_error, rpc_error, or unknown where the part that would say is missing."""
    if answer.kind == "error":
        return "rpc_error"
    if method != "tools/call":
        return "ok"
    if answer.reason is None:
        return "tool_error" if read_failed(answer.body) else "ok"
    return {True: "tool_error", False: "ok", None: "unknown"}[answer.failed]


def read_server(result: str) -> str:
    """Name and version of the server, where a result tells them."""
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


# -- what is not text at all -------------------------------------------------------------------------------------------

_CONTROL = re.compile(rb"[\x00-\x06\x0e-\x1a\x1c-\x1f]")  # all but bell, backspace, white space and escape
_CUT = re.compile(rb"\A[\x80-\xbf]{1,3}|[\xc2-\xf4][\x80-\xbf]{0,2}\Z")  # of a character that begins or ends elsewhere


def is_binary(data: bytes) -> bool:
    """Are these bytes, cut out of a stream, no text?"""
    data = data[:TEXT_MOST]
    if data.isascii():
        return _CONTROL.search(data) is not None
    try:
        _CUT.sub(b"", data).decode()
    except UnicodeDecodeError:
        return True
    return _CONTROL.search(data) is not None
