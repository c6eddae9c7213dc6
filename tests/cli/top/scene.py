"""A source of looks that are made by hand, and the words of a command -> what top prints."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stdout
from typing import Any

from agentsight_rx.cli import app
from agentsight_rx.cli.top.looks import Look
from agentsight_rx.view.queries.top.top import TopRow

__all__ = ["HOSTILE", "Scripted", "printed", "row"]

HOSTILE = "\x1b[31mred\x1b]0;title\x07\nline\u202eevil"


def row(session: str, **more: Any) -> TopRow:
    given: dict[str, Any] = {"agent": "claude", "state": "live", "evidence": ("logs", "/proc"), "context": HOSTILE, **more}
    return TopRow(session=session, **given)


class Scripted:
    """The looks, one after the other, then the last one again and again; an error is raised."""

    first_s: float | None = None

    def __init__(self, *looks: list[TopRow] | Exception) -> None:
        self._looks = list(looks)
        self.taken = 0
        self.closed = False

    def look(self) -> Look:
        found = self._looks[min(self.taken, len(self._looks) - 1)]
        self.taken += 1
        if isinstance(found, Exception):
            raise found
        return Look(tuple(found), 1_764_266_404_000, "a script", ("a note",))

    def close(self) -> None:
        self.closed = True


def printed(*words: str) -> str:
    """What the command writes to a standard output that is no terminal."""
    out = io.TextIOWrapper(io.BytesIO(), "utf-8")
    with redirect_stdout(out):
        app(["top", *words], prog_name="agentsight-rx", standalone_mode=False)
        sys.stdout.flush()
    buffer = out.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode()
