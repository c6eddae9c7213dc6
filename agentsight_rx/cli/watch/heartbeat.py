"""What a recorder does every few seconds: it measures its memory, and says to systemd that it goes on."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock

from msgspec import Struct

from ...core.bounded import given_back
from ...core.errors import UsageError
from ...core.messages import say
from ...events import RulesLoaded
from ...events.loss import Ledger
from ...runtime.recording.guard_file import LoadedRules
from ...runtime.run import Run
from ...runtime.service.bounds import Limits, Memory, Notifier, memory_now
from ...runtime.service.metrics import Figures
from ...runtime.service.users.past import Pasts
from ...sources import Roots
from ...sources.target import user_of
from ...store.rows.tally import Totals
from ...store.rows.uses import SETTLED_MS
from ...store.words import plural
from ..doctor.trial import Proof

# -- reloading -----------------------------------------------------------------------------------------------------
# SIGHUP -> the rules of the guard and the user's agents read anew; a file that cannot be used changes nothing.


class Reloading:
    """
    `ask` may be called by a signal handler; the next call of `read_asked`, by any one thread, reads the files. `look` gives the
    engine what it read since the last time: rules that hold, and then, where that is so, that newer ones are wrong.

    `load_agents` reads the file of agents and returns its sha256. `rules` is None without a guard.
    """

    def __init__(self, rules: LoadedRules | None, load_agents: Callable[[], str]) -> None:
        self._rules = rules
        self._load_agents = load_agents
        self._asked = False
        self._lock = Lock()  # over what the engine is given
        self._rules_read: RulesLoaded | None = None
        self._rules_wrong: RulesLoaded | None = None
        self._agents_error = ""
        self.agents = load_agents()  # sha256 of their file, "" without one
        self.reloads = 0
        self.refused = 0  # of these: with a file that cannot be used

    @property
    def rules(self) -> str:
        """The sha256 of the rules that hold; "" without a guard."""
        return "" if self._rules is None else self._rules.sha256

    @property
    def error(self) -> str:
        """Why the newest reading changed nothing, or not everything; "" where it did."""
        return (self._rules.error if self._rules is not None else "") or self._agents_error

    def ask(self) -> None:
        self._asked = True

    def read_asked(self) -> None:
        if not self._asked:
            return
        self._asked = False
        self._read_agents()
        if self._rules is not None:
            found = self._rules.again()
            with self._lock:
                if found.error:
                    self._rules_wrong = found
                else:
                    self._rules_wrong, self._rules_read = None, found
        self.reloads += 1
        self.refused += bool(self.error)

    def _read_agents(self) -> None:
        try:
            before, self.agents, self._agents_error = self.agents, self._load_agents(), ""
        except UsageError as error:
            self._agents_error = str(error)
            say(f"agents: {error}; the agents from before stay")
            return
        if before != self.agents:
            say(f"agents: loaded, sha256 {self.agents[:8]}" if self.agents else "agents: your file is gone, and so are yours")

    def look(self) -> RulesLoaded | None:
        with self._lock:
            found, self._rules_read = self._rules_read, None
            if found is None:
                found, self._rules_wrong = self._rules_wrong, None
        return found


# ------------------------------------------------------------------------------------------------------------------------


_ASKED_S = 0.5  # a wait for the end of a run wakes as often anyway
_MEASURED_S = 10.0
_STUCK_S = 30.0  # an engine that does nothing for so long is not well
_MEGA = 1 << 20
_SHORT = 12  # letters of a sha256
_LIMIT = 75  # the exit status of a run that its limit ended: EX_TEMPFAIL of sysexits.h, "try again"


class Kept(Struct, frozen=True):
    """Where a recorder writes, how large that may become, and whether a person paused it."""

    store: Path
    most_bytes: int | None = None
    is_paused: Callable[[], bool] = lambda: False


class Beat:
    """Called with the run; returns after how many seconds it is to be called again."""

    def __init__(
        self,
        roots: Roots,
        limits: Limits,
        notifier: Notifier | None = None,
        measure: Callable[[], Memory] = memory_now,
        reloading: Reloading | None = None,
        *,
        proof: Proof | None = None,
        pasts: Pasts | None = None,
        is_paused: Callable[[], bool] = lambda: False,
    ) -> None:
        self._roots = roots
        self._reloading = reloading or Reloading(None, str)
        self._limits = limits
        self._notifier = notifier or Notifier()
        self._measure = measure
        self._proof = (proof or Proof()) if self._notifier.is_heard else None  # whoever waits for it hears of it
        self._pasts = pasts
        self._is_paused = is_paused
        self._running: tuple[frozenset[int], frozenset[int]] = frozenset(), frozenset()  # pids and their users
        self._measured_s = self._notified_s = float("-inf")
        self._run: Run | None = None
        self._is_proven = False
        self._shed_from = 0  # bytes of content
        self.memory = Memory()
        self.exit_status = 0

    def __call__(self, run: Run) -> float:
        self._run, now_s = run, time.monotonic()
        self._reloading.read_asked()
        if self._pasts is not None:
            self._pasts.look(self._users(), paused=self._is_paused())
        if now_s - self._measured_s >= _MEASURED_S:
            self._measured_s = now_s
            self.memory = self._measure()
            self._shed(run)
            if why := self._limits.broken_by(self.memory):
                say(f"{why}: this recorder ends in order")
                self.exit_status = _LIMIT
                run.end("memory limit")
        is_proven, was_proven = self._proof is None or self._proof.look(), self._is_proven
        self._is_proven = is_proven
        if now_s >= self._notified_s + self._notifier.interval_s or is_proven != was_proven:
            self._notified_s = now_s
            self._notifier.goes_on(self._status(run), stuck_s=run.stuck_s, ready=is_proven)
        return _ASKED_S

    def _shed(self, run: Run) -> None:
        """Over the soft limit less content is taken, each time; below it more."""
        before, self._shed_from = self._shed_from, self._limits.shed_from(self.memory, self._shed_from)
        if self._shed_from:
            given_back()
        run.shed(self._shed_from)
        if bool(before) != bool(self._shed_from):
            soft = f"memory is {self.memory.own // _MEGA} MB, and the soft limit is {self._limits.soft // _MEGA} MB"
            say(f"{soft}: {'large contents are shed, and counted' if self._shed_from else 'all contents are taken again'}")

    def _users(self) -> frozenset[int]:
        """The users of the agents that run."""
        pids, (before, users) = self._roots.pids, self._running
        if pids != before:
            users = frozenset(uid for pid in pids if (uid := user_of(pid)) is not None)
            self._running = pids, users
        return users

    def ends(self) -> None:
        if self._pasts is not None:
            self._pasts.close()
        self._notifier.stops()
        if self._proof is not None:
            self._proof.end()

    def figures(self, kept: Kept) -> Figures:
        """What there is to say now; before the first beat that nothing is well."""
        run = self._run
        if run is None:
            return Figures(Totals(), Ledger(), begun=False, well=False)
        stuck_s = run.stuck_s
        uses = run.tally.uses
        age_s = None if self._proof is None else self._proof.age_s
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
            rules=self._reloading.rules,
            agents_file=self._reloading.agents,
            reloads=self._reloading.reloads,
            reloads_refused=self._reloading.refused,
            shed_from_bytes=self._shed_from,
            proved_s=None if age_s is None else time.time() - age_s,
            well=stuck_s < _STUCK_S and not self.exit_status,
        )

    def _status(self, run: Run) -> str:
        memory = self.memory
        lost = sum(entry.count for entry in run.ledger.unintended())
        agents = f"{plural(len(self._roots), 'agent')} {'runs' if len(self._roots) == 1 else 'run'}"
        taken = f"memory {memory.own // _MEGA} MB, {memory.tables // _MEGA} of it in the kernel"
        said = [agents, taken, f"{lost:,} lost" if lost else "nothing is lost"]
        loaded = {"rules": self._reloading.rules, "agents.toml": self._reloading.agents}
        said += [f"{name} {sha256[:_SHORT]}" for name, sha256 in loaded.items() if sha256]
        if self._pasts is not None:
            said.append(self._pasts.said)
        if self._shed_from:
            said.append(f"contents from {self._shed_from:,} bytes on are shed")
        if not self._is_proven:
            said.insert(0, "the probes have not proved themselves yet")
        if self._reloading.error:
            said.append(f"what was loaded before holds, since {self._reloading.error}")
        return "; ".join(said)
