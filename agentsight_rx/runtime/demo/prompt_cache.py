"""
A request of the Anthropic API -> how many tokens the fake model counts in it, and how many of them it has in its cache.

A token is a word or a sign, so a test knows every count. The cache holds the begin of a request up to each mark of it for 5
minutes, as https://docs.claude.com/en/docs/build-with-claude/prompt-caching says.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any, NamedTuple

from ...core.start import regex

MARK = {"cache_control": {"type": "ephemeral"}}
_LIFE_MS = 300_000
_TOKEN = regex(r"\w+|[^\w\s]")
# Members that are no part of what is cached: what the model reads is looked at by itself
_BESIDE = frozenset(["messages", "system", "tools", "max_tokens", "stream", "metadata"])
_CALL = ("type", "id", "name", "input")


class Counted(NamedTuple):
    """Tokens of a request."""

    uncached: int
    written: int  # to the cache
    read: int  # from it


def count(text: str, /) -> int:
    return len(_TOKEN.findall(text))


class PromptCache:
    """What the model remembers of the requests before."""

    def __init__(self) -> None:
        self._until_ms: dict[bytes, int] = {}  # by digest of a begin

    def counted(self, request: dict[str, Any], now_ms: int, /) -> Counted:
        """A request without marks neither reads the cache nor writes to it."""
        begin = blake2b(json.dumps([(name, value) for name, value in request.items() if name not in _BESIDE]).encode())
        marked: list[bytes] = []
        total = known = read = until = 0
        for text, is_marked in texts_of(request):
            total += count(text)
            begin.update(b"%d %b" % (len(text), text.encode(errors="replace")))
            if self._until_ms.get(begin.digest(), -1) >= now_ms:
                known = total
            if is_marked:
                marked.append(begin.digest())
                read, until = known, total
        self._until_ms.update(dict.fromkeys(marked, now_ms + _LIFE_MS))
        return Counted(total - until, until - read, read)

    def forget(self) -> None:
        self._until_ms.clear()


def texts_of(request: dict[str, Any], /) -> Iterator[tuple[str, bool]]:
    """What the model reads, in its order (tools, system, messages), and whether a mark stands behind it."""
    for tool in request.get("tools") or ():
        yield json.dumps(_unmarked(tool)), "cache_control" in tool
    for content in (request.get("system") or "", *(message["content"] for message in request["messages"])):
        for block in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            yield text_of(block), "cache_control" in block


def text_of(block: dict[str, Any], /) -> str:
    """What the model reads of a block: of a call of a tool its JSON, of a result what the tool printed."""
    match block:
        case {"type": "text", "text": str(text)} | {"type": "tool_result", "content": str(text)}:
            return text
        case {"type": "tool_use"}:
            return json.dumps({name: block[name] for name in _CALL})
        case _:
            return json.dumps(_unmarked(block))


def _unmarked(value: dict[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in value.items() if name not in MARK}
