"""
Values of flags that have their type already -> the same values, without typer's conversion.

typer converts each value by pydantic, also the default of a flag, and to import pydantic takes 50 ms of a start. Every other
value goes to typer, which converts or refuses it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

UNKNOWN = object()  # typer has to decide


def convert_plainly(parameters: Iterable[Any]) -> None:
    """Of a command. Releases of typer without pydantic have no such conversion, and stay as they are."""
    for each in parameters:
        is_done = "get_runtime_param" in vars(each)
        if not is_done and hasattr(each, "get_runtime_param") and hasattr(each, "type_descriptor"):
            each.get_runtime_param = _Plainly(each.get_runtime_param).itself


class _Plainly:
    """In the place of typer's `RuntimeParam`."""

    def __init__(self, typers: Callable[[], Any]) -> None:
        self._typers = typers

    def itself(self) -> _Plainly:
        return self

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        found = plain(value, param)
        return self._typers().coerce(value, param=param, ctx=ctx) if found is UNKNOWN else found


def plain(value: Any, parameter: Any, /) -> Any:
    """What typer would make of it; UNKNOWN where that is not plain."""
    annotation, info = parameter.type_descriptor.annotation, parameter.type_descriptor.parameter_info
    several = parameter.multiple or parameter.nargs == -1
    if value is None:
        return () if several else None
    if info.parser is not None:
        return UNKNOWN
    if several:
        words: list[Any] = [*value] if isinstance(value, list | tuple) else [None]
        return words if get_args(annotation) == (str,) and all(type(each) is str for each in words) else UNKNOWN
    if annotation is Path:
        return _path(value, info)
    if annotation in (int, float):
        return value if type(value) is annotation and _is_between(value, info.min, info.max) else UNKNOWN
    right = type(value) is str and (annotation is str or (get_origin(annotation) is Literal and value in get_args(annotation)))
    return value if right else UNKNOWN


def _is_between(value: float, least: float | None, most: float | None) -> bool:
    return (least is None or least <= value) and (most is None or value <= most)


def _path(value: Any, info: Any) -> Any:
    checks = info.exists or info.writable or info.resolve_path or info.allow_dash or info.path_type is not None
    if checks or not (info.file_okay and info.dir_okay) or not isinstance(value, str | Path):
        return UNKNOWN
    return Path(value) if not os.path.exists(value) or os.access(value, os.R_OK) else UNKNOWN
