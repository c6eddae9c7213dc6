"""
One element of a request (a message, a tool, a block of the system's text) -> its pieces, by what they are and who wrote them.

The APIs have the same parts under different names. The names are tables here, so that one function reads every dialect.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from ...core.start import regex
from .places import LIST, OBJECT, OTHER, TEXT, Place, pixels_of
from .texts import split

MEDIA = "media"
UNNAMED = "#"  # begins the `ref` of a result that names no call; behind it is where the result begins in its element
COMPACTION = "compaction"  # the name of a summary that a provider has made itself

_ORIGINS = {
    "system": "system", "developer": "system", "assistant": "answer", "model": "answer", "chatbot": "answer",
    "tool": "result", "function": "result", "ipython": "result",
}  # fmt: skip

# Members of a message or a block that hold what is said, and those that hold more blocks
_SAYS = frozenset(
    b"text content parts output message stdout stderr refusal summary json response result value outputs query prompt title "
    b"input_text data transcript".split()
)
_RESULT_IS = (b"response", b"json", b"result", b"output")  # an object in one of these is the result itself
_THINKS = (b"thinking", b"reasoning", b"reasoning_content", b"reasoningContent", b"reasoning_details", b"tool_plan")
_CALLS = (b"tool_calls", b"function_call", b"functionCall", b"toolUse", b"toolCall", b"executableCode", b"executable_code")
_RESULTS = frozenset(
    b"functionResponse function_response functionResponses toolResult toolResponse codeExecutionResult code_execution_result "
    b"tool_results".split()
)
_MEDIA = frozenset(
    b"inlineData inline_data fileData file_data image images document video audio image_url input_audio file".split()
)
_IDS = (b"tool_use_id", b"toolUseId", b"tool_call_id", b"call_id", b"id")
_NAMED = (b"tool_name", b"name")  # of the tool, in a message with its result
_CALLED = regex(r"(?:tool_use|[._-]call)\Z|\Amcp_list_tools\Z")
_GIVEN = regex(r"(?:tool_result|[._-](?:output|result))\Z")
_THOUGHT = regex(r"thinking\Z|\Areasoning")
_SHOWN = frozenset(
    ["image", "image_url", "input_image", "document", "file", "input_file", "input_audio", "audio", "video", "container_upload"]
)
_TEXTS = frozenset(["", "message", "text", "input_text", "output_text", "refusal", "search_result", "assistant"])

_MARK = regex(rb',?\s*"cache_control"\s*:\s*(?:null|\{[^{}]*\})')
_HOUR = regex(rb'"ttl"\s*:\s*"1h"')
_DIGEST = 8  # bytes: of some thousand pieces no two have the same by chance


class Piece(Struct, frozen=True, gc=False):
    """
    `element[start:end]`. `origin`: tools, system, prompt, result, answer, reasoning, instructions, reminder, summary, media.

    `name`: of a tool, or the file of instructions; `ref`: the id of the call that it is, or whose result it is. `digest` is the
    same for the same content, whatever mark for the cache it has. `mark`: the request asks to cache all up to its end, for
    "5m" or "1h". `pixels`: width and height of an image that was sent along.
    """

    start: int
    end: int
    origin: str
    digest: bytes
    name: str = ""
    ref: str = ""
    mark: str = ""
    pixels: tuple[int, int] | None = None

    @property
    def size(self) -> int:
        """Bytes."""
        return self.end - self.start


class _Within(Struct, frozen=True):
    """Where a value is: its origin where nothing else is said of it, and the call that it belongs to."""

    origin: str
    ref: str = ""
    name: str = ""


def pieces_of(body: bytes, element: Place, origin: str, /) -> tuple[Piece, ...]:
    """The pieces of an element in order. Between them stands only form. Offsets count from the begin of the element."""
    return _from(element, _walk(body, element, _Within(origin)))


def tool_pieces(body: bytes, element: Place, /) -> tuple[Piece, ...]:
    """The definitions of tools in an element of the list of tools: one, or several in a list of their own."""
    lists = [inner for _, inner in element.inner if inner.kind == LIST and inner.inner and inner.inner[0][1].kind == OBJECT]
    is_group = bool(lists) and element.get(b"name", b"function") is None
    each = [definition for _, definition in lists[0].inner] if is_group else [element]
    return _from(element, (_whole(body, one, "tools", name=_tool_name(body, one)) for one in each))


def summed_up_at(pieces: Sequence[Piece], /) -> int | None:
    """
    Which piece of an element the model begins to read at, since its provider has put a summary in place of all before it. It is
    a block of a message at Anthropic (platform.claude.com/docs/en/build-with-claude/compaction). An item of its own, as at
    OpenAI, is read after the items before it (developers.openai.com/api/docs/guides/compaction).
    """
    found = [at for at, piece in enumerate(pieces) if piece.name == COMPACTION and piece.origin == "summary" and piece.start]
    return found[-1] if found else None


def _from(element: Place, pieces: Iterable[Piece]) -> tuple[Piece, ...]:
    by = element.start
    return tuple(
        [
            replace(each, start=each.start - by, end=each.end - by)
            if each.ref[:1] != UNNAMED
            else replace(each, start=each.start - by, end=each.end - by, ref=f"{UNNAMED}{int(each.ref[1:]) - by}")
            for each in pieces
        ]
    )


def _tool_name(body: bytes, tool: Place) -> str:
    inner = tool.get(b"function", b"custom", b"toolSpec", b"systemTool")
    named = (inner if inner is not None and inner.kind == OBJECT else tool).get(b"name")
    if named is None:
        named = tool.get(b"server_label", b"mcp_server_name", b"type")
    said = named.text(body) if named is not None else ""
    return said or next((name.decode(errors="replace") for name, _ in tool.inner), "")


def _walk(body: bytes, place: Place, within: _Within) -> Iterator[Piece]:
    if place.kind == TEXT:
        yield from _said(body, place, within)
    elif place.kind == LIST:
        yield from _each(body, place, within)
    elif place.kind == OBJECT:
        marked = _marked(body, place)
        pieces = list(_of_object(body, place, within))
        if marked and pieces:
            pieces[-1] = replace(pieces[-1], mark=marked)
        yield from pieces


def _each(body: bytes, place: Place, within: _Within) -> list[Piece]:
    """Bedrock has a mark for the cache as an element of its own, behind what it is for."""
    pieces: list[Piece] = []
    for _, each in place.inner:
        if pieces and each.get(b"cachePoint") is not None:
            pieces[-1] = replace(pieces[-1], mark=_marked(body, each))
        else:
            pieces += _walk(body, each, within)
    return pieces


def _of_object(body: bytes, place: Place, within: _Within) -> Iterator[Piece]:
    kind = _text(body, place, b"type")
    role = _text(body, place, b"role").lower()
    whole = _whole_kind(kind, within)
    if whole is not None:
        yield whole(body, place, within)
        return
    if _GIVEN.search(kind):
        within = _Within("result", _text(body, place, *_IDS), _text(body, place, b"name"))
    elif role:
        origin = _ORIGINS.get(role, within.origin if within.origin == "system" else "prompt")
        ref = _text(body, place, *_IDS) or f"{UNNAMED}{place.start}" if origin == "result" else ""
        within = _Within(origin, ref, _text(body, place, *_NAMED) if origin == "result" else "")
    elif (thought := place.get(b"thought")) is not None and body[thought.start : thought.end] == b"true":
        within = _Within("reasoning")
    pieces = [piece for name, inner in place.inner for piece in _member(body, name, inner, within)]
    if not pieces and kind not in _TEXTS:  # a block of a kind that no table knows
        pieces = [_whole(body, place, within.origin, ref=within.ref)]
    yield from pieces


_Made: TypeAlias = Callable[[bytes, Place, "_Within"], Piece]


def _whole_kind(kind: str, within: _Within) -> _Made | None:
    """How a block of this type is one piece; None where it is not."""
    if _CALLED.search(kind):
        return lambda body, place, _: _whole(
            body, place, "answer", name=_text(body, place, b"name"), ref=_text(body, place, *_IDS)
        )
    if kind in _SHOWN and not (kind == "document" and within.origin == "result"):
        return _medium
    if _THOUGHT.search(kind):
        return lambda body, place, _: _whole(body, place, "reasoning")
    return (lambda body, place, _: _whole(body, place, "summary", name=COMPACTION)) if kind.startswith("compaction") else None


def _member(body: bytes, name: bytes, inner: Place, within: _Within) -> Iterator[Piece]:
    each = [one for _, one in inner.inner] if inner.kind == LIST else [inner]
    if name in _CALLS:
        for call in each:
            yield _whole(body, call, "answer", name=_call_name(body, call), ref=_text(body, call, *_IDS))
    elif name in _RESULTS:
        for result in each:
            of = _Within("result", _text(body, result, *_IDS) or f"{UNNAMED}{result.start}", _text(body, result, b"name"))
            yield from list(_of_object(body, result, of)) or [_whole(body, result, "result", name=of.name, ref=of.ref)]
    elif inner.kind == OTHER:
        return
    elif name in _THINKS and inner.end - inner.start > len('""'):
        yield _whole(body, inner, "reasoning")
    elif name in _MEDIA and within.origin != "result":
        for medium in each:
            yield _medium(body, medium, within)
    elif name in _RESULT_IS and inner.kind == OBJECT:
        yield from list(_of_object(body, inner, within)) or [
            _whole(body, inner, within.origin, name=within.name, ref=within.ref)
        ]
    elif name in _SAYS:
        yield from _walk(body, inner, within)
    elif name in _MEDIA:
        yield _whole(body, inner, within.origin if name == b"document" else MEDIA, ref=within.ref)


def _call_name(body: bytes, call: Place) -> str:
    function = call.get(b"function", b"custom")
    return _text(body, function if function is not None and function.kind == OBJECT else call, b"name")


def _said(body: bytes, place: Place, within: _Within) -> Iterator[Piece]:
    """The text between the quotes, as far as the string goes where it is cut."""
    whole = place.end - place.start > 1 and body[place.end - 1 : place.end] == b'"'
    start, end = place.start + 1, place.end - 1 if whole else place.end
    text = body[start:end]
    for span in split(text, within.origin):
        content = text[span.start : span.end]
        name = span.name or within.name
        yield Piece(start + span.start, start + span.end, span.origin, _digest(span.origin, content), name=name, ref=within.ref)


def _whole(body: bytes, place: Place, origin: str, *, name: str = "", ref: str = "") -> Piece:
    content = body[place.start : place.end]
    plain = _MARK.sub(b"", content) if b'"cache_control"' in content else content
    mark = _marked(body, place)
    return Piece(place.start, place.end, origin, _digest(origin, plain), name=name, ref=ref, mark=mark)


def _medium(body: bytes, place: Place, within: _Within) -> Piece:
    return replace(_whole(body, place, MEDIA, ref=within.ref), pixels=pixels_of(body[place.start : place.end]))


def _marked(body: bytes, place: Place) -> str:
    marked = place.get(b"cache_control", b"cachePoint")
    if marked is None or marked.kind != OBJECT:
        return ""
    return "1h" if _HOUR.search(body, marked.start, marked.end) else "5m"


def _digest(origin: str, content: bytes) -> bytes:
    return blake2b(content, digest_size=_DIGEST, key=origin.encode()).digest()


def _text(body: bytes, place: Place, *names: bytes) -> str:
    found = place.get(*names)
    return "" if found is None else found.text(body)
