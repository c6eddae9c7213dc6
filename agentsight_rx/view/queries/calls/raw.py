"""A call -> its exchange as it was sent: heads, times, bodies in parts, and programs that send it again."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from ....core.errors import StoreError, UsageError
from ....events import HttpRequest
from ....store.log.reading import Exchange, read_exchange
from ....store.reasons import why_cut
from ....store.rows.ids import call_of, scheme_of
from ....store.rows.kinds import CallRow
from ....store.state import Store
from ....wire.http1_head import field
from .lookup import call_row
from .programs import program_lines
from .resend import resend_of

_PART = 65_536  # characters of one text
_NS = 1_000_000


class RawCall(Struct, frozen=True, omit_defaults=True):
    """
    One exchange. Times are ms after the first byte of the request; None: not seen. `kept_open`: the connection had an exchange
    before, so that it took no time to connect. `request_cut` and `response_cut` name the
    missing parts, `curl` and `python` are programs with variables for credentials, `refused` says why there are none.
    `tries`: the calls that were tried for it, oldest first, and their statuses.
    """

    id: str
    method: str = ""
    url: str = ""
    version: str = ""
    stream: int = 0
    kept_open: bool = False
    status: int = 0
    sent_ms: int | None = None
    first_ms: int | None = None
    end_ms: int | None = None
    request_bytes: int = 0
    response_bytes: int = 0
    request_heads: tuple[tuple[str, str], ...] = ()
    response_heads: tuple[tuple[str, str], ...] = ()
    events: int = 0
    request_cut: str = ""
    response_cut: str = ""
    curl: str = ""
    python: str = ""
    variables: tuple[str, ...] = ()
    refused: str = ""
    tries: tuple[tuple[str, int], ...] = ()


class RawBody(Struct, frozen=True):
    """A part of a body of `total` characters."""

    text: str
    total: int


def raw_call(store: Store, id: str, /) -> RawCall:
    """
    The exchange as far as the recording has it, by the id of its call or of its row. Raises KeyError for one that is not in the
    recording.
    """
    id = call_of(id)
    seen, row = read_exchange(store, id), call_row(store, id)
    if row is None and seen.request is None and seen.answer is None:
        raise KeyError(id)
    row = row or CallRow(id, 0)  # of no model
    request, response, stream = seen.request, seen.response, seen.stream
    began = request.origin.time_ns if request else 0
    end_ns = max(response.end_ns if response else 0, stream.end_ns if stream else 0)
    known = response or stream
    found = RawCall(
        row.id,
        method=request.method if request else (known.method or "" if known else ""),
        url=_url(row, request),
        version=request.version if request else "",
        stream=request.stream if request else 0,
        kept_open=request is not None and request.exchange > 1,
        status=row.status_code or (known.status if known else 0),
        sent_ms=_after(began, request.end_ns if request else 0),
        first_ms=row.time_to_first_chunk_ms if row.start_ns else _after(began, stream.first_chunk_ns if stream else 0),
        end_ms=_after(began, end_ns),
        request_bytes=len(request.body) if request else 0,
        response_bytes=_size(seen),
        request_heads=_heads(request.headers if request else ()),
        response_heads=_heads(response.headers if response else ()),
        events=len(stream.events) if stream else 0,
        request_cut=_request_cut(request),
        response_cut=_response_cut(seen),
    )
    return _with_programs(found, row, request)


def _url(row: CallRow, request: HttpRequest | None) -> str:
    if request is None:
        return f"{row.scheme}://{row.host or '?'}{row.path or ''}"
    return f"{scheme_of(request.origin)}://{field(request.headers, 'host') or row.host or '?'}{request.target}"


def _after(start_ns: int, end_ns: int) -> int | None:
    return max(0, (end_ns - start_ns) // _NS) if start_ns and end_ns else None


def _heads(headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in headers)


def _size(seen: Exchange) -> int:
    if seen.stream is not None:
        return sum(len(each.data.encode("utf-8", "replace")) for each in seen.stream.events)
    return len(seen.response.body) if seen.response else 0


def _request_cut(request: HttpRequest | None) -> str:
    if request is None:
        return "The request was not captured."
    if request.complete and not request.body_lost:
        return ""
    return f"The request is not whole: {why_cut(request.reason or '')[0]}."


def _response_cut(seen: Exchange) -> str:
    answer = seen.answer
    if answer is None:
        return "No response was captured."
    if answer.complete:
        return ""
    return f"The response ends early. {_size(seen):,} bytes came: {why_cut(answer.reason or '')[0]}."


def _with_programs(found: RawCall, row: CallRow, request: HttpRequest | None) -> RawCall:
    name = f"call-{row.turn_name or row.id}.json"
    title = f"Send turn {row.turn_name} again." if row.turn else f"Send {row.id} again."
    try:
        resend = resend_of(row, request)
    except (StoreError, UsageError) as error:
        return msgspec.structs.replace(found, refused=str(error))
    curl, python = ("\n".join(program_lines(resend, each, title=title, body=name)) for each in ("curl", "python"))
    return msgspec.structs.replace(found, curl=curl, python=python, variables=resend.variables)


def raw_body(store: Store, call: str, /, *, part: str, form: str, offset: int) -> RawBody:
    """`part`: request or response. `form`: pretty, events or raw."""
    seen = read_exchange(store, call_of(call))
    text = _request_text(seen, form) if part == "request" else _response_text(seen, form)
    return RawBody(text[offset : offset + _PART], len(text))


def _request_text(seen: Exchange, form: str) -> str:
    body = seen.request.body if seen.request else b""
    return _pretty(body) if form == "pretty" else body.decode("utf-8", "replace")


def _response_text(seen: Exchange, form: str) -> str:
    stream = seen.stream
    if stream is None:
        body = seen.response.body if seen.response else b""
        return _pretty(body) if form == "pretty" else body.decode("utf-8", "replace")
    if form == "pretty":
        return _pretty(msgspec.json.encode(stream.reply))
    lines = ("".join((f"event: {each.event}\n" if each.event else "", f"data: {each.data}\n")) for each in stream.events)
    return "\n".join(lines)


def _pretty(body: bytes) -> str:
    try:
        return msgspec.json.format(body, indent=2).decode("utf-8", "replace")
    except (msgspec.DecodeError, ValueError, RecursionError):
        return body.decode("utf-8", "replace")
