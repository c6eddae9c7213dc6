"""agentsight-rx report find TEXT: where words are in prompts, answers, tools, results, files and hosts of all stores."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Annotated

import typer
from msgspec import Struct

from ...core.errors import UsageError
from ...core.messages import passing, say
from ...runtime.recording.search_base import Hit
from ...runtime.recording.search_words import END, MARK, words_of
from ...runtime.web.recordings import Listed, Opened
from ...runtime.web.search import Found, SearchIndex
from ...store.state import LmdbStore, is_being_written
from ...store.words import plural
from ...view.page.searched import KINDS
from ...view.queries.selection import Selection
from ..capturing.launch import invoking_user
from ..places.stores import is_given, search_index
from .shown.ask import Ask
from .shown.every import Every, every
from .shown.screen import Cell, Line, Screen, Span
from .shown.words import moment

_NEWEST = 20
_LOOKED_AT = 10_000  # places, of which flags choose
_STEP_S = 0.2
_TEXT = typer.Argument(metavar="TEXT", help="Words that are all there; those between quotation marks side by side.")


class FoundText(Struct, frozen=True):
    """
    A text that has the words: the part around the first of them. `matches` are begins and ends within it, in characters.
    `kind`: prompt, answer, command, result, program, file, host; `id` is the id of its row in the store `db`, or the path.
    """

    timestamp_ms: int
    kind: str
    agent: str | None
    session_id: str | None
    turn: int
    cwd: str | None
    text: str
    matches: tuple[tuple[int, int], ...]
    id: str
    db: str


def find(ask: Ask, words: Annotated[list[str], _TEXT]) -> None:
    """Where words are in prompts, answers, tools and results of all stores, newest first; exit status 1 where they are not."""
    typed = " ".join(words)
    if not words_of(typed):
        raise UsageError(f"{typed!r} has no word to find: give one with a letter or a digit")
    if ask.flags.pid is not None:
        raise UsageError("--pid does not choose texts: give --session, --agent, --project, --since or --until")
    stores = every(ask)
    searched = _searched(ask, stores, typed)
    limit = None if ask.flags.show_all else ask.flags.limit or (None if ask.as_json else _NEWEST)
    found = list(islice(_texts(stores, searched.hits), limit and limit + 1))
    shown = found[:limit]
    if ask.as_json:
        ask.write(shown)
    else:
        ask.write_lines([*(line for each in shown for line in _lines(each, ask.screen)), *stores.lines])
    if len(shown) < len(found) and not ask.as_json:
        ask.write_lines(["", ask.rest(f"the newest {len(shown)}", f"{shlex.join(words)} --all")])
    if not found:
        chosen = ", and none that was chosen has it" if searched.hits else ""
        say(f"{typed!r} is in none of {plural(searched.texts, 'text')} of {stores.where}{chosen}")
        raise typer.Exit(1)


def _searched(ask: Ask, stores: Every, typed: str) -> Found:
    """The index is beside the recordings, and grows by new texts; of a given store it is in memory."""
    path = None if is_given(ask.flags.db) else search_index()
    index = SearchIndex(_Stores(ask, stores), path, owner=invoking_user())
    try:
        with passing() as show:
            while not index.caught_up(_STEP_S):
                show(f"{plural(index.search('', limit=1).texts, 'text')} of {stores.where} searched so far")
        return index.search(typed, limit=_LOOKED_AT)
    finally:
        index.close()


class _Stores:
    """The stores of the report, as an index reads them."""

    def __init__(self, ask: Ask, stores: Every) -> None:
        self._stores: dict[str, LmdbStore] = {path.stem: ask.opened(path) for path in stores.paths}
        self._paths = {path.stem: path for path in stores.paths}

    def listed(self) -> Sequence[Listed]:
        return [
            Listed(id, str(path), path.stat().st_mtime_ns // 1_000_000, is_being_written(path))
            for id, path in self._paths.items()
        ]

    def opened(self, id: str, /) -> Opened:
        store = self._stores[id]
        return Opened(store, store.version(), is_being_written(self._paths[id]))


def _texts(stores: Every, hits: Sequence[Hit]) -> Iterator[FoundText]:
    """The newest first. A text that a recording and the agent's own file both have is one."""
    order = {path.stem: at for at, path in enumerate(stores.paths)}
    known: set[tuple[str, str, str]] = set()
    for hit in sorted(hits, key=lambda hit: (-hit.at_ms // 60_000, order[hit.recording], -hit.at_ms, KINDS.index(hit.kind))):
        at = order[hit.recording]
        row = stores.once.rows.get(hit.session)
        session = hit.session if row is None else row.id
        if not _is_meant(stores.once.places[at].selection, hit) or (key := (session, hit.kind, hit.text)) in known:
            continue
        known.add(key)
        text, matches = _plain(hit.text)
        yield FoundText(
            hit.at_ms,
            hit.kind,
            agent=row.who if row else None,
            session_id=row.id if row else None,
            turn=hit.turn,
            cwd=row.cwd if row else None,
            text=text,
            matches=matches,
            id=hit.row,
            db=str(stores.paths[at]),
        )


def _is_meant(selection: Selection, hit: Hit) -> bool:
    since, until = selection.since_ms or 0, selection.until_ms
    in_time = since <= hit.at_ms and (until is None or hit.at_ms < until)
    return in_time and (selection.sessions is None or hit.session in selection.sessions)


def _plain(marked: str) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Without the marks, and where they were."""
    text, matches = "", list[tuple[int, int]]()
    for part in marked.split(MARK):
        match, end, rest = part.partition(END)
        if end:
            matches.append((len(text), len(text) + len(match)))
        text += match + rest
    return text, tuple(matches)


def _lines(found: FoundText, screen: Screen) -> Iterator[Line]:
    turn = f"turn {found.turn}" if found.turn else ""
    about = (moment(found.timestamp_ms, screen.now_ms), found.agent, found.cwd, turn, found.kind)
    yield Span(" · ".join(filter(None, about)) + (f" · {found.session_id}" if found.session_id else ""), "quiet")
    cells: list[Cell] = ["    "]
    at = 0
    for begin, end in found.matches:
        cells += [found.text[at:begin], Span(found.text[begin:end], "title")]
        at = end
    yield (*cells, found.text[at:])
