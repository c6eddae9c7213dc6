"""A small program of our own, captured as any other -> which sources work here, and why others do not."""

from __future__ import annotations

import os
import secrets
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from io import StringIO
from pathlib import Path

import msgspec
from msgspec import Struct

from ... import sources
from ...core.errors import CaptureError
from ...core.merge import merge
from ...core.messages import holding, say
from ...core.sink import Sink
from ...events import Event, FileEvent, NetEvent, ProcessExec, Readline, StdioChunk, SystemSample, SystemWide, TlsChunk
from ...events.loss import Ledger
from ...runtime.run import Run
from ...store.reasons import SOURCES
from .program import BASH

_PROGRAM = Path(__file__).with_name("program.py")
_DONE_S = 60.0  # until its program has done everything
_SEEN_S = 10.0  # until that was seen: a slow machine takes seconds for what others do in milliseconds
_SAMPLES_S = 0.2
# What the program cannot do here: no proof of it comes
_NOT_HERE = {} if os.path.exists(BASH) else {"readline": f"there is no {BASH}, so no line was typed"}


class Outcome(Struct, frozen=True):
    """Of one source: whether what its program did was seen, `opened` or not; else why, and what to do."""

    source: str
    opened: bool
    seen: bool
    why: str = ""


def can_record(outcomes: Sequence[Outcome]) -> bool:
    """Whether `record` starts: something that the kernel shows is captured; the rest is said to be missing."""
    return any(each.opened and each.source != "system" for each in outcomes)


def _proof(word: str) -> dict[str, Callable[[Event], bool]]:
    """What of its program each source must show."""
    text = word.encode()
    return {
        "tls": lambda event: isinstance(event, TlsChunk) and not _is_plain(event) and text in event.data,
        "plain_http": lambda event: isinstance(event, TlsChunk) and _is_plain(event) and text in event.data,
        "process": lambda event: isinstance(event, ProcessExec) and word in event.argv,
        "files": lambda event: isinstance(event, FileEvent) and word in event.path,
        "net": lambda event: isinstance(event, NetEvent),
        "readline": lambda event: isinstance(event, Readline) and word in event.command,
        "stdio": lambda event: isinstance(event, StdioChunk) and text in event.data,
        "system": lambda event: isinstance(event, SystemSample | SystemWide),
    }


def _is_plain(chunk: TlsChunk) -> bool:
    connection = chunk.origin.connection
    return connection is not None and connection.plain


class _Seen:
    """A sink that notes which proofs came, and when all are there."""

    def __init__(self, word: str) -> None:
        self._wanted = _proof(word)
        self.names: set[str] = set()
        self.missing: set[str] = set(self._wanted)
        self.all = threading.Event()

    def wait(self, names: Collection[str], timeout_s: float) -> None:
        """For the proofs of these sources."""
        self.missing &= set(names)
        if self.missing:
            self.all.wait(timeout_s)

    def open(self, _: Ledger) -> _Seen:
        return self

    def write(self, batch: Sequence[Event], /) -> None:
        for event in batch:
            found = [name for name, is_proof in self._wanted.items() if is_proof(event)]
            self.names.update(found)
        self.missing -= self.names
        if not self.missing:
            self.all.set()

    def flush(self) -> None: ...

    def close(self) -> None: ...


def try_sources() -> list[Outcome]:
    """Capture a program that does a little of everything, as `record` would; nothing else of the machine is watched."""
    word = f"agentsight-rx-trial-{secrets.token_hex(4)}"
    seen = _Seen(word)
    words = [sys.executable, "-I", "-S", str(_PROGRAM), word]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as program:
        try:
            missing = _watch(program, seen)
        except CaptureError as error:  # none of them can be opened
            missing = dict.fromkeys(SOURCES, str(error))
        finally:
            program.kill()
    return [
        Outcome(name, name not in missing, name in seen.names, missing.get(name, _NOT_HERE.get(name, ""))) for name in SOURCES
    ]


def _watch(program: subprocess.Popen[bytes], seen: _Seen) -> dict[str, str]:
    """The sources that could not be opened, and why."""
    target = sources.Target(program.pid)
    watched = (
        sources.tls(sources.TlsOptions(target)),
        sources.plain_http(sources.PlainHttpOptions(target)),
        sources.process(sources.ProcessOptions(target)),
        sources.files(sources.FileOptions(target)),
        sources.net(sources.NetOptions(target)),
        sources.readline(sources.ReadlineOptions(target)),
        sources.stdio(sources.StdioOptions(target)),
        sources.system(sources.SystemOptions(target, _SAMPLES_S)),
    )
    graph = merge(*watched)
    sink = Sink("seen", lambda _: seen, events=1 << 16, size=64 << 20)
    with holding(StringIO()), Run(graph, [sink], required=(), on_bug="count") as run:
        assert program.stdin is not None
        assert program.stdout is not None
        os.write(program.stdin.fileno(), b"begin\n")
        select.select([program.stdout], [], [], _DONE_S)
        seen.wait(SOURCES.keys() - run.unavailable.keys() - _NOT_HERE.keys(), _SEEN_S)
        program.stdin.close()
        run.wait(_SEEN_S)
        return run.stop().unavailable


# -- proof ---------------------------------------------------------------------------------------------------------
# `doctor` in a process of its own -> whether the probes have proved themselves, without a wait for it.


_FIRST_S, _LAST_S = 10.0, 600.0  # until the next trial where one has failed: twice as long each time
_UNREADABLE = "the trial of the probes ended without a result"


def _trial() -> subprocess.Popen[bytes]:
    """Its memory, which a capture of all sources takes, goes with it."""
    words = [sys.executable, "-m", "agentsight_rx", "doctor", "--json"]
    return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


class Proof:
    """
    `look` starts the trial, and says whether every source that this machine allows has shown what a program of its own did. A
    trial that did not is said, and another one follows.
    """

    def __init__(
        self, start: Callable[[], subprocess.Popen[bytes]] = _trial, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._start = start
        self._clock = clock
        self._running: subprocess.Popen[bytes] | None = None
        self._due_s, self._pause_s = float("-inf"), _FIRST_S
        self.proven_s: float | None = None  # when it was, on the clock

    @property
    def age_s(self) -> float | None:
        """How old the proof is; None without one."""
        return None if self.proven_s is None else self._clock() - self.proven_s

    def look(self) -> bool:
        if self.proven_s is not None:
            return True
        now_s = self._clock()
        if self._running is None:
            if now_s >= self._due_s:
                self._running = self._start()
            return False
        if self._running.poll() is None:
            return False
        why = _why_not(self._ended())
        if not why:
            self.proven_s = now_s
            return True
        say(f"the probes have not proved themselves: {why}; the next trial is in {self._pause_s:.0f} s")
        self._due_s, self._pause_s = now_s + self._pause_s, min(2 * self._pause_s, _LAST_S)
        return False

    def end(self) -> None:
        """A trial that runs is stopped."""
        if self._running is not None:
            self._running.kill()
            self._ended()

    def _ended(self) -> bytes:
        assert self._running is not None
        said, _ = self._running.communicate()
        self._running = None
        return said


def _why_not(said: bytes) -> str:
    """Why what a trial said is no proof; "" where it is one."""
    outcomes = list(_outcomes(said))
    if not outcomes:
        return _UNREADABLE
    unseen = [each.source for each in outcomes if each.opened and not each.seen and not each.why]
    if unseen:
        return f"what a program of its own did was not seen by {', '.join(unseen)}"
    return "" if can_record(outcomes) else "nothing can be captured"


def _outcomes(said: bytes) -> Iterator[Outcome]:
    """Of the sources, among the other lines of JSON."""
    for line in said.splitlines():
        with suppress(msgspec.DecodeError):
            yield msgspec.json.decode(line, type=Outcome)
