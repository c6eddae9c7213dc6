"""What a recorder does every few seconds: it measures its memory, and says to systemd that it goes on."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from ...loss import Ledger
from ...runtime import Run
from ...say import say
from ...service.bounds import Limits, Memory, memory_now
from ...service.metrics import Figures
from ...service.notify import Notifier
from ...sources import Roots
from ...view.rows.tally import Totals
from ...view.rows.uses import SETTLED_MS
from ...view.words import plural

__all__ = ["Beat", "Kept"]

_MEASURED_S = 10.0
_STUCK_S = 30.0  # an engine that does nothing for so long is not well
_MEGA = 1 << 20
_LIMIT = 75  # the exit status of a run that its limit ended: EX_TEMPFAIL of sysexits.h, "try again"


class Kept(Struct, frozen=True):
    """Where a recorder writes, how large that may become, by which rules it judges, and whether a person paused it."""

    store: Path
    most_bytes: int | None = None
    rules: str = ""
    is_paused: Callable[[], bool] = lambda: False


class Beat:
    """Called with the run; returns after how many seconds it is to be called again."""

    def __init__(
        self,
        roots: Roots,
        limits: Limits,
        notifier: Notifier | None = None,
        measure: Callable[[], Memory] = memory_now,
    ) -> None:
        self._roots = roots
        self._limits = limits
        self._notifier = notifier or Notifier()
        self._measure = measure
        self._measured_s = float("-inf")
        self._run: Run | None = None
        self.memory = Memory()
        self.proved_s: float | None = None  # Unix time at which the probes last saw a program of our own
        self.exit_status = 0

    def __call__(self, run: Run) -> float:
        self._run, now_s = run, time.monotonic()
        if now_s - self._measured_s >= _MEASURED_S:
            self._measured_s = now_s
            self.memory = self._measure()
            if why := self._limits.broken_by(self.memory):
                say(f"{why}: this recorder ends in order")
                self.exit_status = _LIMIT
                run.end("memory limit")
        self._notifier.goes_on(self._status(run), stuck_s=run.stuck_s)
        return self._notifier.interval_s

    def ends(self) -> None:
        self._notifier.stops()

    def figures(self, kept: Kept) -> Figures:
        """What there is to say now; before the first beat that nothing is well."""
        run = self._run
        if run is None:
            return Figures(Totals(), Ledger(), begun=False, well=False)
        stuck_s = run.stuck_s
        uses = run.tally.uses
        return Figures(
            run.tally.totals,
            run.ledger,
            uses={} if uses is None else uses.until(time.time_ns() // 1_000_000 - SETTLED_MS),
            agents=len(self._roots),
            paused=kept.is_paused(),
            blind_spots=len(run.tally.blind_spots),
            sources_missing=len(run.unavailable),
            queues=run.fills,
            memory=self.memory,
            memory_limit=self._limits.most or None,
            store_bytes=kept.store.stat().st_size if kept.store.exists() else None,
            store_limit=kept.most_bytes,
            lag_s=run.lag_s,
            stuck_s=stuck_s,
            up_s=run.ledger.seconds,
            rules=kept.rules,
            proved_s=self.proved_s,
            well=stuck_s < _STUCK_S and not self.exit_status,
        )

    def _status(self, run: Run) -> str:
        memory = self.memory
        lost = sum(entry.count for entry in run.ledger.unintended())
        agents = f"{plural(len(self._roots), 'agent')} {'runs' if len(self._roots) == 1 else 'run'}"
        taken = f"memory {memory.own // _MEGA} MB, {memory.tables // _MEGA} of it in the kernel"
        return f"{agents}; {taken}; {f'{lost:,} lost' if lost else 'nothing is lost'}"
