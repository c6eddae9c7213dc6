"""For any value of any flag: what is made without typer's conversion is what that makes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import typer
from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.cli import app
from agentsight_rx.cli.program.plain_values import UNKNOWN, plain

_WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0")) | st.sampled_from(["cheap", "entry", "-"])
_NUMBERS = st.integers(-(1 << 70), 1 << 70) | st.floats(allow_nan=False) | st.booleans()
_VALUES = st.none() | _WORDS | _NUMBERS | st.lists(_WORDS | st.integers()) | st.lists(_WORDS).map(tuple)


def _parameters(command: Any) -> Iterator[Any]:
    for each in getattr(command, "commands", {}).values():
        yield from _parameters(each)
    yield from (each for each in command.params if hasattr(each, "type_descriptor"))


@cache
def _all() -> tuple[typer.Context, list[Any]]:
    context = typer.Context(typer.main.get_command(app))
    kinds = {(str(each.type_descriptor), each.multiple, each.nargs): each for each in _parameters(context.command)}
    return context, [*kinds.values()]


@given(_VALUES)
def test_a_plain_value_is_what_typer_makes_of_it(value: Any) -> None:
    context, parameters = _all()
    for parameter in parameters:
        made = plain(value, parameter)
        if made is not UNKNOWN:
            expected = parameter.get_runtime_param().coerce(value, param=parameter, ctx=context)
            assert (expected, type(expected)) == (made, type(made)), parameter.name
