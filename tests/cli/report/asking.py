"""A store and the words of a command -> what the report prints."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import msgspec

from agentsight_rx.cli import app

__all__ = ["bytes_of", "text", "values"]


def bytes_of(*words: str) -> bytes:
    """What the command writes to a standard output that is no terminal."""
    out = io.TextIOWrapper(io.BytesIO(), "utf-8")
    with redirect_stdout(out):
        app(["report", *words], prog_name="agentsight-rx", standalone_mode=False)
        sys.stdout.flush()
    buffer = out.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue()


def text(store: Path, *words: str) -> list[str]:
    """The lines for people."""
    return bytes_of(*words, "--db", str(store), "--text").decode().splitlines()


def values(store: Path, *words: str) -> list[Any]:
    """The JSON values, one a line."""
    return [msgspec.json.decode(line) for line in bytes_of(*words, "--db", str(store)).splitlines()]
