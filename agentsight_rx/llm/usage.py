"""The counts of an event -> the counts of the answer: the last statement of each count is right."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TypeVar

import msgspec
from msgspec import Raw

from ..events import Usage
from .lenient import Fields
from .reader import Draft

__all__ = ["counted", "take_usage"]

C = TypeVar("C")

_LONGEST = 16_384  # bytes; real ones have a few hundred, and each event may bring one
_DIGITS = b"0123456789"
_OBJECT = msgspec.json.Decoder(dict[str, Raw])


def counted(asked: int, said: int, *, read: int = 0, written: int = 0, reasoning: int = 0) -> Usage:
    """Counts of an API whose `asked` includes what came from a cache and went to it: no more than all of it can."""
    read = min(read, asked)
    written = min(written, asked - read)
    return Usage(asked - read - written, said, cache_creation=written, cache_read=read, reasoning=reasoning)


def take_usage(draft: Draft, raw: Raw, fields: Fields[C], normal: Callable[[C], Usage | None], *, name: str = "usage") -> None:
    """
    Add the counts of an event to those before. What it leaves out, or says as null or unreadably, stays as it was.

    `normal` makes our counts of all that were sent; None if none of them was. What cannot be read is noted in the draft.
    """
    sent = bytes(raw)
    if not sent or sent == b"null":
        return
    found = fields.read(sent) if len(sent) <= _LONGEST else None
    if found is None:
        draft.note([name])
        return
    draft.note([f"{name}.{each}" for each in found.unknown])
    value = found.value
    if draft.raw_usage and not _restates(draft.raw_usage.encode(), sent, found.unknown):
        sent = _merged(draft.raw_usage.encode(), sent, found.unknown)
        both = fields.read(sent) if len(sent) <= _LONGEST else None
        value = value if both is None else both.value
    usage = normal(value)
    if usage is not None:
        draft.usage, draft.raw_usage = usage, str(sent, "utf-8", "replace")


def _restates(before: bytes, after: bytes, unread: Collection[str]) -> bool:
    """Does it say all that was said before, with other numbers? That is usual, and quicker than merging."""
    return not unread and b"null" not in after and before.translate(None, _DIGITS) == after.translate(None, _DIGITS)


def _merged(before: bytes, after: bytes, unread: Collection[str], path: str = "") -> bytes:
    if before == after:
        return before
    try:
        old, new = _OBJECT.decode(before), _OBJECT.decode(after)
    except (msgspec.DecodeError, UnicodeError):
        return before
    for field, sent in new.items():
        value, name = bytes(sent), f"{path}{field}"
        if value == b"null" or name in unread:
            continue
        former = bytes(old.get(field, b""))
        is_nested = not path and value[:1] == b"{" == former[:1]
        old[field] = Raw(_merged(former, value, unread, f"{name}.")) if is_nested else sent
    return msgspec.json.encode(old)
