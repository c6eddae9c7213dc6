"""A sentence -> standard error: messages of the program to the user, apart from the events."""

from __future__ import annotations

import sys

__all__ = ["say"]


def say(text: str) -> None:
    """One line for people; standard output belongs to the events."""
    print(f"agentsight-rx: {text}", file=sys.stderr, flush=True)
