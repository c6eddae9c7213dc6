"""A TOML file <-> the flags of a command, under their names: --config reads it, --save-config writes it."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from ..core.errors import UsageError
from ..core.files import create_private
from .flags.group import OUT, flag

__all__ = ["Config", "SaveConfig", "save_config"]

_NOT_SAVED = frozenset({"config", "save_to", "explain", "help"})


def _load(context: typer.Context, path: Path | None) -> Path | None:
    """Make the values in the file the defaults; flags on the command line come before them."""
    if path is None:
        return None
    try:
        values = tomllib.loads(path.read_text())
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not TOML: {error}") from error
    names = dict(_names(context))
    for key in values:
        if key not in names:
            near = difflib.get_close_matches(key, names, 1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(names))}"
            raise UsageError(f"{path}: unknown name {key!r}; {hint}")
    context.default_map = {names[key]: value for key, value in values.items()}
    return path


def _names(context: typer.Context) -> Iterator[tuple[str, str]]:
    """(name in the file, name of the parameter) of each flag: the longest form without its dashes."""
    parameters: list[Any] = context.command.params
    for parameter in parameters:
        if parameter.name not in _NOT_SAVED and parameter.opts[0].startswith("-"):
            yield max(parameter.opts, key=len).lstrip("-"), parameter.name


def save_config(context: typer.Context, path: Path) -> None:
    """Write the flags that were given, so that `--config` gives the same run again."""
    lines: list[str] = []
    for name, parameter in _names(context):
        value = context.params.get(parameter)
        source = context.get_parameter_source(parameter)
        if value is not None and source is not None and source.name != "DEFAULT":
            lines.append(f"{name} = {_toml(value)}\n")
    with open(create_private(path), "w", encoding="utf-8") as file:
        file.writelines(lines)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml(each) for each in value)}]"  # pyright: ignore[reportUnknownVariableType]
    return json.dumps(str(value), ensure_ascii=False)


Config = Annotated[Path | None, flag(OUT, "--config", "Read flags from this TOML file.", "FILE", callback=_load, is_eager=True)]
SaveConfig = Annotated[Path | None, flag(OUT, "--save-config", "Write the given flags to a file, and exit.", "FILE")]
