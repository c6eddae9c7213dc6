"""SIGHUP -> the rules of the guard and the user's agents read anew; a file that cannot be used changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from ...core.errors import UsageError
from ...core.messages import say
from ...events import RulesLoaded
from ...runtime.recording.guard_file import LoadedRules

__all__ = ["Reloading"]


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
