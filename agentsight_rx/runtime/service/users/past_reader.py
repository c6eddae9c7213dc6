"""
The process that keeps the past of one user up to date: their session files -> their store, with no right but theirs.

The recorder of the machine starts it, with a `Task` as its argument. How it ended is its exit status, a `Left`, since nothing
that a user's process writes is read by root. It ends with its standard input.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ....core.errors import AgentsightError
from ....core.files import create_new
from ....core.messages import say, speak_into
from ....sources.session_files.files import Home
from ....sources.session_files.look import Look, Progress, TranscriptsOptions, is_all_read
from ....sources.session_files.stirred import Stirred
from ....store.state.lmdb_files import is_being_written, only_writer
from ...importing import import_run
from .past import Left, Task
from .places import forgotten

if TYPE_CHECKING:
    from ...run import Run

_NICE = 19
_SILENT_S = 600  # of a file system that does not answer: longer than the largest session of a database takes
_LOOK_S = 0.2
_SELDOM_S = 60.0  # between two looks where inotify says nothing: file systems of other machines do not
_TIMES_LONGER = 20  # is the pause between two imports than one takes, or `pause_s` where that is longer


def main(words: Sequence[str] | None = None) -> int:
    """Returns a Left."""
    task = msgspec.json.decode((sys.argv[1:] if words is None else words)[0], type=Task)
    _make_way()
    try:
        os.scandir(task.home).close()
    except PermissionError:
        return Left.NO_RIGHTS
    except OSError:
        return Left.AWAY
    if not task.store:
        return _peeked(task)
    store = Path(task.store)
    if forgotten(store).exists():
        return Left.UNWANTED
    try:
        speak_into(store.with_suffix(".log"))
        if not store.exists() and task.own:
            _take_over(Path(task.own), store)
        return _Keeping(task, store).run()
    except (AgentsightError, OSError) as error:
        say(str(error))
        return Left.BUSY if is_being_written(store) else Left.FAILED


def _make_way() -> None:
    """For everyone else: by the scheduler, where memory is short, and where a file system never answers."""
    os.nice(_NICE)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(_SILENT_S)


def _peeked(task: Task) -> int:
    from ....llm.agents.session_files import read_agents
    from ....sources.session_files.files import Listing

    listing = Listing(Home(task.home, os.geteuid()))
    agents = (agent for agent in read_agents() if not task.agents or agent.id in task.agents)
    has_files = any(True for agent in agents for _ in listing.files(agent))
    return Left.FOUND if has_files or os.path.isfile(task.own) else Left.NOTHING


def _take_over(own: Path, store: Path) -> None:
    """What the user imported before is the begin of this past: its sessions may be in no file any more."""
    if not own.is_file():
        return
    held = only_writer(str(own))
    try:
        part = store.with_suffix(".part")
        with suppress(FileNotFoundError):
            part.unlink()
        with open(held, "rb", closefd=False) as there, open(create_new(part), "wb") as new:
            shutil.copyfileobj(there, new)
        part.rename(store)
    finally:
        os.close(held)


class _Keeping:
    """Imports until all is read. While an agent of the user may run, it waits for changes and imports again."""

    def __init__(self, task: Task, store: Path) -> None:
        self._task = task
        self._store = store
        self._options = TranscriptsOptions(home=task.home, uid=os.geteuid(), agents=task.agents, follow=True)
        self._stirred = Stirred()

    def run(self) -> int:
        while True:
            began_s = time.monotonic()
            left = self._import()
            if not self._task.stays or left is not Left.KEPT:
                return left
            pause_s = max(self._task.pause_s, _TIMES_LONGER * (time.monotonic() - began_s))
            if self._ended_within(_SELDOM_S, or_changed=True) or self._ended_within(pause_s):
                return left

    def _import(self) -> Left:
        """The store is open for no longer than this takes: the user's own `import` finds it free."""
        from ...resume import saved_places  # with it comes the engine, and a first look needs none

        retained = False
        for _ in range(3):  # the last look is at what changed before the folders were watched
            saved = [each.place for each in saved_places(self._store)]
            place, progress, looks = saved[0] if saved else None, Progress(), list[Look]()
            is_read = place is not None and is_all_read(self._options, [], place, progress, looked=looks.append)
            if not is_read or (self._task.retention is not None and not self._task.stays and not retained):
                signal.alarm(_SILENT_S)
                if not self._read():
                    return Left.STOPPED
                retained = True
            if looks and not looks[0].roots and place is not None:
                return Left.AWAY
            if looks and not self._stirred.watch(looks[0].folders, looks[0].places):
                break
        return Left.KEPT

    def _read(self) -> bool:
        """Whether it came to the end of all files."""
        progress, before = Progress(), -1
        owner = os.geteuid(), os.getegid()
        run: Run = import_run(self._store, self._options, progress, owner=owner, retention=self._task.retention)
        with run as running:
            while not progress.caught_up.is_set() and not running.ended(0):
                if progress.read != before:
                    before = progress.read
                    signal.alarm(_SILENT_S)
                if self._ended_within(_LOOK_S):
                    break
            running.stop()
        return progress.caught_up.is_set()

    def _ended_within(self, seconds: float, *, or_changed: bool = False) -> bool:
        """Wait so long, or until a file changed; whether the recorder wants the end."""
        signal.alarm(0 if or_changed else _SILENT_S)
        changes = self._stirred.fileno() if or_changed else -1
        ready, _, _ = select.select([0, changes] if changes >= 0 else [0], [], [], seconds)
        if changes in ready:
            self._stirred.within(0)
        return 0 in ready


if __name__ == "__main__":
    sys.exit(main())
