"""What is made of a flag's value without typer's conversion is what that makes of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
import typer.core

from agentsight_rx.cli import app
from agentsight_rx.cli.program.plain_values import UNKNOWN, plain

_WORDS = ("", "x", "5", "-1", "1.5", "cheap", "entry", "json", ".", "/nowhere/at/all", "-")
_LISTS: tuple[object, ...] = ((), [], ["a"], ("a", "5"), [5], *([word] for word in _WORDS))
_VALUES: tuple[object, ...] = (None, 0, 5, -7, 1.5, True, Path("."), *_WORDS, *_LISTS)


def _parameters(command: Any) -> Iterator[Any]:
    for each in getattr(command, "commands", {}).values():
        yield from _parameters(each)
    yield from (each for each in command.params if hasattr(each, "type_descriptor"))


def test_a_plain_value_is_what_typer_makes_of_it() -> None:
    context = typer.Context(typer.main.get_command(app))
    plain_ones = 0
    for parameter in _parameters(context.command):
        for value in (parameter.get_default(context), *_VALUES):
            made = plain(value, parameter)
            if made is not UNKNOWN:
                plain_ones += 1
                expected = parameter.get_runtime_param().coerce(value, param=parameter, ctx=context)
                assert (expected, type(expected)) == (made, type(made)), (parameter.name, value)
    assert plain_ones > 500 or not hasattr(typer.core, "build_runtime_param")  # typer without pydantic


def test_a_capture_converts_its_flags_without_pydantic() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "agentsight_rx", "record", "--explain", "--db", "run.lmdb", "--", "true"],
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "agentsight_rx.graphs" in imported
    assert "pydantic" not in imported
