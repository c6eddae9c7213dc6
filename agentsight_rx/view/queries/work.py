"""Calls in the order of time -> the work that each was for: a person's prompt, a commit, a branch."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from operator import itemgetter

from msgspec.structs import replace

from ...store.rows.kinds import CallRow, ProcessRow
from ...store.rows.tables import PROCESSES
from ...store.state import Store
from ...store.words import cut
from .reading import selected
from .selection import Selection

__all__ = ["of_git", "prompted"]

_SHOWN = 72  # characters of a prompt or a message
_WITH_VALUE = ("-C", "-c", "--git-dir", "--work-tree", "--namespace")  # options of git in front of its command


def prompted() -> Callable[[CallRow], str]:
    """By the newest prompt of a person in the session of the call; sub-agents work for it too."""
    newest: dict[str | None, str] = {}

    def group(call: CallRow) -> str:
        if call.is_prompted:
            newest[call.session_id] = f"turn {call.turn}: {cut(' '.join(call.prompt.split()), _SHOWN)}"
        return newest.get(call.session_id, "before the first prompt")

    return group


def of_git(store: Store, selection: Selection, what: str, /) -> Callable[[CallRow], str]:
    """
    By the `git commit` that was seen to succeed next, as `what` says, or by the branch that the last `git switch` or `git
    checkout` chose, both in the session of the call.
    """
    by_session: dict[str | None, list[tuple[int, str]]] = {}
    for row in selected(store, PROCESSES, replace(selection, limit=None)):
        name = _commit(row) if what == "commit" else _branch(row)
        if name and row.exit_code == 0 and row.end_timestamp_ms:
            by_session.setdefault(row.session_id, []).append((row.end_timestamp_ms, name))
    for some in by_session.values():
        some.sort()

    def group(call: CallRow) -> str:
        seen = by_session.get(call.session_id, [])
        at = bisect_right(seen, call.start_timestamp_ms, key=itemgetter(0))
        if what == "commit":
            return seen[at][1] if at < len(seen) else "since the last commit" if seen else "no commit was seen"
        return seen[at - 1][1] if at else "unknown"

    return group


def _words(row: ProcessRow) -> Sequence[str]:
    """The command of git with what follows; empty for another program."""
    argv = list(row.argv)
    if not argv or argv[0].rpartition("/")[2] != "git":
        return ()
    at = 1
    while at < len(argv) and argv[at].startswith("-"):
        at += 2 if argv[at] in _WITH_VALUE else 1
    return argv[at:]


def _commit(row: ProcessRow) -> str:
    words = _words(row)
    if not words or words[0] != "commit" or "--dry-run" in words:
        return ""
    for at, word in enumerate(words):
        if word in ("-m", "-am", "--message") and at + 1 < len(words):
            return cut(words[at + 1].partition("\n")[0], _SHOWN)
        if word.startswith("--message="):
            return cut(word.partition("=")[2].partition("\n")[0], _SHOWN)
    return f"a commit by process {row.pid}"


def _branch(row: ProcessRow) -> str:
    words = _words(row)
    if not words or words[0] not in ("switch", "checkout") or "--" in words:
        return ""
    names = [word for word in words[1:] if not word.startswith("-")]
    makes = any(word in ("-b", "-B", "-c", "-C", "--create", "--orphan") for word in words)
    return names[0] if names and (makes or len(names) == 1) else ""
