"""Values and their JSONPaths (RFC 9535), in order of arrival -> the JSON object that they make up."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Any, TypeAlias, cast

import msgspec

_STEP = re.compile(r"""\.([^.\[\]]+)|\[(\d{1,6})\]|\['((?:[^'\\]|\\.)*)'\]|\["((?:[^"\\]|\\.)*)"\]""")
_ESCAPE = re.compile(r"\\(.)")
_ELEMENTS_MOST = 10_000  # of an array: a path may name any element, and those before it are made too
_DEPTH_MOST = 64


_Tree: TypeAlias = dict[str, Any] | list[Any]


def json_at(paths: Iterable[str], values: Iterable[str], /) -> str:
    """
    The object as JSON text. `values` are JSON texts; strings at one path are parts of one string. `$` stands for the object
    itself. A value is left out if its path cannot be read, or does not fit the object.
    """
    root: dict[str, Any] = {}
    pieces: dict[tuple[str | int, ...], list[str]] = {}  # of strings: they are joined once
    for path, text in zip(paths, values, strict=False):
        steps = _steps(path)
        value = _value(text)
        if steps is None:
            continue
        if isinstance(value, str) and steps in pieces:
            pieces[steps].append(value)
        elif _put(root, steps, value) and isinstance(value, str):
            pieces[steps] = [value]
    for steps, parts in pieces.items():
        if len(parts) > 1:
            _put(root, steps, "".join(parts))
    return msgspec.json.encode(root).decode()


def _steps(path: str) -> tuple[str | int, ...] | None:
    steps: list[str | int] = []
    at = 1
    if path[:1] != "$":
        return None
    while at < len(path):
        step = _STEP.match(path, at)
        if step is None or len(steps) >= _DEPTH_MOST:
            return None
        plain, index, single, double = step.groups()
        steps.append(int(index) if index is not None else plain or _ESCAPE.sub(r"\1", single or double or ""))
        at = step.end()
    return tuple(steps)


def _value(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None


def _put(root: dict[str, Any], steps: tuple[str | int, ...], value: Any) -> bool:
    if not steps:
        if isinstance(value, dict):
            root.update(cast("dict[str, Any]", value))
        return False
    place: _Tree = root
    for step, below in pairwise(steps):
        inner = _at(place, step)
        if inner is None:
            inner = _empty(below)
            if not _set(place, step, inner):
                return False
        elif not isinstance(inner, dict | list):
            return False
        place = cast("_Tree", inner)
    return _set(place, steps[-1], value)


def _empty(step: str | int) -> _Tree:
    return [] if isinstance(step, int) else {}


def _at(place: _Tree, step: str | int) -> Any:
    """The value at the place; None if it has none."""
    if isinstance(place, list):
        return place[step] if isinstance(step, int) and step < len(place) else None
    return place.get(step) if isinstance(step, str) else None


def _set(place: _Tree, step: str | int, value: Any) -> bool:
    """False if the value does not fit there, as where a path goes on below a number."""
    if isinstance(place, dict):
        if not isinstance(step, str):
            return False
        place[step] = value
        return True
    if not isinstance(step, int) or step >= _ELEMENTS_MOST:
        return False
    place.extend([None] * (step + 1 - len(place)))
    place[step] = value
    return True
