"""`doctor` in a process of its own -> whether the probes have proved themselves, without a wait for it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import msgspec

from ...core.messages import say
from .trial import Outcome, can_record

__all__ = ["Proof"]

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
