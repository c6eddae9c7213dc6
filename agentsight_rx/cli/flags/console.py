"""The flags of standard output -> its sink."""

import os
import shutil
import sys
from typing import Annotated

from ... import sinks
from ...core.sink import Sink
from ...view import Output
from ..colour import has_colour
from .group import OUT, Group, flag

__all__ = ["Console"]


class Console(Group, frozen=True):
    """What is printed."""

    json_lines: Annotated[bool, flag(OUT, "--json", "JSON, one event a line; so it is without a terminal.")] = False
    quiet: Annotated[bool, flag(OUT, "-q --quiet", "Print no events.")] = False

    def sinks(self) -> list[Sink[Output]]:
        """Lines to read on a terminal, JSON elsewhere."""
        if self.quiet:
            return []
        if self.json_lines or not sys.stdout.isatty():
            return [sinks.console()]
        return [sinks.readable(width=shutil.get_terminal_size().columns, colour=has_colour(os.environ))]
