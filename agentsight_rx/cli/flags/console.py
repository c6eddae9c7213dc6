"""The flags of standard output -> its sink."""

import os
import shutil
import sys
from typing import Annotated

from ...core.sink import Sink
from ...view import Output
from ..colour import has_colour
from .form import TEXT, asks_for_json
from .group import OUT, Group, flag

__all__ = ["Console"]

_WIDTH = 200  # cells, where there is no terminal


class Console(Group, frozen=True):
    """What is printed."""

    json_lines: Annotated[bool, flag(OUT, "--json", "JSON, one event a line; so it is without a terminal.")] = False
    text: Annotated[bool, flag(OUT, "--text", TEXT)] = False
    quiet: Annotated[bool, flag(OUT, "-q --quiet", "Print no events.")] = False

    @property
    def as_json(self) -> bool:
        """Raises UsageError where both are asked for."""
        return asks_for_json(json_lines=self.json_lines, text=self.text, otherwise=not sys.stdout.isatty())

    def sinks(self) -> list[Sink[Output]]:
        """Lines to read on a terminal, JSON elsewhere."""
        if self.quiet:
            return []
        as_json = self.as_json
        from ... import sinks

        if as_json:
            return [sinks.console()]
        terminal = sys.stdout.isatty()
        width = shutil.get_terminal_size().columns if terminal else _WIDTH
        return [sinks.readable(width=width, colour=terminal and has_colour(os.environ))]
