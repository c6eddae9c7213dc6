"""
Two requests of an agent, one behind the other -> why the cache of the first was not read for the second.

A cache holds the begin of a request, so the first difference is the reason. The lifetimes are published:
platform.claude.com/docs/en/build-with-claude/prompt-caching (5 minutes, or 1 hour where the request asks for it),
platform.openai.com/docs/guides/prompt-caching (5 to 10 minutes, at most 1 hour).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

from msgspec import Struct

from ...core.bounded import common_back, common_front
from ...core.start import regex
from .held import Step
from .pieces import Piece

CauseKind: TypeAlias = Literal[
    "tools", "system", "message", "model", "parameter", "thinking", "idle", "unmarked", "provider", "unwritten", "unknown"
]

_MINUTE_MS = 60_000
LONGEST_MS = 60 * _MINUTE_MS  # that a cache of Anthropic lives
_LIVES_MS = {"5m": 5 * _MINUTE_MS, "1h": LONGEST_MS, "": 5 * _MINUTE_MS}
_MARKS_NEEDED = ("anthropic", "bedrock", "bedrock_converse")
# Parameters that are part of what is cached; the others only say how an answer is made
_OF_CACHE = (
    "thinking",
    "tool_choice",
    "toolchoice",
    "reasoning",
    "output_config",
    "speed",
    "response_format",
    "text",
    "prompt_cache_key",
)
_SHOWN = 80  # characters of a difference
_WHEN = regex(
    r"\d{4}-\d\d-\d\d|\d{1,2}:\d\d|\d{1,2}/\d{1,2}/\d{2,4}|(?:mon|tues|wednes|thurs|fri|satur|sun)day"
    r"|\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.? \d",
    re.IGNORECASE,
)
_WORD = 24  # bytes of a word that are shown before and behind a difference
_WORD_BEFORE = regex(rb"[^\s\\\"'(),;<>]*+\Z")
_WORD_BEHIND = regex(rb"[^\s\\\"'(),;<>]*+")


class Asked(Struct, frozen=True):
    """
    What of a request decides whether its begin is found in the cache. `body`: in which its pieces stand. `read`: tokens that
    came from the cache.
    """

    pieces: Sequence[Piece]
    body: bytes
    model: str
    parameters: Mapping[str, bytes]
    time_ms: int
    read: int = 0


class Cause(Struct, frozen=True):
    """
    Why; unknown where the request before was not captured, unwritten where the agent's own file does not show it. `what` names
    the changed tools, parameters or models; `old` and `new` are what differs in a text, and `when` says that this is a date or
    a time. `number` of `count` is the place of a changed tool or message. `idle_ms` passed between the two, and the cache lives
    for `life_ms`.
    """

    kind: CauseKind
    change: str = ""  # added, removed, changed, moved
    what: tuple[str, ...] = ()
    origin: str = ""
    number: int = 0
    count: int = 0
    old: str = ""
    new: str = ""
    when: bool = False
    idle_ms: int = 0
    life_ms: int = 0


def change_in(step: Step, cached: int, /) -> int | None:
    """The first piece of the request before that differs now, if it was within the `cached` tokens."""
    return step.kept if step.kept < step.before and step.kept_tokens < cached else None


def cause_of(before: Asked, now: Asked, /, *, change: int | None, dialect: str) -> Cause:
    """`change`: the piece of `before` that differs, None where all that was in the cache is the same."""
    if change is not None and change < len(before.pieces):
        return _changed(before, now, change)
    if before.model != now.model:
        return Cause("model", what=(before.model, now.model))
    names = [name for name in sorted({*before.parameters, *now.parameters}) if name.rpartition(".")[2].lower() in _OF_CACHE]
    changed = tuple(name for name in names if before.parameters.get(name) != now.parameters.get(name))
    if changed:
        return Cause("parameter", what=changed)
    marks = [piece.mark for piece in before.pieces if piece.mark]
    life_ms, idle_ms = _LIVES_MS["1h" if "1h" in marks else ""], max(0, now.time_ms - before.time_ms)
    if dialect in _MARKS_NEEDED and _takes_thinking_out(before, now) and (now.read or idle_ms <= life_ms):
        return Cause("thinking")
    if idle_ms > life_ms:
        return Cause("idle", idle_ms=idle_ms, life_ms=life_ms)
    if dialect in _MARKS_NEEDED and not any(piece.mark for piece in now.pieces) and "cache_control" not in now.parameters:
        return Cause("unmarked")
    return Cause("provider", idle_ms=idle_ms, life_ms=life_ms)


def _takes_thinking_out(before: Asked, now: Asked) -> bool:
    """
    Behind a new prompt the model does not read the thinking of earlier turns, though it is sent
    (platform.claude.com/docs/en/build-with-claude/extended-thinking, on caching and on tools).
    """
    news = now.pieces[len(before.pieces) :]
    return any(piece.origin == "prompt" for piece in news) and any(piece.origin == "reasoning" for piece in before.pieces)


def _changed(before: Asked, now: Asked, at: int) -> Cause:
    old = before.pieces[at]
    new = now.pieces[at] if at < len(now.pieces) else None
    if old.origin == "tools" or (new is not None and new.origin == "tools"):
        return _tools(before.pieces, now.pieces)
    differs, differed = _difference(_text(before.body, old), _text(now.body, new))
    kind: CauseKind = "system" if old.origin == "system" or (new is not None and new.origin == "system") else "message"
    first = next((place for place, piece in enumerate(before.pieces) if piece.origin not in ("tools", "system")), 0)
    return Cause(
        kind,
        change="removed" if new is None else "changed",
        origin=(new or old).origin,
        number=at - first + 1 if kind == "message" else 0,
        count=len(before.pieces) - first if kind == "message" else 0,
        old=differs,
        new=differed,
        when=bool(_WHEN.search(differs) and _WHEN.search(differed)),
    )


def _tools(before: Sequence[Piece], now: Sequence[Piece]) -> Cause:
    old = {piece.name: piece.digest for piece in before if piece.origin == "tools"}
    new = {piece.name: piece.digest for piece in now if piece.origin == "tools"}
    order = list(new)
    added, removed = [name for name in new if name not in old], [name for name in old if name not in new]
    changed = [name for name in new if name in old and old[name] != new[name]]
    change, names = next(
        ((word, names) for word, names in (("added", added), ("removed", removed), ("changed", changed)) if names),
        ("moved", [name for name, was in zip(order, old, strict=False) if name != was]),
    )
    where = names[0] if names else ""
    place = (order if where in new else list(old)).index(where) + 1 if where else 0
    return Cause("tools", change=change, what=tuple(names), origin="tools", number=place, count=len(new) or len(old))


def _text(body: bytes, piece: Piece | None) -> bytes:
    return b"" if piece is None else body[piece.start : piece.end]


def _difference(old: bytes, new: bytes) -> tuple[str, str]:
    """What stands in each in place of the other, in whole words."""
    front = common_front(old, new)
    back = min(common_back(old, new), len(old) - front, len(new) - front)
    front -= _length(_WORD_BEFORE.search(old, max(0, front - _WORD), front))
    back -= _length(_WORD_BEHIND.match(old, len(old) - back, len(old) - back + min(back, _WORD)))
    was, now = (text[front : len(text) - back][:_SHOWN].decode(errors="replace") for text in (old, new))
    return was, now


def _length(found: re.Match[bytes] | None) -> int:
    return len(found[0]) if found else 0
