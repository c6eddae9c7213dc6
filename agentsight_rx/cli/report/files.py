"""agentsight-rx report files: the operations on each path, with the process and the tool."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated

import typer

from ...store.words import count, data_size
from ...view.queries.effects.causes import Causes
from ...view.queries.effects.file_fates import KINDS
from ...view.queries.effects.files import FileUse, read_file_uses
from ..values import one_of
from .shown.ask import Ask
from .shown.screen import Column, Columns, Span, State, table
from .shown.words import causes_said, who_said

_MOST = 50


def columns_of(folder: str) -> Columns[FileUse]:
    """The columns, with paths as seen from the folder."""
    return (
        Column("what", lambda use: Span(use.kind, _refused(use))),
        Column("path", lambda use: _path(use, folder), flexible=True, middle=True),
        Column("written", lambda use: data_size(use.written_bytes) if use.written_bytes else "", right=True),
        Column("read", lambda use: data_size(use.read_bytes) if use.read_bytes else "", right=True),
        Column("times", _times, right=True),
        Column("by", lambda use: who_said(use.by), flexible=True, most=24),
        Column("for", lambda use: causes_said(use.causes), flexible=True, most=24),
    )


def files(
    ask: Ask,
    kind: Annotated[
        str | None,
        typer.Option("--kind", help="Only written, removed, moved, temporary, refused, read, failed, device.", metavar="KIND"),
    ] = None,
    path: Annotated[str | None, typer.Option("--path", help="Only paths that begin with this.", metavar="PATH")] = None,
) -> None:
    """Files by path: writes and removals first, then refusals, then reads; with the process and the tool."""
    if kind is not None:
        one_of("--kind", kind, KINDS)
    causes = Causes(ask.store)
    found = read_file_uses(ask.store, ask.selection, causes)
    uses = [use for use in found.files if kind in (None, use.kind) and use.path.startswith(path or "")]
    folder = causes.folder
    if uses and not ask.as_json:
        ask.write_lines([_sums(uses) + (f" · in {folder}" if folder else ""), ""])
    ask.show(
        lambda _: uses,
        lambda shown, screen: table(columns_of(folder), shown, screen),
        most=_MOST,
        newest=False,
    )
    if found.uncounted and not ask.as_json:
        ask.write_lines([Span(f"{count(found.uncounted)} operations on other paths are not listed", "missing")])


def _sums(uses: Sequence[FileUse]) -> str:
    counts = Counter(use.kind for use in uses)
    words = {"failed": "not there or failed", "device": "of devices"}
    return " · ".join(f"{count(counts[kind])} {words.get(kind, kind)}" for kind in KINDS if counts[kind])


def _refused(use: FileUse) -> State:
    return "failed" if use.kind == "refused" else ""


def _path(use: FileUse, folder: str) -> str:
    target = f" → {_below(use.target, folder)}" if use.target else ""
    return (_below(use.path, folder) or "(path not known)") + target


def _times(use: FileUse) -> Span:
    failed = f", {count(use.errors)} {use.error}" if use.errors else ""
    return Span(count(use.count) + failed, _refused(use))


def _below(path: str, folder: str) -> str:
    return path.removeprefix(f"{folder}/") if folder else path
