"""agentsight-rx report: the summary of a store, and whether anything is missing from it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Annotated

import typer

from ..errors import StoreError
from ..state import LmdbStore
from ..view.report import read_processes, read_report, read_turns
from .flags import Db
from .stores import newest_store
from .text import program_line, report_lines, story

__all__ = ["report"]

_NEWEST = 20  # calls, and programs, of the first screen


def report(
    db: Db = None,
    show_all: Annotated[bool, typer.Option("--all", help="Every call and every program, not only the newest.")] = False,
) -> None:
    """Summarise the newest recording, or the store given by --db; also while it is being written."""
    path = newest_store(db)
    if not path.exists():
        raise StoreError(f"{path} does not exist; make a recording with `agentsight-rx record --db {path} -- COMMAND`")
    store = LmdbStore.open(path, readonly=True)
    try:
        _print(report_lines(read_report(store, newest=0 if show_all else _NEWEST), str(path)))
        if show_all:
            _print(["", "Calls"])
            _print(story(read_turns(store)))
            _print(["", "Programs"])
            _print(program_line(row) for row in read_processes(store) if row.command)
    finally:
        store.close()


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")
