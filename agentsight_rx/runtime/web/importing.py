"""Requests of the page -> which session files there are; a process that imports them, and how far it is."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Lock, Thread
from typing import Literal

import msgspec
from msgspec import Struct

from ...core.errors import AgentsightError
from ...llm.agents.session_files import read_agents
from ...sources.session_files.files import Home, Listing
from ...sources.session_files.keeping import keeping
from ...view.page import PageError
from .. import importing
from ..importing import HowFar

_STOP_S = 10.0  # a stopped import saves its state
_LINE = msgspec.json.Decoder(HowFar)


class FilesOf(Struct, frozen=True, omit_defaults=True):
    """The session files of one agent, by their names and sizes alone. `keeps` says for how long the agent keeps them."""

    agent: str
    folder: str
    files: int
    size: int
    first_ms: int  # the oldest was written then
    last_ms: int
    keeps: str = ""


class Import(Struct, frozen=True, omit_defaults=True):
    """
    `state`: none, running, done, stopped, failed. `ms` since it began. `there`: the files of each agent, the most first.
    `absent`: agents without files. `kept`: a store of imported sessions exists.
    """

    state: Literal["none", "running", "done", "stopped", "failed"]
    so_far: HowFar = HowFar()
    ms: int = 0
    there: tuple[FilesOf, ...] = ()
    absent: tuple[str, ...] = ()
    kept: bool = False


NOTHING = Import("none", kept=True)  # where nothing can be imported


class Imports:
    """
    The import of the user who serves the page. `store` makes the folder of the written store and gives its path, `is_kept`:
    the store exists. `home` is the user's, `owner` has the ids of user and group. One process runs at a time, and ends with the
    page.
    """

    def __init__(self, store: Callable[[], Path], home: Home, owner: tuple[int, int], *, is_kept: Callable[[], bool]) -> None:
        self._store = store
        self._is_kept = is_kept
        self._home = home
        self._owner = owner
        self._lock = Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self.reader: Thread | None = None
        self._so_far = HowFar()
        self._began_s = self._ended_s = 0.0
        self._error = ""

    def state(self) -> Import:
        with self._lock:
            process, so_far = self._process, self._so_far
            error = so_far.error or self._error
        running = self.reader is not None and self.reader.is_alive()
        ms = round(1000 * ((time.monotonic() if running else self._ended_s) - self._began_s))
        if running:
            return Import("running", so_far, ms)
        there = tuple(sorted(self._there(), key=lambda each: -each.files))
        named = {each.agent for each in there}
        absent = tuple(agent.title for agent in read_agents() if agent.title not in named and agent.id != "own")
        kept = self._is_kept()
        if process is None and not error:
            return Import("none", there=there, absent=absent, kept=kept)
        state: Literal["done", "stopped", "failed"] = (
            "failed" if error or not process else "done" if so_far.caught_up else "stopped"
        )
        return Import(state, msgspec.structs.replace(so_far, error=error), ms, there=there, absent=absent, kept=kept)

    def do(self, what: str) -> Import:
        """`start` or `stop`. Raises PageError."""
        if what not in ("start", "stop"):
            raise PageError(f"do={what[:40]!r} is neither start nor stop", 400)
        if what == "start":
            self._start()
        else:
            self.close()
        return self.state()

    def close(self) -> None:
        """What was read stays."""
        process, reader = self._process, self.reader
        if process is None or reader is None or not reader.is_alive():
            return
        process.terminate()
        reader.join(_STOP_S)
        if reader.is_alive():
            process.kill()
            reader.join()

    def _start(self) -> None:
        with self._lock:
            if self.reader is not None and self.reader.is_alive():
                return
            self._so_far, self._error, self._process = HowFar(), "", None
            self._began_s = time.monotonic()
            try:
                arguments = [str(self._store()), *map(str, self._owner)]
            except AgentsightError as error:
                self._error = str(error)
                return
            command = [sys.executable, "-m", importing.__name__, *arguments]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            self.reader = Thread(target=self._read, args=(self._process,), name="import", daemon=True)
            self.reader.start()

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        with process:
            for line in process.stdout:
                with self._lock:
                    self._so_far = _LINE.decode(line)
            said = process.stderr.read().decode("utf-8", "replace").strip().splitlines()
            status = process.wait()
        with self._lock:
            self._ended_s = time.monotonic()
            if status > 0 and not self._so_far.error:
                self._error = said[-1][:400] if said else f"the import ended with exit status {status}"

    def _there(self) -> Iterator[FilesOf]:
        listing = Listing(self._home)
        rules = {each.agent: each.words for each in keeping(self._home, now_ns=time.time_ns())}
        for agent in read_agents():
            found = list(listing.files(agent))
            if found:
                times = [each.changed_ns // 1_000_000 for each in found]
                folder = found[0].root.replace(self._home.path, "~", 1)
                size = sum(each.version[2] for each in found)
                keeps = rules.get(agent.id, "")
                yield FilesOf(agent.title, folder, len(found), size, first_ms=min(times), last_ms=max(times), keeps=keeps)
