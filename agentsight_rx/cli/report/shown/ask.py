"""
The flags of a report -> its store, its selection and its prices, and the answer: lines for people, or JSON.

Longer than 300 lines because each report is asked for, and answered, in this one way.
"""

from __future__ import annotations

import datetime
import inspect
import os
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from decimal import Decimal
from functools import cached_property
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypeVar, cast

import msgspec
import typer
from msgspec import Struct
from msgspec.structs import replace

from ....core.errors import StoreError, UsageError
from ....core.messages import program
from ....llm.prices import Prices
from ....runtime.recording.price_file import load_prices
from ....store.reasons import FILE_SAYS
from ....store.rows.tables import RUNS, is_said
from ....store.state import LmdbStore, Store, is_being_written
from ....store.state import compact as compacted
from ....store.words import count, data_size
from ....view import AnyRow, SessionRow
from ....view.queries import Selection, sessions_named
from ....view.queries.choosing import selection_of
from ....view.snapshot.schema import value_of
from ...flags.filters import TEXT, asks_for_json
from ...flags.group import HOW, WHICH, Group, flag, flattened
from ...places.stores import all_stores, imported, newest_store
from ...program.errors import has_colour, write_line
from .screen import Line, Screen, Whole, render

# -- plain ---------------------------------------------------------------------------------------------------------
# Struct -> what JSON shows of it, a line of standard output: every field, unknown ones null; rows as in a snapshot.


def write_json(value: object) -> None:
    """One JSON value, as a line of standard output."""
    write_line(msgspec.json.encode(plain(value)).decode())


def plain(value: object) -> object:
    """Structs become objects with all of their fields, in their order; one of several kinds has its name as `type`."""
    match value:
        case AnyRow():
            return {name: plain(each) for name, each in value_of(value).items()}
        case Struct():
            tag = value.__struct_config__.tag
            fields = {name: plain(getattr(value, name)) for name in value.__struct_fields__}
            return fields if tag is None else {"type": tag, **fields}
        case Decimal():
            return float(value)
        case datetime.date():
            return value.isoformat()
        case dict():
            return {str(key): plain(each) for key, each in cast("dict[object, object]", value).items()}
        case list() | tuple() | set() | frozenset():
            return [plain(each) for each in cast("Iterable[object]", value)]
        case bytes():
            return value.decode("utf-8", "replace")
        case _:
            return value


# ------------------------------------------------------------------------------------------------------------------------


if TYPE_CHECKING:
    from ....view.queries.sessions.twins import Twins

T = TypeVar("T")

_WIDTH = 100  # cells, where there is no terminal
_NARROWEST = 40
_COMMAND = 72  # characters of a call that is repeated with the names of other reports
_CHOOSING = ("since", "until", "session", "agent", "project", "pid")  # flags


class Flags(Group, frozen=True):
    """The flags that every report has, as given."""

    db: Annotated[Path | None, flag(WHICH, "--db", "The store; without it the newest one, or all.", "PATH")] = None
    since: Annotated[str | None, flag(WHICH, "--since", "From then on: 2h, today, 14:30, 2026-11-27T18:00Z.", "TIME")] = None
    until: Annotated[str | None, flag(WHICH, "--until", "Before then, written in the same ways.", "TIME")] = None
    session: Annotated[str | None, flag(WHICH, "--session", "This session (begin of its id), or newest.", "ID")] = None
    agent: Annotated[str | None, flag(WHICH, "--agent", "The sessions of this agent, such as claude.", "NAME")] = None
    project: Annotated[str | None, flag(WHICH, "--project", "The sessions in this folder, or its last name.", "DIR")] = None
    pid: Annotated[int | None, flag(WHICH, "-p --pid", "What this process did.", "PID", min=1)] = None
    limit: Annotated[int | None, flag(WHICH, "-n --limit", "The newest so many.", "N", min=1)] = None
    show_all: Annotated[bool, flag(WHICH, "--all", "All of it, not only the newest.")] = False
    json_lines: Annotated[bool, flag(HOW, "--json", "JSON, a value a line; so it is without a terminal.")] = False
    text: Annotated[bool, flag(HOW, "--text", TEXT)] = False
    prices: Annotated[Path | None, flag(HOW, "--prices", "Prices of models, before the published ones.", "FILE")] = None

    def over(self, others: Flags) -> Flags:
        """These flags, and of `others` the flags that are not given here."""
        return Flags(**{name: getattr(self, name) or getattr(others, name) for name in self.__struct_fields__})


class Ask:
    """One report that was asked for. Used as a context, which closes its store."""

    def __init__(self, flags: Flags, *, name: str = "report") -> None:
        self.flags = flags
        self._name = name
        self.now_ms = time.time_ns() // 1_000_000
        if flags.show_all and flags.limit:
            raise UsageError("--all and --limit do not go together; give one of them")
        terminal = sys.stdout.isatty()
        self.as_json = asks_for_json(json_lines=flags.json_lines, text=flags.text, otherwise=not terminal)
        self.screen = Screen(
            width=max(_NARROWEST, shutil.get_terminal_size().columns) if terminal else _WIDTH,
            colour=terminal and has_colour(os.environ),
            now_ms=self.now_ms,
        )
        self._open: dict[Path, LmdbStore] = {}

    def __enter__(self) -> Ask:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /) -> None:
        for store in self._open.values():
            store.close()

    @cached_property
    def path(self) -> Path:
        """The file of the store: the given one, else the newest that has the session, else the newest."""
        session = self.flags.session
        named = None if self.flags.db or session in (None, "newest") else self._with_session(session or "")
        path = named or newest_store(self.flags.db)
        if not path.exists():
            raise StoreError(
                f"{path} does not exist; make a recording with `{program()} record --db {path} -- COMMAND`, "
                f"or list the recordings with `{program()} report list`"
            )
        return path

    def _with_session(self, session: str) -> Path | None:
        return next((path for path, _ in self.sessions_named(session)), None)

    def sessions_named(self, session: str) -> Iterator[tuple[Path, SessionRow]]:
        """The sessions whose id begins so, in the given store or in all; of a session in several, the first that counts."""
        known: set[str] = set()
        for path in all_stores(self.flags.db):
            with suppress(StoreError):  # a report on that store says why it cannot be read
                for row in sessions_named(self.opened(path), session=session):
                    if row.id not in known:
                        yield path, row
                    known.add(row.id)

    @cached_property
    def store(self) -> Store:
        """The store, opened to read."""
        return self.opened(self.path)

    @cached_property
    def twins(self) -> Twins | None:
        """What agents wrote down themselves, where it was imported and is not the store itself."""
        path = imported()
        if path is None or (self.path.exists() and path.samefile(self.path)):
            return None
        from ....view.queries.sessions.twins import Twins  # with it come the readers of session files

        with suppress(StoreError):  # a report on that store says why it cannot be read
            return Twins(self.opened(path))
        return None

    def opened(self, path: Path) -> LmdbStore:
        """A store, opened once, to read, until the end of the report."""
        if path not in self._open:
            self._open[path] = LmdbStore.open(path, readonly=True)
        return self._open[path]

    @cached_property
    def being_written(self) -> bool:
        """A recording into the store is under way."""
        return is_being_written(self.path)

    @cached_property
    def is_said(self) -> bool:
        """The store is the word of agents' own files alone."""
        return is_said(run for _, run in self.store.scan(RUNS))

    @cached_property
    def prices(self) -> Prices:
        """The prices of --prices, before the published ones."""
        return load_prices(self.flags.prices)

    @cached_property
    def selection(self) -> Selection:
        """What the flags select, with the limit that was given: none where it was not."""
        return selection_of(self.flags, self.store, now_ms=self.now_ms)

    @property
    def unlimited(self) -> Selection:
        """The whole selection: the limit is for the rows that are made of it."""
        return replace(self.selection, limit=None)

    def show(
        self,
        read: Callable[[Selection], Iterable[T]],
        lines: Callable[[Sequence[T], Screen], Iterable[Line]],
        *,
        most: int,
        newest: bool = True,
    ) -> None:
        """
        Answer with what `read` finds, as JSON a value a line, all of them unless there is a limit. As text it is what `lines`
        makes of at most so many, the newest or the first ones, and a last line names how to see all.
        """
        if newest:
            self.show_newest(lambda limit: read(replace(self.selection, limit=limit)), lines, most=most)
            return
        limit = self._limit(most)
        if self.as_json:
            self.write(islice(read(self.unlimited), limit))
            return
        found = list(read(self.unlimited))
        self._write(found, found[:limit], lines, rest=f"{count(len(found) - (limit or 0))} more")

    def show_newest(
        self,
        read: Callable[[int | None], Iterable[T]],
        lines: Callable[[Sequence[T], Screen], Iterable[Line]],
        *,
        most: int,
        where: str = "",
    ) -> None:
        """The same of what `read` finds of the newest so many. `where` names the stores, where they are several."""
        limit = self._limit(most)
        if self.as_json:
            self.write(read(limit))
            return
        found = list(read(None if limit is None else limit + 1))
        shown = found if limit is None else found[-limit:]
        self._write(found, shown, lines, rest=f"the newest {len(shown)}", where=where)

    def _write(
        self,
        found: Sequence[T],
        shown: Sequence[T],
        lines: Callable[[Sequence[T], Screen], Iterable[Line]],
        *,
        rest: str,
        where: str = "",
    ) -> None:
        self.write_lines(lines(shown, self.screen))
        if not found:
            self.write_lines([self.nothing("of that kind", where)])
            return
        if len(shown) < len(found):
            self.write_lines(["", self.rest(rest)])
        if not where and self.is_said:
            self.write_lines(["", FILE_SAYS])

    def _limit(self, most: int) -> int | None:
        return None if self.flags.show_all else self.flags.limit or (None if self.as_json else most)

    def write(self, values: Iterable[object]) -> None:
        """One JSON value a line."""
        for value in values:
            write_json(value)

    def write_lines(self, lines: Iterable[Line]) -> None:
        """Lines for people."""
        for line in lines:
            write_line(render(line, self.screen))

    def write_raw(self, text: str) -> None:
        """Text that is no lines for a screen, such as Markdown."""
        write_line(text)

    def nothing(self, what: str, where: str = "") -> Line:
        """The line where a report has nothing to show, of the store, or of `where`."""
        is_whole = not any(getattr(self.flags, name) for name in _CHOOSING)
        said = f"; it is {FILE_SAYS}" if not where and self.is_said else ""
        return Whole(f"nothing {what} is in {where or self.path}{'' if is_whole else ', as it was selected'}{said}")

    def rest(self, shown: str, flags: str = "--all") -> Line:
        """The line behind the first or the newest ones, which says how to see all."""
        return Whole(f"{shown}; all of them: {self.command} {flags}")

    @property
    def command(self) -> str:
        """How this report was called, without what chooses how much of it is shown."""
        return self.other(self._name.removeprefix("report").lstrip())

    def other(self, report: str) -> str:
        """How to call another report of the same part of the same store; "" is the first screen."""
        chosen = {name: getattr(self.flags, name) for name in ("db", *_CHOOSING)}
        given = [f"--{name} {shlex.quote(str(value))}" for name, value in chosen.items() if value]
        return " ".join([report_called(report), *given])

    def guard(self, *words: str) -> str:
        """How to call a command of the guard for the same store."""
        db = f" --db {shlex.quote(str(self.flags.db))}" if self.flags.db else ""
        return f"{program()} guard {' '.join(words)}{db}"


def report_called(name: str) -> str:
    """How a report is called; "" is the first screen."""
    return f"{program()} report {name}".rstrip()


def next_said(reports: Sequence[str], call: Callable[[str], str]) -> Line:
    """What to read next. A long call, such as one with a long path, stands once, with the names of the others behind it."""
    calls = list(map(call, reports))
    if len(calls) > 1 and len(calls[0]) > _COMMAND:
        calls = [f"{calls[0]} (also {', '.join(reports[1:])})"]
    return Whole(f"next: {' · '.join(calls)}")


# -- compact -------------------------------------------------------------------------------------------------------
# agentsight-rx report compact: give the free space inside a store back to the disk.


class Compacted(Struct, frozen=True):
    """A file, and its bytes before and after."""

    path: str
    before: int
    after: int


def compact(ask: Ask) -> None:
    """Give the free space inside a store, as --max-size leaves it, back to the disk. No process may have it open."""
    done = Compacted(str(ask.path), *compacted(ask.path))
    if ask.as_json:
        ask.write([done])
    else:
        ask.write_lines(_lines(done))


def _lines(done: Compacted) -> Iterator[Line]:
    yield Whole(f"{done.path}: {data_size(done.before)} before, {data_size(done.after)} now")


# -- flags ---------------------------------------------------------------------------------------------------------
# A decorator that gives a report the flags that every report has.


Command: TypeAlias = Callable[..., None]


def reported(report: Command) -> Command:
    """
    A command that has the shared flags behind the flags of `report`, which gets them as its first argument, an open `Ask`.

    A flag of `agentsight-rx report` counts for the report behind it too.
    """

    def command(context: typer.Context, flags: Flags, **given: Any) -> None:
        context.obj = flags = flags.over(context.obj) if isinstance(context.obj, Flags) else flags
        if context.invoked_subcommand is not None:
            if any(given.values()):
                names = ", ".join(f"--{name.replace('_', '-')}" for name, value in given.items() if value)
                raise UsageError(f"{names} is of `report` alone; give it behind `{context.invoked_subcommand}`, if that has it")
            return
        with Ask(flags, name=context.command_path.partition(" ")[2]) as ask:
            report(ask, **given)

    _, *own = inspect.signature(report, eval_str=True).parameters.values()
    context, flags, _ = inspect.signature(command, eval_str=True).parameters.values()
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [each.replace(kind=keyword) for each in (context, *own, flags)]
    command.__name__, command.__doc__ = report.__name__, report.__doc__
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # `flattened` reads it
    return flattened(command)
