"""Names and paths as the kernel's programs write them -> text."""

from __future__ import annotations

import posixpath

__all__ = ["lexical_path", "text_of", "walked_path"]


def walked_path(names: bytes, *, cut: bool) -> str:
    """The names that walk() of bpf/track.h wrote, innermost first, as a path; "…" stands for names above the last 128."""
    parts = [text_of(name) for name in names.split(b"\0")[:-1]]
    if cut:
        parts.append("…")
    return "/" + "/".join(reversed(parts))


def lexical_path(given: bytes, directory: str | None) -> str:
    """
    The path that a process gave, joined as text with the directory that it is relative to. Unchanged where that directory is
    unknown; empty where no path was given.
    """
    name = text_of(given)
    if not name or not (directory or name.startswith("/")):
        return name
    return "/" + posixpath.normpath(posixpath.join(directory or "/", name)).lstrip("/")


def text_of(raw: bytes) -> str:
    """Names may be any bytes; other bytes than UTF-8 become \\xNN."""
    return raw.decode("utf-8", "backslashreplace")
