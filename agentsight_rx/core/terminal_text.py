"""Captured text -> text for a terminal: one line, harmless, cut to so many cells."""

from __future__ import annotations

import re
import unicodedata

from rich.cells import cell_len, set_cell_size

__all__ = ["clean", "fit", "harmless", "padded"]

_BREAK = re.compile(r"\s*[^\S ]\s*")  # white space that is more than spaces
_TO_THE_LEFT = frozenset({"R", "AL", "AN"})  # bidirectional classes (UAX 9)
_MARK = "\u200e"  # takes no cell; text and numbers behind it stay where they are


def clean(text: str) -> str:
    """One line, and nothing that a terminal obeys: control and formatting characters become a replacement character."""
    return harmless(_BREAK.sub(" ", text).strip())


def harmless(text: str) -> str:
    """The text with its spaces, without anything that a terminal obeys. Text from right to left moves nothing behind it."""
    if text.isascii() and text.isprintable():
        return text
    shown = "".join(char if char.isprintable() or char == _MARK else "\ufffd" for char in text)
    ends = not shown.endswith(_MARK) and any(unicodedata.bidirectional(char) in _TO_THE_LEFT for char in shown)
    return shown + _MARK if ends else shown


def fit(text: str, cells: int, *, middle: bool = False) -> str:
    """At most so many cells: a longer text ends in `…`, or has it in the `middle`, where a path is known by both ends."""
    if cell_len(text) <= cells:
        return text
    if cells < 2:
        return "…"[: max(cells, 0)]
    if not middle:
        return set_cell_size(text, cells - 1).rstrip() + "…"
    first = (cells - 1) // 3
    end = text[len(text) - (cells - 1 - first) :]
    while cell_len(end) > cells - 1 - first:
        end = end[1:]
    return set_cell_size(text, first) + "…" + end


def padded(text: str, cells: int, *, right: bool = False) -> str:
    """So many cells, or more where the text is longer. `right`: numbers, which end in one column."""
    pad = " " * max(0, cells - cell_len(text))
    return pad + text if right else text + pad
