"""Files of the user, processes of now -> which alerts a person has seen, which rules hold, which agents stand still."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from ...core.errors import UnwritableError, UsageError
from ...events import milliseconds
from ...policy.rules.guard.file import built_in_rules
from ...policy.rules.guard.values import Rules
from ...sources.hold import halted_group
from ...sources.proc import read_stat
from ...view import AlertRow
from ...view.queries.decided import Decisions, Seen
from .seen_file import SeenFile

_ALLOWED_MOST = 50_000  # alerts of which it is remembered what allows them
_SLACK_MS = 2000  # a start is known to 10 ms after the boot, which is known to a second


class Deciding:
    """
    `rules` gives the rules that hold now, of the file `place`; without it the built-in ones hold. Without a file for seen
    alerts nothing is kept. Used by one thread at a time.
    """

    def __init__(
        self, seen: SeenFile | None = None, *, rules: Callable[[], Rules] = built_in_rules, place: Path | None = None
    ) -> None:
        self._seen = seen
        self._read_rules = rules
        self._place = place
        self._version: tuple[int, int] | None = None
        self._rules: Rules | None = None
        self._wrong = ""
        self._allowed: dict[str, str] = {}

    def now(self) -> Decisions:
        """The files are read again where they have changed. Wrong rules are named, and do not hold."""
        version = _version(self._place)
        if self._rules is None or version != self._version or len(self._allowed) > _ALLOWED_MOST:
            self._version, self._allowed = version, {}
            try:
                self._rules, self._wrong = self._read_rules(), ""
            except UsageError as error:
                self._rules, self._wrong = built_in_rules(), str(error)
        return Decisions(
            self._seen.read() if self._seen is not None else {},
            self._rules,
            str(self._place or ""),
            halted=is_halted,
            running=_is_running,
            refusal=self._seen.refusal if self._seen is not None else "this page stores nothing",
            wrong=self._wrong,
            allowed=self._allowed,
        )

    def mark(self, rows: Iterable[AlertRow], /, *, seen: bool) -> None:
        """A person has seen these alerts, or takes that back. Raises UnwritableError."""
        if self._seen is None:
            raise UnwritableError("this page stores nothing")
        at_ms = milliseconds(time.time_ns())
        self._seen.add(Seen(row.id, row.count if seen else 0, at_ms) for row in rows)


def _version(path: Path | None) -> tuple[int, int]:
    try:
        found = path.stat() if path is not None else None
    except OSError:
        found = None
    return (found.st_mtime_ns, found.st_size) if found is not None else (0, 0)


def is_halted(row: AlertRow, /) -> bool:
    """The agent of the alert stands still now: in a frozen control group of ours, or by SIGSTOP."""
    pid = row.agent_pid
    if pid is None or not has_begun_before(pid, row.timestamp_ms):
        return False
    return halted_group(pid) is not None or _state(pid)[:1] == ["T"]


def _is_running(row: AlertRow) -> bool:
    return row.agent_pid is not None and has_begun_before(row.agent_pid, row.timestamp_ms)


def has_begun_before(pid: int, time_ms: int, /) -> bool:
    """There is a process with this pid, and it is no later one: it began before that time (Unix time, ms)."""
    fields = _state(pid)
    return len(fields) > _START and _boot_ms() + 10 * int(fields[_START]) <= time_ms + _SLACK_MS


_START = 19  # of the fields behind the name: starttime, proc_pid_stat(5), in 1/100 s for all that /proc shows


def _state(pid: int) -> Sequence[str]:
    """The fields of /proc/PID/stat from the state on; none where there is no such process."""
    found = read_stat(pid)
    return [] if found is None else found[1]


def _boot_ms() -> int:
    with open("/proc/stat", encoding="ascii") as file:
        return next(1000 * int(line.split()[1]) for line in file if line.startswith("btime "))
