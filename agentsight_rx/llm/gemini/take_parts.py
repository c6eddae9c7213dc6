"""Parts of a streamed content of Google's Gemini API -> the Draft of the answer."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from ..by_order import made_up_id
from ..canonical import MediaPart
from ..reader import Block, Draft
from ..request_fields import text_of
from .parts import GeminiPart, Said, part_of

__all__ = ["take_call", "take_parts"]

_OPEN = "call"  # in the draft's items: 1 while more of the newest call's arguments may come


def take_parts(draft: Draft, parts: Iterable[GeminiPart], /) -> bool:
    """Add each part. True if one carried content."""
    content = False
    for part in parts:
        content |= _take_part(draft, part)
    return content


def _take_part(draft: Draft, part: GeminiPart) -> bool:
    if part.text:  # nearly all parts
        draft.add("reasoning" if part.thought else "text", part.text)
        return True
    if part.call is not None:
        return take_call(draft, part.call)
    said = part_of(part, _calls(draft), _newest_server_call(draft))
    match said:
        case MediaPart():
            _add_medium(draft, said)
        case None:
            return False
        case _:
            draft.put((len(draft.blocks), 0, 0), said)
    return True


def take_call(draft: Draft, call: Said, /) -> bool:
    """A call, whole, or a piece of one whose arguments are streamed. An empty piece ends it."""
    newest, partial = _newest(draft), call.partial_args or ()
    is_open = newest is not None and newest.kind == "call" and draft.items.get(_OPEN) == 1
    if newest is None or not is_open or (call.name and not (partial and call.name == newest.name)):
        if not (call.name or call.args or partial):
            return False
        newest = _new_call(draft, call)
    for each in partial:
        value = msgspec.json.encode(each.string_value) if each.string_value is not None else bytes(each.json())
        if value:
            newest.paths.append(each.json_path)
            newest.parts.append(value.decode(errors="replace"))
    draft.items[_OPEN] = int(bool(partial) if call.will_continue is None else call.will_continue)
    return bool(partial or call.name or call.args)


def _new_call(draft: Draft, call: Said) -> Block:
    position, name = _calls(draft), call.name or ""
    made = draft.call(len(draft.blocks))
    made.id, made.name, made.whole = call.id or made_up_id(name, position), name, text_of(call.args)
    if made.whole and call.partial_args:  # pieces are added to what is there
        made.paths.append("$")
        made.parts.append(made.whole)
    return made


def _add_medium(draft: Draft, medium: MediaPart) -> None:
    """Sound is streamed in many parts, which are one."""
    newest = _newest(draft)
    if (
        newest is not None
        and newest.media is not None
        and (medium.kind, medium.media_type) == ("audio", newest.media.media_type)
    ):
        newest.media = replace(newest.media, size=newest.media.size + medium.size)
        return
    draft.put((len(draft.blocks), 0, 0), medium)


def _newest(draft: Draft) -> Block | None:
    """The last piece that came; speech in the Live API stands before all of them, and is not a piece."""
    return next((block for place, block in reversed(draft.blocks.items()) if place[0] >= 0), None)


def _calls(draft: Draft) -> int:
    return sum(block.kind == "call" for block in draft.blocks.values())


def _newest_server_call(draft: Draft) -> str:
    return next((block.id for block in reversed(draft.blocks.values()) if block.kind == "call" and block.server), "")
