"""
A text of a request, as it is written in JSON -> who wrote which part of it: a person, a program, a file with instructions.

A new shape is one line in a table here. `agents.said` has the tags of notes.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ...core.start import regex
from ..agents.said import NOTES


class Span(NamedTuple):
    """`text[start:end]` has this origin. `name`: the file of instructions."""

    start: int
    end: int
    origin: str
    name: str = ""


_LT, _GT = rb"(?:<|\\u003[cC])", rb"(?:>|\\u003[eE])"  # some programs escape them
_LINE = rb"(?:(?<=\\n)|\A)[ \t]*"
_OPEN = regex(_LINE + _LT + rb"(" + NOTES.encode() + rb")(?: [^<>\\]{0,200})?" + _GT)
_RULES = (b"user_instructions", b"INSTRUCTIONS", b"rules", b"explicit_instructions", b"reminderInstructions")
_OF_RESULTS = (b"system-reminder", b"system_reminder")  # what stands between the output of tools

# A file with instructions: where its text begins, with its name, and what ends it besides the next one
_FILES = (
    # Claude Code
    (rb"Contents of (?P<name>[^\\\"]{1,400}?) \([^()\\]{1,200}\):", rb"(?:\\n)+[ ]*IMPORTANT: this context|" + _LT + rb"/"),
    # Gemini CLI, Qwen Code
    (rb"--- Context from: (?P<name>[^\\]{1,400}?) ---", rb"--- End of Context from: [^\\]{1,400}? ---"),
    # Codex
    (rb"\A\s*# AGENTS\.md instructions for (?P<name>[^\\]{1,400})", rb"\Z"),
    # opencode, and others that name the file in a line of its own
    (rb"(?:(?<=\\n)|\A)Instructions from: (?P<name>[^\\]{1,400})", rb"\Z"),
    (_LT + rb"project_instructions path=\\\"(?P<name>[^\\]{1,400})\\\"" + _GT, _LT + rb"/project_instructions" + _GT),
)
_BEGINS = [regex(begin) for begin, _ in _FILES]
_ENDS = [regex(end) for _, end in _FILES]

# The begin of a message in place of the conversation before it: Claude Code, Codex, Gemini CLI, pi, cline, opencode
_SUMMARY = regex(
    rb"\s*(?:This session is being continued from a previous conversation|Another language model started to solve this problem"
    rb"|" + _LT + rb"(?:state_snapshot|compressed_history|conversation_summary|summary)" + _GT + rb""
    rb"|The conversation history before this point was compacted|\[Context summary"
    rb"|(?:Here is a|The following is a) summary of (?:the|our) (?:conversation|session))"
)
_LONG = 1 << 20  # bytes; what is longer is a document


def split(text: bytes, origin: str, /) -> list[Span]:
    """
    The parts of a text, in order, without gaps. What no table knows has the `origin` that is given: prompt, system, result; the
    words of a model are not looked at.
    """
    if origin == "answer" or not text or len(text) > _LONG:
        return [Span(0, len(text), origin)] if text else []
    if origin == "prompt" and _SUMMARY.match(text):
        return [Span(0, len(text), "summary")]
    spans: list[Span] = []
    at = 0
    for mark in _marks(text, only=_OF_RESULTS if origin == "result" else ()):
        if mark.start < at:
            continue
        if mark.start > at:
            spans.append(_plain(text, at, mark.start, origin))
        spans.append(mark)
        at = mark.end
    if at < len(text):
        spans.append(_plain(text, at, len(text), origin))
    return spans


def _plain(text: bytes, start: int, end: int, origin: str) -> Span:
    """What stands between two notes and is nothing but space belongs to them."""
    is_space = origin == "prompt" and start > 0 and not text[start:end].replace(b"\\n", b"").strip()
    return Span(start, end, "reminder" if is_space else origin)


def _marks(text: bytes, *, only: tuple[bytes, ...]) -> list[Span]:
    """Notes of programs, and files with instructions, by where they begin; one may stand in the other."""
    found = [] if only else _files(text)
    if b"<" in text or b"\\u003" in text:
        for note in _notes(text, only):
            inside = [each for each in found if note.start <= each.start < note.end]
            if not inside:
                found.append(note)
                continue
            at = note.start
            for each in inside:
                found += [Span(at, each.start, note.origin)] if each.start > at else []
                at = each.end
            found += [Span(at, note.end, note.origin)] if note.end > at else []
    return sorted(found)


def _notes(text: bytes, only: tuple[bytes, ...]) -> list[Span]:
    found: list[Span] = []
    at = 0
    for opened in _OPEN.finditer(text):
        tag = opened[1]
        if opened.start() < at or (only and tag not in only):
            continue
        closed = re.compile(_LT + rb"/" + re.escape(tag) + _GT).search(text, opened.end())
        if closed is None:  # a person wrote about it
            continue
        at = closed.end()
        found.append(Span(opened.start(), at, "instructions" if tag in _RULES else "reminder"))
    return found


def _files(text: bytes) -> list[Span]:
    found: list[Span] = []
    for begin, end in zip(_BEGINS, _ENDS, strict=True):
        begun = list(begin.finditer(text))
        for number, each in enumerate(begun):
            most = begun[number + 1].start() if number + 1 < len(begun) else len(text)
            ended = end.search(text, each.end(), most)
            stop = most if ended is None else ended.end() if ended[0].startswith(b"--- End") else ended.start()
            found.append(Span(each.start(), stop, "instructions", each["name"].decode(errors="replace")))
    return found
