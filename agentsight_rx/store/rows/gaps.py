"""
A run, a recording or a session -> its gaps, unread processes, and whose TLS was read: what sentences of missing things say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from ...core.messages import program
from ...events import EMULATED, NO_CODE, NO_FILES, NO_HTTP, SEARCHED, UNOPENED, BlindSpot, TlsUse, milliseconds
from ...events.loss import Entry, Reason
from ..words import count, plural
from .ids import Beginning, beginnings_of
from .kinds import BlindSpotRow, TlsUseRow, process_id
from .tables import Recording
from .tally import Tally

# -- blind spots ---------------------------------------------------------------------------------------------------
# BlindSpot -> BlindSpotRow: traffic that was not read, in the words of a report.


_PEERS_SHOWN = 3


def row_of(event: BlindSpot) -> BlindSpotRow:
    """The row of a process; it comes again under the same id as more is known."""
    origin = event.origin
    return BlindSpotRow(
        f"blind-{origin.pid}-{event.start_ns:x}",
        milliseconds(origin.wall_ns),
        pid=origin.pid,
        comm=origin.comm,
        process_id=process_id(origin.pid, event.start_ns),
        connections=event.connections,
        size=event.size,
        peers=event.peers,
        files=event.files,
        looks_like=event.looks_like,
        among=event.among,
        why=event.why,
    )


def reason_of(row: BlindSpotRow, /) -> str:
    """Why it was not read, as far as that is known."""
    return " and ".join(dict.fromkeys(row.looks_like)) or row.why or "the reason is not known"


def sentence_of(row: BlindSpotRow) -> str:
    """The process, its unread traffic, and why: `uv (rustls with aws-lc), process 71: 3 connections, 15,018 bytes to …`."""
    size = f", {plural(row.size, 'byte')}" if row.size else ""  # breakpoints count no bytes
    size = f", which carried {plural(row.size, 'byte')} in all," if row.among and row.size else size
    return f"{row.comm} ({reason_of(row)}), process {row.pid}: {connections_of(row)}{size} to {_some(row.peers)}"


def connections_of(spot: BlindSpot | BlindSpotRow) -> str:
    """How many connections were not read, and of how many where it is not known which ones."""
    if spot.among:
        return f"{count(spot.connections)} of {plural(spot.among, 'connection')}"
    return plural(spot.connections, "connection")


def _some(peers: Sequence[str]) -> str:
    more = len(peers) - _PEERS_SHOWN
    return ", ".join(peers[:_PEERS_SHOWN]) + (f" and {more} more" if more > 0 else "")


_ADVICE = {
    NO_CODE: "it may speak without TLS, which --plain-http reads, or with a TLS library that is not known",
    NO_HTTP: "it may use a TLS library that is not known, or another protocol than HTTP",
    NO_FILES: "it was too short to be looked at; name its program or library, and it is read from its start",
    UNOPENED: "the recorder may not open files of its container or user; name its library",
}


def advice_of(row: BlindSpotRow) -> str:
    """What to do about it."""
    if SEARCHED in row.looks_like:
        return "the program was new here, and was searched while it connected; its later connections are read"
    if any(each.startswith(EMULATED) for each in row.looks_like):
        return "run the program of this machine; what an emulator runs has no code of this machine to be probed"
    if row.files:
        ways = ", ".join(f"{program()} doctor --probe {file}" for file in row.files)
        return f"the TLS functions of {', '.join(row.files)} are not found or cannot be probed; why: {ways}"
    return f"{_ADVICE.get(row.why, 'it may use a TLS library that is not known')}; its connections are in the audit trail"


# ------------------------------------------------------------------------------------------------------------------------


class LeftRunning(Struct, frozen=True):
    """So many processes that the recorded command left go on behind the end of the capture, Unix time in ms."""

    processes: int
    since_ms: int


class Agreement(Struct, frozen=True):
    """
    Of the `calls` of a recorded session so many are `found` in the agent's own file, `differing` of them with other tokens.
    The calls and tools that only the file has are of the time of the recording. `method`: how most were found, see `Pair`.
    """

    calls: int
    found: int
    differing: int = 0
    calls_only_file: int = 0
    tools_only_file: int = 0
    method: str = ""

    def __add__(self, other: Agreement) -> Agreement:
        sums = {name: getattr(self, name) + getattr(other, name) for name in self.__struct_fields__ if name != "method"}
        return Agreement(**sums, method=self.method if self.found >= other.found else other.method)


class OnlyInFile(Struct, frozen=True):
    """So many calls and tools of a session that its agent wrote down, and that were not seen while it was recorded."""

    session: str
    agent: str
    calls: int
    tools: int


class Gaps(Struct, frozen=True, kw_only=True):
    """
    `losses` are the unintended ones that no blind spot says with names, `unended` the runs without an orderly end.
    `rules_error` is why the newest rules of the guard could not be loaded. `failures` are of destinations.
    """

    blind_spots: tuple[BlindSpotRow, ...] = ()
    losses: tuple[Entry, ...] = ()
    calls_cut: int = 0
    calls_unfinished: int = 0  # without those that go on
    commands_unseen: int = 0
    left: tuple[LeftRunning, ...] = ()
    unended: tuple[Recording, ...] = ()
    beginnings: tuple[Beginning, ...] = ()
    rules_error: str = ""
    failures: tuple[str, ...] = ()
    only_in_file: tuple[OnlyInFile, ...] = ()

    @property
    def count(self) -> int:
        """How many things are missing."""
        several = (
            self.blind_spots,
            self.losses,
            self.left,
            self.unended,
            self.beginnings,
            self.failures,
            self.only_in_file,
        )
        single = (self.calls_cut, self.calls_unfinished, self.commands_unseen, self.rules_error)
        return sum(map(len, several)) + sum(map(bool, single))


def unsaid(entries: Iterable[Entry], blind_spots: tuple[BlindSpotRow, ...], /) -> tuple[Entry, ...]:
    """The unintended losses, except where a blind spot says them with names, and of processes that go on."""
    said = (Reason.LEFT_RUNNING, Reason.UNREADABLE) if blind_spots else (Reason.LEFT_RUNNING,)
    return tuple(each for each in entries if not each.reason.intended and each.reason not in said)


def left_running(entries: Iterable[Entry], since_ms: int, /) -> Iterator[LeftRunning]:
    """`entries` of a run, and when it ended."""
    return (LeftRunning(each.count, since_ms) for each in entries if each.reason is Reason.LEFT_RUNNING)


def gaps_of(
    tally: Tally, entries: Sequence[Entry], /, *, failures: tuple[str, ...] = (), live: bool = False, ended_ms: int = 0
) -> Gaps:
    """Of one run, which ended then. `live`: it goes on, and so do the calls without an answer."""
    totals, spots = tally.totals, tuple(tally.blind_spots.values())
    return Gaps(
        blind_spots=spots,
        losses=unsaid(entries, spots),
        calls_cut=totals.calls_cut,
        calls_unfinished=totals.calls_unfinished - (totals.calls_open if live else 0),
        commands_unseen=totals.commands_unseen,
        left=tuple(left_running(entries, ended_ms)),
        beginnings=tuple(beginnings_of(tally.older.values(), tally.tls_uses.values())),
        rules_error=tally.rules_error,
        failures=failures,
    )


# -- tls uses ------------------------------------------------------------------------------------------------------
# TlsUse -> TlsUseRow: whose TLS was read, and how it was found, in the words of a report.


def row_of_use(event: TlsUse) -> TlsUseRow:
    """The row of a process, a file and a stack; it comes again under the same id as more is read."""
    origin = event.origin
    return TlsUseRow(
        f"tls-{origin.pid}-{event.start_ns:x}-{event.stack}-{event.path}",
        milliseconds(origin.wall_ns),
        pid=origin.pid,
        comm=origin.comm,
        process_id=process_id(origin.pid, event.start_ns),
        path=event.path,
        stack=event.stack,
        method=event.method,
        proven=event.proven,
        connections=event.connections,
        size=event.size,
        midway=event.midway,
    )


def use_line(row: TlsUseRow) -> str:
    """Which process, through what, and whether it is certain: `claude (71): BoringSSL in …, by …: proven, 3 connections, …`."""
    connections = plural(row.connections, "connection") + (f" ({count(row.midway)} joined midway)" if row.midway else "")
    certain, size = "proven" if row.proven else "not proven", plural(row.size, "byte")
    return f"{row.comm} ({row.pid}): {row.stack} in {row.path}, by {row.method}: {certain}, {connections}, {size}"
