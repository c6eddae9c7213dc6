"""A small program of our own, captured as any other -> which sources work here, and why others do not."""

from __future__ import annotations

import os
import secrets
import select
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Sequence
from io import StringIO
from pathlib import Path

from msgspec import Struct

from ... import sources
from ...core.errors import CaptureError
from ...core.merge import merge
from ...core.messages import holding
from ...core.sink import Sink
from ...events import Event, FileEvent, NetEvent, ProcessExec, Readline, StdioChunk, SystemSample, SystemWide, TlsChunk
from ...events.loss import Ledger
from ...runtime.run import Run
from ...store.reasons import SOURCES
from .program import BASH

__all__ = ["Outcome", "can_record", "try_sources"]

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
    with holding(StringIO()), Run(graph, [sink], required=()) as run:
        assert program.stdin is not None
        assert program.stdout is not None
        os.write(program.stdin.fileno(), b"begin\n")
        select.select([program.stdout], [], [], _DONE_S)
        seen.wait(SOURCES.keys() - run.unavailable.keys() - _NOT_HERE.keys(), _SEEN_S)
        program.stdin.close()
        run.wait(_SEEN_S)
        return run.stop().unavailable
