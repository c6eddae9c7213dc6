"""Readline -> Readline: typed commands in capital letters; `--pipe shout=make` changes only those that begin with `make`."""

from collections.abc import Iterable

from msgspec.structs import replace

from agentsight_rx import Machine, Operator, op
from agentsight_rx.events import Event, Readline

__all__ = ["shout"]


def shout(begin: str = "") -> Operator[Event, Event]:
    """Change the commands that begin with `begin`; pass every other event."""
    return op.each(lambda: _Shout(begin), name="shout", options=begin)


class _Shout(Machine[Event, Event]):
    def __init__(self, begin: str) -> None:
        self._begin = begin

    def feed(self, event: Event, /) -> Iterable[Event]:
        if isinstance(event, Readline) and event.command.startswith(self._begin):
            return [replace(event, command=event.command.upper())]
        return [event]
