"""What a command imports stays to its end, so meanwhile and later it is not searched for garbage."""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager

from ..timing import step

__all__ = ["importing"]


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
