"""The store of a command: the given one, else one in the invoking user's data directory."""

from __future__ import annotations

import os
import pwd
import shlex
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from ...core.errors import StoreError, UnwritableError
from ...core.messages import program
from ...runtime.service.users.places import PAST, USERS, Reader, forgotten, kept_past, stores_of
from ...store.state import is_being_written
from ...store.words import plural
from ..capturing.launch import invoking_user

_VARIABLE = "AGENTSIGHT_DB_PATH"
_DEMO = "agentsight-demo"
MACHINE = "agentsight-machine.lmdb"  # which the recorder of this machine goes on with


def new_store(given: Path | None) -> Path:
    """
    The path of a new recording: `given`, else $AGENTSIGHT_DB_PATH, else a file named by the time. Raises UnwritableError where
    its folder can be neither found nor made.
    """
    if given is not None:
        return given
    if named := os.environ.get(_VARIABLE):
        return Path(named)
    folder = _private_folder()
    return folder / time.strftime("agentsight-%Y%m%d-%H%M%S.lmdb")


def machine_store() -> Path:
    """The store of the recorder that watches this machine, which goes on with it each time. Raises UnwritableError."""
    return _private_folder() / MACHINE


def past_store(given: Path | None) -> Path:
    """
    The store of sessions from agents' own files: where a recorder of the machine keeps one for the user, that one. Raises
    UnwritableError where its folder cannot be made.
    """
    return given or _kept_past() or _private_folder() / PAST


def new_demo_store() -> Path:
    """The path of the recording of a demo, which takes the place of the one before. Raises UnwritableError."""
    folder = _private_folder()
    for before in folder.glob(f"{_DEMO}-*.lmdb"):
        if not is_being_written(before):
            for path in (before, Path(f"{before}-lock")):
                with suppress(OSError):
                    path.unlink()
    return folder / time.strftime(f"{_DEMO}-%Y%m%d-%H%M%S.lmdb")


def newest_store(given: Path | None) -> Path:
    """The store to report on. Raises StoreError where there is none."""
    if given is not None:
        return given
    if named := os.environ.get(_VARIABLE):
        return Path(named)
    found = recorded()
    if found:
        return found[-1]
    own = f"`{program()} import` reads what agents wrote down themselves"
    raise StoreError(f"no recording found in {_folder()}; make one with `{program()} record -- COMMAND`, or give --db; {own}")


def all_stores(given: Path | None) -> list[Path]:
    """
    The recordings, the newest first, and the store of imported sessions; the given one, or $AGENTSIGHT_DB_PATH, alone. Raises
    StoreError where there is none.
    """
    if is_given(given):
        return [newest_store(given)]
    past = imported()
    found = [path for path in reversed(recorded()) if path != past]
    return [*found, past] if past else found or [newest_store(None)]


def is_given(given: Path | None) -> bool:
    """One store is meant, by a flag or by $AGENTSIGHT_DB_PATH."""
    return given is not None or bool(os.environ.get(_VARIABLE))


def given_store(store: Path) -> str:
    """The store as an argument; "" where the other commands find it themselves."""
    try:
        newest = newest_store(None)
    except StoreError:
        return shlex.quote(str(store))
    return "" if newest == store else shlex.quote(str(store))


def recorded(given: Path | None = None) -> list[Path]:
    """
    The recordings in the invoking user's data directory, and what a recorder of the machine made for them, the newest
    last; or the given one alone.
    """
    if given is not None:
        return [given]
    watched = _of_recorder()
    try:
        own = [*_folder().glob("agentsight-*.lmdb")]
    except UnwritableError:
        if not watched:
            raise
        own = []
    found = [(path, path.stat()) for path in (*own, *watched) if path.is_file()]
    if not found:
        past = imported()
        return [past] if past else []
    return [path for path, _ in sorted(found, key=lambda each: each[1].st_mtime_ns)]


def imported() -> Path | None:
    """The store of sessions from agents' own files; None: nothing was imported."""
    if kept := _kept_past():
        return kept if kept.is_file() else None
    with suppress(UnwritableError):
        past = _folder() / PAST
        return past if past.is_file() else None
    return None


def counted(paths: Collection[Path]) -> str:
    """For people: `12 recordings and the imported sessions`."""
    past = imported()
    recordings = len(paths) - (past in paths)
    said = [plural(recordings, "recording")] if recordings or past not in paths else []
    return " and ".join([*said, "the imported sessions"] if past in paths else said)


def is_kept(past: Path) -> bool:
    """A recorder of the machine keeps this store of sessions from agents' own files up to date, or has done so."""
    return past.parent.parent == USERS


def _kept_past() -> Path | None:
    """The one that a recorder of the machine keeps for the invoking user, or has kept."""
    uid, gid = invoking_user()
    path = kept_past(Reader(uid, gid), USERS)
    with suppress(OSError):
        return path if path.is_file() or forgotten(path).is_file() else None
    return None


def _of_recorder() -> list[Path]:
    """What `watch` of root writes for the invoking user, and for their groups. Root has the recording of the machine."""
    uid, gid = invoking_user()
    if uid == 0:
        return []
    groups = {gid}
    if uid == os.getuid():
        groups |= {*os.getgroups()}
    else:
        with suppress(KeyError):
            groups |= {*os.getgrouplist(pwd.getpwuid(uid).pw_name, gid)}
    return stores_of(uid, sorted(groups), USERS)


def search_index() -> Path | None:
    """The search index of all recordings; None where there is no directory for it."""
    folder = _folder()
    return folder / "search.sqlite3" if folder.is_dir() else None


def seen_path() -> Path | None:
    """The file of the alerts that the user has seen; None where there is no home for it."""
    with suppress(UnwritableError):
        return _folder() / "seen.jsonl"
    return None


def _folder() -> Path:
    uid, _ = invoking_user()
    base = os.environ.get("XDG_DATA_HOME") if uid == os.getuid() else None
    return (Path(base) if base else _home(uid) / ".local" / "share") / "agentsight-rx"


def _home(uid: int) -> Path:
    """
    $HOME of our own user, else the home in passwd, where a user of a container may be missing. Raises UnwritableError without
    one.
    """
    named = os.environ.get("HOME", "") if uid == os.getuid() else ""
    if not named.startswith("/"):
        with suppress(KeyError):
            named = pwd.getpwuid(uid).pw_dir
    if not named.startswith("/"):
        raise UnwritableError(
            f"user {uid} has no home directory here, so there is no place for recordings: give --db, or set XDG_DATA_HOME"
        )
    return Path(named)


def _private_folder() -> Path:
    """The data directory, made where it is missing, with missing folders above it, for the invoking user alone."""
    folder, (uid, gid) = _folder(), invoking_user()
    try:
        missing = [each for each in (folder, *folder.parents) if not each.exists()]
        folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        for made in missing:
            os.chown(made, uid, gid)
    except OSError as error:
        raise UnwritableError(f"{folder} cannot be made: {error.strerror}; give another path with --db") from error
    return folder
