"""
The body of a request to a model -> its pieces, in the order sent and in the order in which a model reads them.

A request begins like the one before. Its known elements are taken over, which changes the time and never the result.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from ...core.bounded import common_front
from .pieces import Piece, pieces_of, summed_up_at, tool_pieces
from .places import LIST, OBJECT, TEXT, element_at, member_at, place_at

FRAMING, PARAMETERS, OTHER = "framing", "parameters", "other"  # origins of what is no part of the context
SAID = "prompt"

# What a member of a request holds, by its name in lower case without `_`
_TOOLS = ("tools", "functions", "toolconfig")
_SYSTEM = ("system", "systeminstruction", "instructions", "preamble", "systemprompt")
_SAID = ("messages", "input", "contents", "content", "chathistory", "prompt", "message", "inputs", "suffix", "documents",
         "additionalmessages", "query", "inputtext", "toolresults", "toolresponses", "items")  # fmt: skip
_WRAPS = (
    "request",
    "input",
    "inputs",
    "response",
    "setup",
    "session",
    "toolconfig",
    "body",
    "thread",
)  # objects
_ROLES = ("role", "parts")
_RANKS = {"tools": 0, "system": 1}  # a model reads tools, then the system's text, then the conversation
_WRAPS_MOST = 3  # in each other


class Part(Struct, frozen=True, gc=False):
    """One element of a field, such as a message: its place from the begin of the value, and the pieces in it."""

    start: int
    end: int
    pieces: tuple[Piece, ...]


class Field(Struct, frozen=True):
    """
    A member of the request: its name, what it holds, where its value is, and its elements. The model reads from
    element `first` on, which is the last one with a summary by the provider.
    """

    name: str
    holds: str
    start: int
    end: int
    parts: tuple[Part, ...]
    first: int = 0


class Anatomy(Struct, frozen=True):
    """A request: its body and its members, in the order sent."""

    body: bytes
    fields: tuple[Field, ...] = ()

    def covering(self) -> Iterator[Piece]:
        """Pieces of all kinds, in the order sent, that are the whole body when they are put behind each other."""
        at = 0
        for field in self.fields:
            for piece in (
                _placed(field, field.parts)
                if field.holds != PARAMETERS
                else [Piece(field.start, field.end, PARAMETERS, b"", field.name)]
            ):
                if piece.start > at:
                    yield Piece(at, piece.start, FRAMING, b"")
                if piece.end > piece.start:
                    yield piece
                at = piece.end
        if at < len(self.body):
            yield Piece(at, len(self.body), FRAMING if self.fields else OTHER, b"")

    def read(self) -> list[Piece]:
        """What the model reads, in its order: tools, system, conversation. Offsets count from the begin of the body."""
        return [piece for field in self._ordered() for piece in _placed(field, _read(field))]

    def texts(self, first: int = 0) -> Iterator[tuple[Piece, bytes]]:
        """The same from that piece on, each as in `elements`, with its bytes."""
        at = 0
        for field in self._ordered():
            for part in _read(field):
                if at + len(part.pieces) > first:
                    by = field.start + part.start
                    yield from (
                        (each, self.body[by + each.start : by + each.end]) for each in part.pieces[max(0, first - at) :]
                    )
                at += len(part.pieces)

    def elements(self, *, said: bool) -> list[tuple[Piece, ...]]:
        """The pieces of each element of the conversation, or of all before it; offsets count from the begin of the element."""
        return [part.pieces for field in self._ordered() if (field.holds == SAID) == said for part in _read(field)]

    def _ordered(self) -> list[Field]:
        return sorted((field for field in self.fields if field.parts), key=lambda field: _RANKS.get(field.holds, 2))

    def parameters(self) -> dict[str, bytes]:
        """The members that say how the answer is to be made, as JSON text."""
        return {each.name: self.body[each.start : each.end] for each in self.fields if each.holds == PARAMETERS}


def _read(field: Field) -> Sequence[Part]:
    """The elements that the model reads: a summary of the provider stands in place of all before it."""
    begin = field.parts[field.first]
    at = summed_up_at(begin.pieces)
    return (
        field.parts[field.first :]
        if at is None
        else (replace(begin, pieces=begin.pieces[at:]), *field.parts[field.first + 1 :])
    )


def _placed(field: Field, parts: Sequence[Part]) -> Iterator[Piece]:
    for part in parts:
        by = field.start + part.start
        for piece in part.pieces:
            yield replace(piece, start=piece.start + by, end=piece.end + by)


def anatomy(body: bytes, /, before: Anatomy | None = None) -> Anatomy:
    """Never raises. A body that is no JSON object has no field; a body that is cut has the fields before the cut."""
    start = element_at(body, 0)
    if start is None or body[start : start + 1] != b"{":
        return Anatomy(body)
    known = {field.name: field for field in reversed(before.fields)} if before is not None else {}
    fields: list[Field] = []
    _members(body, start, known=known, before=before.body if before else b"", fields=fields, within="", levels=_WRAPS_MOST)
    return Anatomy(body, tuple(fields))


def _members(
    body: bytes, at: int, *, known: dict[str, Field], before: bytes, fields: list[Field], within: str, levels: int
) -> int:
    """Adds the members of the object at `at`, and returns where it ends."""
    at += 1
    while (found := member_at(body, at)) is not None:
        name, _, value = found
        plain = name.lower().replace("_", "")
        full = f"{within}{name}"
        sign = body[value : value + 1].decode(errors="replace")
        if sign == OBJECT and levels and plain in _WRAPS and not _is_message(body, value):
            at = _members(body, value, known=known, before=before, fields=fields, within=f"{full}.", levels=levels - 1)
            continue
        field = _field(body, value, full, plain=plain, known=known.get(full), before=before)
        if field is None:
            break
        fields.append(field)
        at = field.end
    closed = body.find(b"}", at)
    return len(body) if closed < 0 else closed + 1


def _is_message(body: bytes, at: int) -> bool:
    first = member_at(body, at + 1)
    return first is not None and first[0] in _ROLES


def _field(body: bytes, start: int, name: str, *, plain: str, known: Field | None, before: bytes) -> Field | None:
    holds = "tools" if plain in _TOOLS else "system" if plain in _SYSTEM else SAID if plain in _SAID else PARAMETERS
    if known is not None and known.end < len(before) and _is_same(body, start, before[known.start : known.end]):
        return replace(known, start=start, end=start + known.end - known.start)
    sign = body[start : start + 1].decode(errors="replace")
    if sign == LIST and holds != PARAMETERS:
        return _listed(body, start, name, holds=holds, known=known, before=before)
    place = place_at(body, start)
    if place is None:
        return None
    if holds == PARAMETERS or sign not in (OBJECT, TEXT):
        return Field(name, PARAMETERS, place.start, place.end, ())
    pieces = tool_pieces(body, place) if holds == "tools" else pieces_of(body, place, holds)
    return Field(name, holds, start, place.end, (Part(0, place.end - start, pieces),) if pieces else ())


def _is_same(body: bytes, start: int, value: bytes) -> bool:
    """Is this value here? A number may go on, so only what has an end of its own is known again."""
    return value[-1:] in (b"}", b"]", b'"') and len(value) > 1 and body.startswith(value, start)


def _listed(body: bytes, start: int, name: str, *, holds: str, known: Field | None, before: bytes) -> Field:
    parts: list[Part] = []
    first = 0
    if known is not None and known.end < len(before):  # where it is cut, its last element may go on
        common = common_front(before[known.start : known.end], body[start : start + known.end - known.start])
        parts = [part for part in known.parts if part.end <= common]
        first = known.first if known.first < len(parts) else _first_read(parts)
    at = start + (parts[-1].end if parts else 1)
    while (begin := element_at(body, at)) is not None:
        place = place_at(body, begin)
        if place is None:
            break
        pieces = tool_pieces(body, place) if holds == "tools" else pieces_of(body, place, holds)
        if place.kind in (OBJECT, LIST, TEXT):
            first = len(parts) if summed_up_at(pieces) is not None else first
            parts.append(Part(place.start - start, place.end - start, pieces))
        at = place.end
    closed = body.find(b"]", at)
    return Field(name, holds, start, len(body) if closed < 0 else closed + 1, tuple(parts), first=first)


def _first_read(parts: Sequence[Part]) -> int:
    return next((at for at in range(len(parts) - 1, -1, -1) if summed_up_at(parts[at].pieces) is not None), 0)
