"""Tools of a session -> what they changed in files, by their inputs; lines of the audit trail -> who changed each file."""

from __future__ import annotations

import os.path
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import SequenceMatcher
from typing import Any, cast

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from ....core.start import regex
from ....store.rows.kinds import AuditRow, ToolRow
from ....store.rows.tool_words import is_edit
from ..calls.lookup import Cause
from .causes import Causes
from .file_fates import names_in, number_of
from .file_lines import changed

_PATHS = ("file_path", "path", "notebook_path", "filename", "absolute_path")
_BEFORE, _AFTER = ("old_string", "old_str", "old_text"), ("new_string", "new_str", "new_text")
_WHOLE = ("content", "file_text", "contents", "text")
_PATCHES = ("input", "patch", "changes")
_PATH = regex(r'"(?:' + "|".join(_PATHS) + r')"\s*:\s*"((?:[^"\\]|\\.)*)"')  # in JSON of which a row has the begin
_OF_PATCH = regex(r"\*\*\* (?:Add|Update|Delete) File: ([^\n\\]+)")
_LINES_MOST = 4000  # of two texts that are compared line by line


class Edit(Struct, frozen=True):
    """One change. `before` is None where the tool wrote the whole file; `marked`: `after` is a patch, its lines have signs."""

    before: str | None
    after: str
    marked: bool = False

    def lines(self, *, made: bool) -> tuple[int, int] | None:
        """The lines that came and went; None: the content before is not known."""
        if self.marked:
            signs = [line[:1] for line in self.after.splitlines()]
            return signs.count("+"), signs.count("-")
        if self.before is None:
            return (len(self.after.splitlines()), 0) if made else None
        return _compared(self.before.splitlines(), self.after.splitlines())


class Writer(Struct, frozen=True):
    """Who changed a file last: a tool, or a process without one. `bytes`: what its newest write wrote, 0: that is not known."""

    cause: Cause | None
    who: str
    at_ms: int
    bytes: int = 0


class Writers(Struct):
    """Of one path: the newest change, and the ids of all tools that changed it; `others`: something else did too."""

    newest: Writer
    tools: dict[str, Cause]
    others: bool = False


def writers_of(rows: Iterable[AuditRow], causes: Causes, /) -> dict[str, Writers]:
    """By path; `rows` in the order of time."""
    found: dict[str, Writers] = {}
    for row in filter(changed, rows):
        cause = causes.of(row)
        writer = Writer(cause, f"{row.comm or '?'} {row.pid or ''}".strip(), row.timestamp_ms, number_of(row, "written_bytes"))
        before = max((found[path].newest.bytes for path in names_in(row) if path in found), default=0)
        for path in names_in(row):
            known = found.setdefault(path, Writers(writer, {}))
            known.newest = replace(writer, bytes=writer.bytes or (before if row.action in ("open", "rename") else 0))
            if cause is None:
                known.others = True
            else:
                known.tools[cause.tool_id] = cause
    return found


def editors_of(tools: Iterable[ToolRow], folder: str, /) -> dict[str, list[ToolRow]]:
    """By path, the tools that edit files and did not fail, in the order of time. Relative paths are below the folder."""
    found: dict[str, list[ToolRow]] = {}
    for tool in tools:
        if is_edit(tool) and tool.status == "completed":
            for path in dict.fromkeys(_paths_in(tool.input)):
                found.setdefault(os.path.normpath(os.path.join(folder or "/", path)), []).append(tool)
    return found


def _paths_in(text: str) -> Iterator[str]:
    for found in _PATH.finditer(text):
        yield found[1].replace('\\"', '"').replace("\\\\", "\\")
    yield from (found[1].strip() for found in _OF_PATCH.finditer(text))


def edits_of(text: str, path: str, /) -> list[Edit]:
    """What the whole input of such a tool changes in the file."""
    try:
        value: object = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return list(_of_patch(text, path))
    if not isinstance(value, dict):
        return []
    members = cast("Mapping[str, Any]", value)
    patch = next((members[name] for name in _PATCHES if isinstance(members.get(name), str)), "")
    if "*** Begin Patch" in patch:
        return list(_of_patch(patch, path))
    several = members.get("edits")
    listed = cast("list[object]", several) if isinstance(several, list) else [members]
    parts = [cast("Mapping[str, Any]", each) for each in listed if isinstance(each, dict)]
    return [edit for part in parts if (edit := _edit(part)) is not None]


def _edit(members: Mapping[str, Any]) -> Edit | None:
    before, after, whole = (_text(members, names) for names in (_BEFORE, _AFTER, _WHOLE))
    if before is not None or after is not None:
        return Edit(before or "", after or "")
    return None if whole is None else Edit(None, whole)


def _text(members: Mapping[str, Any], names: Iterable[str]) -> str | None:
    return next((members[name] for name in names if isinstance(members.get(name), str)), None)


def _of_patch(patch: str, path: str) -> Iterator[Edit]:
    """https://github.com/openai/codex: a section a file, its lines with a sign in front."""
    for section in patch.split("\n*** ")[1:]:
        head, _, body = section.partition("\n")
        kind, _, name = head.partition(" File: ")
        if kind in ("Add", "Update", "Delete") and path.endswith(name.strip()):
            yield Edit(None, body, marked=True)


def _compared(before: list[str], after: list[str]) -> tuple[int, int]:
    if len(before) + len(after) > _LINES_MOST:
        return len(after), len(before)
    blocks = SequenceMatcher(None, before, after, autojunk=False).get_matching_blocks()
    same = sum(block.size for block in blocks)
    return len(after) - same, len(before) - same


def content_of(edits: Iterable[Edit], /) -> str | None:
    """The text of the file behind these edits, the oldest first; None: no tool wrote it as a whole, or an edit does not fit."""
    text: str | None = None
    for edit in edits:
        if edit.marked:
            text = None
        elif edit.before is None:
            text = edit.after
        elif text is not None:
            text = text.replace(edit.before, edit.after, 1) if edit.before in text else None
    return text


def lines_of(tools: Iterable[ToolRow], path: str, whole: Callable[[ToolRow], str], /, *, made: bool) -> tuple[int, int] | None:
    """The lines that these tools added and removed, by their whole inputs; None where that is not known."""
    plus = minus = 0
    is_new = made
    for tool in tools:
        edits = edits_of(whole(tool), path)
        for edit in edits:
            lines = edit.lines(made=is_new)
            if lines is None:
                return None
            plus, minus, is_new = plus + lines[0], minus + lines[1], False
        if not edits:
            return None
    return plus, minus
