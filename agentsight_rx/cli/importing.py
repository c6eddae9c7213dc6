"""The imports of a command, as a step of its start: modules stay to the end, so they are not searched for garbage."""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager

from ..core.timing import step

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
