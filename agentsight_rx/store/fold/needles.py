"""The input of a tool call -> the texts by which its process and its files are found."""

from __future__ import annotations

from collections import deque
from typing import Any

import msgspec

__all__ = ["contained", "file_name", "runs", "strings_in"]

_SHORTEST = 3  # characters; a shorter command is found in too many argument lists by chance
_INPUT_MOST = 1 << 20  # characters: Linux allows 128 KiB for one argument
_STRINGS_MOST = 16
_BEFORE = ("", ";", "&", "|", "(", "`", "\n", "{")  # what may stand before a command of a shell, and behind it
_BEHIND = ("", ";", "&", "|", ")", "`", "\n", "}", "<", ">", "#")
_PATH_MOST = 4096  # bytes of a path, PATH_MAX of Linux


def strings_in(text: str) -> list[str]:
    """The string values in a tool's JSON input that could be in an argument list; of a tool that takes text, that text."""
    if len(text) > _INPUT_MOST:
        return []
    try:
        value = msgspec.json.decode(text) if text else None
    except (msgspec.DecodeError, RecursionError):
        return [text] if len(text.strip()) >= _SHORTEST else []
    found: list[str] = []
    waiting: deque[Any] = deque([value])
    while waiting and len(found) < _STRINGS_MOST:
        item: Any = waiting.popleft()
        if isinstance(item, str) and len(item.strip()) >= _SHORTEST:
            found.append(item)
        elif isinstance(item, dict):
            waiting.extend(item.values())  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
        elif isinstance(item, list):
            words = [part for part in item if isinstance(part, str)]  # pyright: ignore[reportUnknownVariableType]
            if words:
                found.append(" ".join(words))
            waiting.extend(part for part in item if not isinstance(part, str))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    return found


def runs(argv: tuple[str, ...], command: str) -> bool:
    """Is `command` in this argument list: one argument, a part of one (a wrapper), or all of them together?"""
    return any(command in argument for argument in argv[1:]) or " ".join(argv) == command


def contained(argv: tuple[str, ...], command: str) -> bool:
    """Is this argument list in `command`, as where a shell that runs already gets it: `cd a && pytest -q`?"""
    line = " ".join(argv)
    if len(line) < _SHORTEST or line not in command:
        return False
    before, _, after = command.partition(line)
    return before.rstrip()[-1:] in _BEFORE and after.lstrip()[:1] in _BEHIND


def file_name(text: str) -> str | None:
    """The last part of a path; None for a text that is not one."""
    if len(text) > _PATH_MOST or "\n" in text:
        return None
    return text.rstrip("/").rpartition("/")[2] or None
