"""agentsight-rx import: what agents wrote down of their sessions into one store of the user, without root."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..core.errors import UsageError
from ..core.messages import passing, program, say
from ..core.signals import how_to_end
from ..llm.agents import agent_named
from ..llm.agents.session_files import PARSERS
from ..runtime.importing import import_run
from ..runtime.resume import saved_places
from ..runtime.service.users.places import forgotten
from ..sources.session_files.files import home_of_user
from ..sources.session_files.given import given
from ..sources.session_files.keeping import keeping
from ..sources.session_files.look import Progress, TranscriptsOptions, is_all_read
from ..store.rows.tables import SESSIONS
from ..store.state import LmdbStore, is_being_written
from ..store.words import data_size, plural
from .capturing.launch import invoking_user
from .flags.group import OUT, flag
from .places.stores import given_store, is_kept, past_store
from .values import retention_of, seconds_of

if TYPE_CHECKING:
    from ..runtime.run import Run
    from ..store.log.upkeep import Retention

_LOOK_S = 0.2
_BUSY_S = 10.0
_READABLE = tuple(PARSERS)


def import_command(
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PATH]...", help="Files, copies of an agent's folder, or homes, in place of your own home."),
    ] = None,
    *,
    agent: Annotated[list[str] | None, typer.Option(metavar="NAME", help=f"Of this one alone: {', '.join(_READABLE)}.")] = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="Files written within this time, such as 90d.")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with what agents write, until Ctrl-C.")] = False,
    forget: Annotated[bool, typer.Option("--forget", help="Remove all that was imported. The agents' files stay.")] = False,
    keep: Annotated[
        str | None, flag(OUT, "--keep", "Remove sessions from the store that are older, such as 365d.", "TIME")
    ] = None,
    max_size: Annotated[
        str | None, flag(OUT, "--max-size", "Remove the oldest where the store is larger: 2GB.", "SIZE")
    ] = None,
    db: Annotated[Path | None, flag(OUT, "--db", "Into this store instead of the user's own.", "FILE")] = None,
) -> int:
    """
    Read the session files that agents keep in your home into a store, which stays when they are deleted; without root.

    It goes on where it was. Nothing is changed in the folders of the agents, and nothing leaves this machine. The rows are the
    word of the agent: no program, file or connection was seen.
    """
    path = past_store(db)
    if forget:
        if paths:
            raise UsageError(f"--forget removes all that was imported, and takes no PATH such as {paths[0]}")
        return _forget(path)
    for name in agent or ():
        if name not in PARSERS:
            raise UsageError(f"--agent {name}: its session files are not read; there are {', '.join(PARSERS)}")
    home, progress = home_of_user(), Progress()
    seconds, retention = seconds_of(since, "--since"), retention_of(keep, max_size)
    options = TranscriptsOptions(
        home=home.path,
        uid=home.uid,
        paths=tuple(paths or ()),
        variables=home.variables,
        agents=tuple(agent or ()),
        since_ms=0 if seconds is None else round((time.time() - seconds) * 1000),
        follow=True,  # the end of the files is not the end of the sessions: what is known of them is kept for the next time
    )
    is_first = not path.exists()
    if follow or retention is not None or not _is_all_read(path, options, progress):
        status = _import(path, options, progress, retention=retention, follow=follow)
    else:
        status = 0
    for line in _closing(path, progress, ", ".join(paths or [home.path])):
        say(line)
    for each in keeping(home, now_ns=time.time_ns()) if is_first and not paths else ():
        say(f"{each.words}; what was imported stays")
    return status


def _is_all_read(path: Path, options: TranscriptsOptions, progress: Progress) -> bool:
    """Most imports find nothing new: they import no more of the program than a look takes, and write nothing."""
    places = given(options.paths, options.agents)
    saved = [each.place for each in saved_places(path)]
    return bool(saved) and saved[0] is not None and is_all_read(options, places, saved[0], progress)


def _import(path: Path, options: TranscriptsOptions, progress: Progress, *, retention: Retention | None, follow: bool) -> int:
    _wait_for(path)
    forgotten(path).unlink(missing_ok=True)
    run = import_run(path, options, progress, owner=invoking_user(), retention=retention)
    with run.until_signal() as running, passing() as show:
        stopped = _read(running, progress, show)
        if follow and not stopped:
            say(f"{_so_far(progress)}; stop with {how_to_end()}")
            running.wait()
        return running.stop().exit_status


def _wait_for(path: Path) -> None:
    """A recorder of the machine, or the page, may import into it: it is done soon, unless it does so for the first time."""
    until_s = time.monotonic() + _BUSY_S
    while path.exists() and is_being_written(path):
        if time.monotonic() > until_s:
            raise UsageError(
                f"{path} is being written by another import: `{program()} import --follow`, the page, or a recorder of this "
                "machine. Reports show what it has so far; try again when it is done"
            )
        time.sleep(_LOOK_S)


def _read(running: Run, progress: Progress, show: Callable[[str], None]) -> bool:
    """Until all that stands in the files is read; True where a signal came before."""
    while not progress.caught_up.is_set():
        if running.ended(_LOOK_S):
            return True
        show(_so_far(progress))
    return False


def _so_far(progress: Progress) -> str:
    files = f"{progress.read_files:,} of {plural(progress.files, 'session file')}"
    return f"read {files}, {data_size(progress.read)} of {data_size(progress.size)}"


def _closing(path: Path, progress: Progress, looked_in: str) -> Iterator[str]:
    kept = LmdbStore.open(path, readonly=True)
    try:
        agents = Counter(row.agent or "" for _, row in kept.scan(SESSIONS))
    finally:
        kept.close()
    if not agents and progress.caught_up.is_set():
        yield f"no session of an agent is in {looked_in}: {program()} record -- COMMAND records one"
        return
    named = ", ".join(f"{_title(agent)} {number:,}" for agent, number in agents.most_common())
    yield f"{plural(agents.total(), 'session')} of agents' own files{named and f': {named}'}"
    if not progress.caught_up.is_set():
        yield f"{_so_far(progress)}: the next import goes on from here"
    if progress.unreadable:
        yield f"{plural(progress.unreadable, 'line')} could not be read: {program()} report health --db {path}"
    if progress.skipped:
        yield f"{plural(progress.skipped, 'file')} could not be opened, or belongs to another user"
    given = given_store(path)
    db = f" --db {given}" if given else ""
    commands = (f"report sessions{db}", f"report tokens{db}", f"serve {given}".rstrip())
    yield "next: " + " · ".join(f"{program()} {command}" for command in commands)


def _title(agent: str) -> str:
    known = agent_named(agent)
    return known.title if known else agent


def _forget(path: Path) -> int:
    _wait_for(path)
    is_there = path.exists()
    if is_kept(path):
        forgotten(path).touch(mode=0o600)  # before it is gone: a recorder looks at any time
    for each in (path, Path(f"{path}-lock")):
        with suppress(FileNotFoundError):
            each.unlink()
    say(f"what was imported is removed: {path}" if is_there else f"nothing was imported: there is no {path}")
    if is_kept(path):
        say(f"the recorder of this machine imports nothing more of you until you run `{program()} import`")
    return 0
