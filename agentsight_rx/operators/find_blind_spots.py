"""TcpTraffic, UnreadTls and TlsChunk -> BlindSpot: processes with more connections than were read in plaintext."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from ..core.engine import Site
from ..core.machine import Bounded, Checkpointed, Kernel, encode_state
from ..core.per_key import per_key
from ..core.stream import Operator
from ..events import NO_CODE, NO_HTTP, Connection, Origin, TcpTraffic, TlsChunk, TlsClose, TlsEvent, TlsOpen, UnreadTls
from .sessions.unread import Unread

_PROCESSES_MOST = 8192
_TUNNELS_MOST = 4096  # that wait for the TLS of their client
_TUNNEL = "tunnel"  # as the library of an object

V = TypeVar("V")
Process = tuple[int, int]  # pid and start, since a pid is used again


def find_blind_spots(*, wait: float = 0.0) -> Operator[TlsEvent, TlsEvent]:
    """
    Report processes of which traffic was not read. Everything else passes unchanged; of the evidence the ends of a connection
    pass, and its total, at its end or at the end of the stream, marked as judged, so that a replay does not judge it again.

        --Chunk--TcpTraffic--UnreadTls-----TcpTraffic----------------------|
        [                find_blind_spots()                                ]
        --Chunk--TcpTraffic----------------TcpTraffic--BlindSpot--Loss-----|

    Each TCP connection that carried bytes should have shown a TLS object that receives from it. One without was not read: its
    TLS code is not known, or it does not speak TLS. Objects of which it is not known from which connection they receive are
    counted against the connections without: then it is known how many were not read, and not which. What was not read counts as
    `unreadable`, once; its bytes only where it is known which ones they are. A connection without TLS whose protocol was
    recognised shows that by a `TlsOpen`, at any time up to `wait` seconds later: for so long its bytes are not judged.
    """
    wait_ns = int(wait * 1e9)

    def kernel(site: Site) -> Kernel[TlsEvent, TlsEvent]:
        time = _Time()
        by_process = per_key(
            _process, lambda: _Account(wait_ns, time), name="find_blind_spots", key_type=tuple[int, int], limit=_PROCESSES_MOST
        )
        return _Quick(by_process.kernel(site), time)

    return Operator("find_blind_spots", kernel, f"wait={wait}" if wait else "")


class _Time(Struct):
    """What the last tick said: a wait begins then, or at the time of its event."""

    now_ns: int = 0


class _Tunnels(Struct):
    """
    A process that is asked to CONNECT, over a connection without TLS that it has accepted, passes on what is not its own: where
    the TLS of the client is read, one of its connections was read there. Its account gets an object for each.
    """

    clients: dict[str, str] = {}  # connection that a process has accepted -> the end of its client
    through: dict[str, tuple[int, int, int]] = {}  # end of the client -> process and connection of the tunnel

    def note(self, event: TlsEvent) -> TlsOpen | None:
        """The object of the process that a tunnel goes through, where its client is known to be read now."""
        connection, kind = event.origin.connection, type(event)
        if connection is None or not (kind is TlsOpen or (self.clients and connection.plain)):
            return None
        if isinstance(event, TlsOpen) and not connection.plain:
            return self._object(event)
        name = f"{connection.pid} {connection.handle}"
        if isinstance(event, TlsOpen):
            if event.local_port < 0 and event.peer:
                _put(self.clients, name, event.peer)
            return None
        client = self.clients.pop(name, "")
        if client and isinstance(event, TlsChunk) and event.data.startswith(b"CONNECT "):
            _put(self.through, client, (connection.pid, connection.start_ns, connection.handle))
        return None

    def _object(self, event: TlsOpen) -> TlsOpen | None:
        found = self.through.pop(event.local, None)
        if found is None:
            return None
        pid, start_ns, handle = found
        return TlsOpen(Origin(event.origin.time_ns, pid, connection=Connection(pid, start_ns, _TUNNEL, handle)))


def _put(table: dict[str, V], key: str, value: V) -> None:
    if len(table) >= _TUNNELS_MOST:
        del table[next(iter(table))]
    table[key] = value


class _Saved(Struct, array_like=True):
    now_ns: int
    accounts: bytes
    tunnels: _Tunnels


class _Quick(Kernel[TlsEvent, TlsEvent]):
    """
    Nearly every batch holds nothing but records of connections that are known to be read. It passes whole, so that a record
    costs one look-up and not a call.
    """

    def __init__(self, accounts: Kernel[TlsEvent, TlsEvent], time: _Time) -> None:
        self._accounts = accounts
        self._time = time
        self._read: set[Connection] = set()  # some of those that the accounts know; never one that they do not
        self._processes: set[Process] = set()  # that were seen since then
        self._tunnels = _Tunnels()

    def feed(self, batch: Sequence[TlsEvent], /) -> Sequence[TlsEvent]:
        read = self._read
        if all(type(event) is TlsChunk and event.origin.connection in read for event in batch):
            return batch
        self._note(batch)
        found = [passed for event in batch if (passed := self._tunnels.note(event)) is not None]
        return self._accounts.feed([*batch, *found] if found else batch)

    def _note(self, batch: Sequence[TlsEvent]) -> None:
        """What the accounts know behind this batch."""
        for event in batch:
            process = _process(event)
            if process is not None and process not in self._processes:
                self._processes.add(process)
                if len(self._processes) > _PROCESSES_MOST // 4:  # long before an account could be dropped
                    self._processes.clear()
                    self._read.clear()
            connection = event.origin.connection
            if connection is not None and type(event) is TlsChunk:
                self._read.add(connection)
            elif connection is not None and type(event) is TlsClose:
                self._read.discard(connection)

    def tick(self, now_ns: int, /) -> Sequence[TlsEvent]:
        self._time.now_ns = now_ns
        return self._accounts.tick(now_ns)

    def finish(self) -> Sequence[TlsEvent]:
        return self._accounts.finish()

    def snapshot(self) -> bytes:
        return encode_state(_Saved(self._time.now_ns, self._accounts.snapshot(), self._tunnels))

    def restore(self, state: bytes, /) -> None:
        self._read.clear()
        self._processes.clear()
        saved = msgspec.msgpack.decode(state, type=_Saved)
        self._time.now_ns, self._tunnels = saved.now_ns, saved.tunnels
        self._accounts.restore(saved.accounts)

    def held(self) -> int:
        return self._accounts.held()


def _process(event: TlsEvent) -> Process | None:
    kind = type(event)
    if kind is TlsChunk or kind is TlsOpen or kind is TlsClose:
        connection = event.origin.connection
        return (connection.pid, connection.start_ns) if connection else None
    if isinstance(event, UnreadTls) or (isinstance(event, TcpTraffic) and not event.judged):
        return event.origin.pid, event.start_ns
    return None


class _State(Struct):
    facts: Unread
    waiting: list[tuple[int, TcpTraffic]] = []  # not judged yet, and since when
    carried: dict[int, TcpTraffic] = {}  # the newest of each connection that has not ended, by number


class _Account(Bounded[TlsEvent, TlsEvent], Checkpointed[_State]):
    """The connections of one process, and the plaintext of them."""

    def __init__(self, wait_ns: int, time: _Time) -> None:
        self.state = _State(Unread())
        self._wait_ns = wait_ns
        self._time = time

    def feed(self, event: TlsEvent, /) -> Iterable[TlsEvent]:
        state, facts = self.state, self.state.facts
        if isinstance(event, TcpTraffic):
            if not self._wait_ns:
                return self._judged(event)
            before_ns = state.waiting[-1][0] if state.waiting else 0  # they are judged in their order
            state.waiting.append((max(self._time.now_ns, event.origin.time_ns, before_ns), event))
            return ()
        if isinstance(event, UnreadTls):
            looked_for_http = bool(self._wait_ns) and event.looks_like == NO_CODE
            facts.code(replace(event, looks_like=NO_HTTP) if looked_for_http else event)
            return ()
        connection = event.origin.connection
        assert connection is not None
        if connection.library == _TUNNEL:
            facts.loose += 1
            return ()
        if type(event) is TlsClose:
            facts.freed(connection.handle)
        elif not (connection.plain and type(event) is TlsChunk):
            facts.used(connection.handle)
        if type(event) is not TlsOpen:
            return (event,)
        if event.first:
            return ()
        facts.receives(connection.handle, event)
        news = facts.news()
        return (event, *news) if event.local or not event.local_port else news  # the ends, or that they are not known after all

    def tick(self, now_ns: int, /) -> Iterable[TlsEvent]:
        state = self.state
        if not state.waiting or now_ns - state.waiting[0][0] < self._wait_ns:
            return ()
        due = [traffic for since_ns, traffic in state.waiting if now_ns - since_ns >= self._wait_ns]
        state.waiting = state.waiting[len(due) :]
        return [event for traffic in due for event in self._judged(traffic)]

    def idle(self) -> bool:
        return not self.state.waiting and not self.state.carried and self.state.facts.settled

    def finish(self) -> Iterable[TlsEvent]:
        state = self.state
        due = [traffic for _, traffic in state.waiting]
        state.waiting = []
        found = [event for traffic in due for event in self._judged(traffic)]
        open_ones = [replace(traffic, judged=True) for traffic in state.carried.values()]
        state.carried.clear()
        return [*found, *open_ones]

    def _judged(self, traffic: TcpTraffic) -> Sequence[TlsEvent]:
        """What the judgement gives, behind what the connection has carried in all where it has ended."""
        self.state.facts.carried(traffic)
        found, carried = self.state.facts.news(), self.state.carried
        if not traffic.ended:
            carried[traffic.number] = traffic
            return found
        carried.pop(traffic.number, None)
        return [replace(traffic, judged=True), *found]
