"""Names of commands and where they are -> a group that imports each of them when it is run, or shown; and how it imports."""

from __future__ import annotations

import gc
from collections.abc import Callable, Generator, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any, ClassVar

import typer
from typer.core import TyperGroup

from ...core.start import step
from .help import Command, Group

# -- importing -----------------------------------------------------------------------------------------------------
# The imports of a command, as a step of its start: modules stay to the end, so they are not searched for garbage.


@contextmanager
def importing(what: str) -> Generator[None]:
    """A step of a start."""
    gc.disable()
    try:
        with step(what):
            yield
    finally:
        gc.freeze()
        gc.enable()


# ------------------------------------------------------------------------------------------------------------------------


Places = Mapping[str, tuple[str, str]]  # name of a command -> its module, and its function or its group of commands
Wrapper = Callable[[Any], Any]


def lazy_group(
    package: str, places: Places, *, wrapped: Wrapper, meanings: Mapping[str, str] | None = None
) -> type[TyperGroup]:
    """
    The class of a group of the commands at these places in the package. `wrapped` makes the command of a function. With their
    `meanings` the help of all commands imports none of them.
    """

    class LazyGroup(Group):
        meanings: ClassVar[Mapping[str, str]] = {}

        def __init__(self, **attributes: Any) -> None:
            super().__init__(**attributes)
            self.commands = _Commands(package, places, wrapped)

    LazyGroup.meanings = meanings or {}
    return LazyGroup


class _Commands(MutableMapping[str, Any]):
    """The commands by name, in the order of the table."""

    def __init__(self, package: str, places: Places, wrapped: Wrapper) -> None:
        self._package = package
        self._places = dict(places)
        self._wrapped = wrapped
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            module, attribute = self._places[name]
            found: Any = getattr(import_module(f".{module}", self._package), attribute)
            if isinstance(found, typer.Typer):
                self._made[name] = typer.main.get_group(found)
                self._made[name].name = name
            else:
                alone = typer.Typer(add_completion=False)
                alone.command(name, cls=Command)(self._wrapped(found))
                self._made[name] = typer.main.get_command(alone)
        return self._made[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._places.setdefault(name, ("", ""))
        self._made[name] = command

    def __delitem__(self, name: str) -> None:
        del self._places[name]
        self._made.pop(name, None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)
