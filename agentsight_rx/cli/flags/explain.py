"""The flag that shows a graph instead of running it."""

from typing import Annotated

from .group import OUT, flag

__all__ = ["Explain"]

Explain = Annotated[bool, flag(OUT, "--explain", "Print the graph, and do not run it.")]
