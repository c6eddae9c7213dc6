"""A sentence -> standard error: messages for the person who runs the program."""

from __future__ import annotations

import sys

__all__ = ["say"]


def say(text: str) -> None:
    """Write one line; standard output is for events."""
    print(f"agentsight-rx: {text}", file=sys.stderr, flush=True)
