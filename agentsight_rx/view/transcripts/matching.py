"""Session files and captured process trees -> which file belongs to which tree, how that is known and how certain it is."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence

from msgspec import Struct

from . import Transcript

_GRACE_MS = 30_000  # between the last line of a session and the start of the process that is still taken for its own


class Located(Struct, frozen=True):
    """A session file: its absolute path and its content."""

    path: str
    transcript: Transcript


class Tree(Struct, frozen=True, kw_only=True):
    """
    An agent's process with its descendants. `id` is the id of its ProcessRow. `session_ids` are the ids in its calls, `files`
    the paths that a capture saw it use, `open_files` the paths that /proc showed. `end_ms` 0: it runs.
    """

    id: str
    agent: str | None
    session_ids: Collection[str] = ()
    files: Collection[str] = ()
    open_files: Collection[str] = ()
    cwd: str = ""
    start_ms: int = 0
    end_ms: int = 0


class Match(Struct, frozen=True, kw_only=True):
    """
    The session file at `path` belongs to the tree `tree_id`. `method`: session_id (its calls name it), file (a capture saw it
    use the file), open_file (/proc showed it), before (as in an earlier match), cwd (the same directory at the same time).
    """

    path: str
    tree_id: str
    method: str
    confidence: float


def matches(sessions: Sequence[Located], trees: Sequence[Tree], *, before: Iterable[Match] = ()) -> list[Match]:
    """
    The best match of each tree and of each file; unmatched ones are left out. A tree without an agent matches none, and one
    whose calls name sessions matches all files of these: a session has a file for each sub-agent, a process many sessions.

    `before`: matches of the last time, which hold while nothing better is known.
    """
    earlier = {(match.tree_id, match.path) for match in before}
    ids = {session.transcript.session_id for session in sessions}
    named = {tree.id for tree in trees if not ids.isdisjoint(tree.session_ids)}
    found = [_Candidate(_certain(session, tree, earlier), session, tree) for session, tree in _pairs(sessions, trees)]
    found = [each for each in found if each.method == "session_id" or each.tree.id not in named]
    # A tree that was seen to work on another file, or that names another session, is not one that was there before
    known = {each.tree.id for each in found if each.method in ("session_id", "file", "open_file")}
    best = sorted((each for each in found if each.method and (each.method != "before" or each.tree.id not in known)), key=_rank)
    taken_trees: set[str] = set()
    taken_files: set[str] = set()
    chosen: list[Match] = []
    for each in best:
        if each.session.path in taken_files or (each.tree.id in taken_trees and each.method != "session_id"):
            continue
        taken_trees.add(each.tree.id)
        taken_files.add(each.session.path)
        chosen.append(
            Match(path=each.session.path, tree_id=each.tree.id, method=each.method, confidence=_CONFIDENCE[each.method])
        )
    return chosen


_CONFIDENCE = {"session_id": 1.0, "file": 0.95, "open_file": 0.9, "before": 0.7, "cwd": 0.55}


class _Candidate(Struct, frozen=True):
    method: str
    session: Located
    tree: Tree


def _pairs(sessions: Sequence[Located], trees: Sequence[Tree]) -> Iterator[tuple[Located, Tree]]:
    for tree in trees:
        for session in sessions:
            if tree.agent is not None and session.transcript.agent == tree.agent:
                yield session, tree


def _certain(session: Located, tree: Tree, earlier: Collection[tuple[str, str]]) -> str:
    """The best method by which they match; empty: none."""
    transcript = session.transcript
    if transcript.session_id in tree.session_ids:
        return "session_id"
    if not _at_the_same_time(transcript, tree):
        return ""
    if session.path in tree.files:
        return "file"
    if session.path in tree.open_files:
        return "open_file"
    if (tree.id, session.path) in earlier:
        return "before"
    return "cwd" if _same_directory(transcript, tree.cwd) else ""


def _at_the_same_time(transcript: Transcript, tree: Tree) -> bool:
    ended_before = transcript.end_ms + _GRACE_MS < tree.start_ms
    began_after = tree.end_ms > 0 and transcript.start_ms > tree.end_ms + _GRACE_MS
    return not (ended_before or began_after)


def _same_directory(transcript: Transcript, cwd: str) -> bool:
    if not cwd:
        return False
    return cwd == transcript.cwd or (
        transcript.project != "" and hashlib.sha256(cwd.encode("utf-8", "surrogateescape")).hexdigest() == transcript.project
    )


def _rank(each: _Candidate) -> tuple[float, int, int]:
    """By confidence, then the session that ended nearest to the start of the process, then the newest."""
    return (
        -_CONFIDENCE[each.method],
        abs(each.session.transcript.end_ms - each.tree.start_ms),
        -each.session.transcript.end_ms,
    )
