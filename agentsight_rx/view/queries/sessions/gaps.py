"""Gaps -> each thing that is missing, the worst first: in a few words, in full, why, and what to do. Every view shows these."""

from __future__ import annotations

import time
from collections.abc import Iterator

from msgspec import Struct

from ....core.messages import program
from ....events.loss import Entry
from ....store.reasons import FILE_SAYS, advice_on, lost_words, why
from ....store.rows.gaps import Agreement, Gaps, advice_of, connections_of, reason_of, sentence_of
from ....store.rows.kinds import HOOKED, SAID, SEEN
from ....store.words import data_size, plural

# Why a command has no process, and what to do
_UNSEEN_WHY = (
    "a shell of the agent may have run it without a program, or it ran in another place, such as a container; else its process "
    "started in a way that was not followed: report tools has its input, report processes what ran"
)
_UNREAD = "its requests and answers are not in the recording; its processes, files and hosts are"


class Missing(Struct, frozen=True, kw_only=True):
    """
    One thing. `what` and `brief`, a reason, make a part of a line; `detail` has all that is known of it. `why` and `do` are
    phrases. `stage` and `entry` say where it was lost, `tab` where the page shows more, `since_ms` from when on.
    """

    what: str
    brief: str = ""
    detail: str = ""
    why: str = ""
    do: str = ""
    stage: str = ""
    entry: Entry | None = None
    tab: str = ""
    since_ms: int = 0
    pid: int = 0

    @property
    def said(self) -> str:
        return f"{self.what}, {self.brief}" if self.brief else self.what

    @property
    def sized(self) -> str:
        """`what`, with how many bytes it is."""
        return f"{self.what}, {data_size(self.entry.size)}" if self.entry is not None and self.entry.size else self.what

    @property
    def sentences(self) -> tuple[str, str]:
        """Why, and what to do."""
        return _sentence(self.why), _sentence(self.do)

    @property
    def lines(self) -> tuple[str, str]:
        """All of it in two lines, of which the second may be empty."""
        return f"could not be read: {self.detail}" if self.detail else self.sized, " ".join(filter(None, self.sentences))


_NOTHING = {HOOKED: "nothing is missing of what breakpoints show", SAID: FILE_SAYS}


def missing_said(count: int, /, *, live: bool = False, seen_by: str = SEEN) -> str:
    """
    The one sentence about all of it: `nothing is missing`, or of how many things something is. Breakpoints do not see
    everything, and of an agent's own file nothing was seen (`seen_by`).
    """
    if count:
        missing = f"{plural(count, 'thing is', 'things are')} missing"
        return f"{FILE_SAYS}; {missing}" if seen_by == SAID else missing
    nothing = _NOTHING.get(seen_by, "nothing is missing")
    return f"{nothing} so far: it is being recorded" if live and seen_by != SAID else nothing


_FOUND_BY = {"tokens": "by time, model and tokens"}


def agreement_said(found: Agreement, /) -> str:
    """`the agent's own file agrees: 41 of 42 calls, by the ids of answers`: of a recorded session, or of several."""
    calls = f"{found.found:,} of {plural(found.calls, 'call')}"
    if found.differing:
        return f"the agent's own file has {calls}, {found.differing:,} of them with other tokens"
    if not found.found or found.calls_only_file or found.tools_only_file:
        return f"the agent's own file has {calls}"
    return f"the agent's own file agrees: {calls}, {_FOUND_BY.get(found.method, 'by the ids of answers')}"


def missing_things(gaps: Gaps, /) -> Iterator[Missing]:
    """
    Destinations that failed, programs that could not be read, calls that are not whole, commands whose processes were not
    found, losses that no filter was to make, agents that ran before, what only an agent's own file has, rules of the guard that
    could not be loaded, runs without an orderly end, and processes that go on behind one.
    """
    for failure in gaps.failures:
        yield Missing(what=failure, stage="others")
    for spot in gaps.blind_spots:
        yield Missing(
            what=f"{f'{connections_of(spot)} of ' if spot.among else ''}{spot.comm} {spot.pid} could not be read",
            brief=reason_of(spot),
            detail=sentence_of(spot),
            why=_UNREAD,
            do=advice_of(spot),
            stage="connections",
            since_ms=spot.timestamp_ms,
            pid=spot.pid,
        )
    yield from _calls(gaps)
    for entry in gaps.losses:
        yield Missing(what=lost_words(entry), why=why(entry.reason), do=advice_on(entry.reason), entry=entry)
    for left in gaps.left:
        goes = "process goes" if left.processes == 1 else "processes go"
        at = time.strftime("%H:%M:%S", time.localtime(left.since_ms / 1000))
        yield Missing(
            what=f"{left.processes:,} {goes} on, unseen from {at}",
            brief=f"`{program()} record --wait-all` waits for the end",
            why="the command left them running, and the recording ended 2 s behind it",
            do=f"`{program()} record --wait-all` goes on until all of them have ended",
            stage="process",
            tab="processes",
            since_ms=left.since_ms,
        )
    for begun in gaps.beginnings:
        do = f"start the agent under `{program()} record`"
        yield Missing(what=begun.what, brief=begun.why, why=begun.why, do=do, stage="connections", pid=begun.pid)
    for each in gaps.only_in_file:
        numbers = (each.calls, "call"), (each.tools, "tool")
        what = " and ".join(plural(number, name) for number, name in numbers if number)
        yield Missing(
            what=f"{what} of {each.agent} {'is' if each.calls + each.tools == 1 else 'are'} only in its own session file",
            why="the agent wrote down what was not seen while it was recorded",
            do=f"`{program()} report compare {each.session}` lists them",
            stage="calls",
            tab="conversation",
        )
    if gaps.rules_error:
        said = "the changed rules of the guard are wrong, and the earlier rules hold"
        do = "mend the file: it is loaded again at once"
        yield Missing(what=said, brief=gaps.rules_error, why=gaps.rules_error, do=do, stage="others", tab="alerts")
    for run in gaps.unended:
        yield Missing(
            what="the recording has no orderly end",
            why="it was killed: later events are unknown",
            stage="store",
            since_ms=run.committed_ms,
        )


def _calls(gaps: Gaps) -> Iterator[Missing]:
    listed = f"`{program()} report calls --failed` lists them"
    if gaps.calls_cut:
        why = "some of the bytes were not captured, so texts or counts may be short"
        said = f"{plural(gaps.calls_cut, 'call')} {'is' if gaps.calls_cut == 1 else 'are'} incomplete"
        yield Missing(what=said, why=why, do=listed, stage="calls", tab="conversation")
    if gaps.calls_unfinished:
        said = f"{plural(gaps.calls_unfinished, 'call')} ended before the answer did"
        why = "a peer, a process or the capture ended it: what of the answer came until then is here"
        yield Missing(what=said, why=why, do=listed, stage="calls", tab="conversation")
    if gaps.commands_unseen:
        them = "it" if gaps.commands_unseen == 1 else "them"
        said = f"{plural(gaps.commands_unseen, 'command')} came back and no process of {them} was seen"
        yield Missing(what=said, why=_UNSEEN_WHY, stage="process", tab="processes")


def _sentence(phrase: str) -> str:
    return f"{phrase[0].upper()}{phrase[1:]}." if phrase else ""
