"""What the tracer tells -> typed events: TLS plaintext, processes, files and connections of a command, seen without rights."""

from __future__ import annotations

import os
import platform
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from msgspec import Struct

from ...core.bounded import Recent
from ...core.errors import CaptureError, Unavailable
from ...core.messages import detail
from ...core.options import Options
from ...core.stream import Stream, origin
from ...events import NO_CODE, BlindSpot, Event, Loss, NetEvent, Origin, ProcessExit, UnreadTls, Witness, time_of
from ...events.loss import Reason
from ...wire.address import endpoint
from ..tls.libraries import Library, Probed
from ..tls.records import Records, needs_sockets
from . import ptrace
from .calls import Attached, Report, Stated, Wire

# -- unread --------------------------------------------------------------------------------------------------------
# Connections of a process, and how many of them were read -> a BlindSpot where some were not.


_PROCESSES_MOST = 16_384
_PEERS_MOST = 64

Process = tuple[int, int]  # pid, start


class _Peers(Struct):
    """Of one process. `files` have TLS code that is not read, and what it looks like."""

    connections: int = 0
    peers: dict[str, None] = {}
    files: dict[str, str] = {}
    origin: Origin | None = None


class Unread:
    """
    `read(pid, start_ns)` says of how many connections of a process plaintext was seen. How much the others carried is not
    known: breakpoints count no bytes.
    """

    def __init__(self, read: Callable[[int, int], int]) -> None:
        self._read = read
        self._processes: Recent[Process, _Peers] = Recent(_PROCESSES_MOST)

    def take(self, event: Event) -> Iterator[Event]:
        """The event, unless it is for this alone; and behind the end of a process its unread connections."""
        if isinstance(event, UnreadTls):
            self._of((event.origin.pid, event.start_ns)).files[event.path] = event.looks_like
            return
        yield event
        if isinstance(event, NetEvent) and event.action == "connect" and event.protocol == "tcp" and not event.error:
            peers = self._of((event.origin.pid, event.start_ns))
            peers.connections += 1
            peers.origin = event.origin
            if len(peers.peers) < _PEERS_MOST:
                peers.peers[endpoint(event.peer, event.port)] = None
        elif isinstance(event, ProcessExit):
            yield from self._ended((event.origin.pid, event.start_ns))

    def _of(self, process: Process) -> _Peers:
        found = self._processes.use(process)
        if found is None:
            found = _Peers()
            self._processes.put(process, found)
        return found

    def _ended(self, process: Process) -> Iterator[BlindSpot]:
        peers = self._processes.pop(process, None)
        if peers is None or peers.origin is None:
            return
        read = self._read(*process)
        if peers.connections > read:
            yield BlindSpot(
                peers.origin,
                process[1],
                connections=peers.connections - read,
                size=0,
                peers=tuple(peers.peers),
                files=tuple(peers.files),
                looks_like=tuple(peers.files.values()),
                why="" if peers.files else NO_CODE,
                among=peers.connections if read else 0,
            )

    def finish(self) -> Iterator[BlindSpot]:
        """Of the processes that go on."""
        for process in [process for process, _ in self._processes.items()]:
            yield from self._ended(process)


# ------------------------------------------------------------------------------------------------------------------------


_ANSWER_S = 10.0  # the longest wait for the tracer to answer
_END_S = 8.0  # and for its last events
_GATHER_S = 0.02
_MACHINE = "x86_64"  # whose code the tracer writes
SEEN, HOOKED = "view", "hooked"  # as in Witness


class HookOptions(Options, frozen=True, omit_defaults=True):
    """A process of this user, which is followed with all that it starts. `held`: it is a command that has not begun yet."""

    pid: int
    kinds: tuple[str, ...] = ("tls", "process", "files", "net")
    held: bool = False


class Tracing:
    """
    The tracer, before it follows anything. It is forked, so make it before any thread exists; `close` ends it where no source
    was made of it. Raises Unavailable where this machine does not let a user trace a command.
    """

    def __init__(self) -> None:
        from .tracer import start  # takes 16 ms, which a capture by the kernel must not pay

        self.wire: Wire[str, Report] = Wire(start(), list[Report])

    def close(self) -> None:
        self.wire.close()


def hooks(options: HookOptions, tracing: Tracing) -> Stream[Event]:
    """All that is seen of one command, in the order in which the tracer saw it."""
    return origin("hooks", lambda: _HookReader(options, tracing.wire), time_of=time_of, live=True, options=str(options))


class _HookReader:
    """A Reader that Wakes."""

    def __init__(self, options: HookOptions, wire: Wire[str, Report]) -> None:
        self._options = options
        self._wire = wire
        self._records = Records(handshakes=False)
        self._unread = Unread(self._records.connections.read_of)
        self._early: list[Event] = []
        self._woken, self._waker = _pair()
        self._ended = False
        self._watches = False

    def open(self) -> None:
        """The kernel may refuse it: Documentation/admin-guide/LSM/Yama.rst, seccomp(2)."""
        pid = self._options.pid
        if pid == os.getpid():
            raise CaptureError(f"process {pid} is this program itself, and would stop at its own breakpoints: choose another")
        self._wire.send([f"{'hold' if self._options.held else 'join'} {pid} {','.join(self._options.kinds)}"])
        until = time.monotonic() + _ANSWER_S
        while not self._watches:
            if not select.select([self._wire], [], [], max(0.0, until - time.monotonic()))[0]:
                raise CaptureError(f"the tracer of process {pid} did not answer in {_ANSWER_S:g} s")
            self._early += self._events(self._wire.receive())
            if self._wire.closed:
                raise CaptureError(f"the tracer of process {pid} ended")
        self._early.insert(0, Witness(Origin(time.monotonic_ns(), pid), HOOKED))

    def poll(self, timeout: float, /) -> Sequence[Event] | None:
        if self._early:
            early, self._early = self._early, []
            return early
        if self._ended:
            return None
        ends = self._wire.fileno(), self._woken.fileno()
        ready = select.select(ends, (), (), timeout)[0]
        if ends[1] in ready:
            self._woken.recv(4096)
        if ends[0] not in ready:
            return self._records.look()
        time.sleep(_GATHER_S)  # a wake-up costs more than the few events that it brings
        events = self._events(self._wire.receive())
        self._ended = self._ended or self._wire.closed
        return [*events, *self._records.look()]

    def wake(self) -> None:
        with suppress(OSError):  # it is closed, or has been woken often enough
            self._waker.send(b"x")

    def lost(self) -> Sequence[Event]:
        return ()

    def close(self) -> Sequence[Event]:
        self._wire.send(["end"])
        rest: list[Event] = [*self._early]
        until = time.monotonic() + _END_S
        while not self._wire.closed and time.monotonic() < until:
            select.select([self._wire], [self._wire] if self._wire.is_waiting else [], [], 0.1)
            self._wire.flush()
            rest += self._events(self._wire.receive())
        if not self._wire.closed:
            note = f"the tracer did not end within {_END_S:g} s: its last events are missing"
            rest.append(Loss(Origin(time.monotonic_ns(), 0), "hooks", Reason.QUEUE_FULL, 1, note=note))
        self._wire.close()
        for end in (self._woken, self._waker):
            end.close()
        rest += [*self._unread.finish(), *self._records.connections.uses()]
        return [*rest, Witness(Origin(time.monotonic_ns(), 0), SEEN)]  # of what a later run sees

    def _is_wanted(self, event: Event) -> bool:
        return "net" in self._options.kinds or not isinstance(event, NetEvent)

    def _events(self, reports: Sequence[Report]) -> list[Event]:
        events: list[Event] = []
        records = self._records
        for each in reports:
            if isinstance(each, bytes):
                found = records.decode(memoryview(each), 0, len(each))
                if isinstance(found, list):
                    events += found
                elif found is not None:
                    events.append(found)
            elif isinstance(each, Attached):
                finding = each.finding
                library = Library(each.path, each.key, findings=(finding,))
                records.add(Probed(library, finding, by_socket=needs_sockets(finding)))
                detail(f"watching TLS in {each.path}")
            elif isinstance(each, Stated):
                if each.error:
                    raise Unavailable(_refused(each.error))
                self._watches = True
                self._ended = self._ended or not each.pid
            else:
                events += [seen for seen in self._unread.take(each) if self._is_wanted(seen)]
        return events


def why_not() -> str:
    """Why this user may trace no process of theirs here, and what to do; "" where they may. It tries it."""
    if (machine := platform.machine()) != _MACHINE:
        return f"breakpoints are made for {_MACHINE}, and this machine is {machine}: start it as root, for the kernel"
    pid = os.fork()
    if pid == 0:
        ptrace.allow_tracers()
        signal.pause()
        os._exit(0)
    try:
        ptrace.seize(pid, 0)
    except OSError as error:
        return _refused(error.strerror or str(error))
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return ""


def _pair() -> tuple[socket.socket, socket.socket]:
    ends = socket.socketpair()
    for end in ends:
        end.setblocking(False)
    return ends


def _refused(error: str) -> str:
    """Why the kernel does not let this user trace a process, and what to do."""
    try:
        with open("/proc/sys/kernel/yama/ptrace_scope") as file:
            scope = int(file.read())
    except (OSError, ValueError):
        scope = 0
    if scope >= 2:
        return (
            f"this machine lets {'no user' if scope > 2 else 'only root'} trace a process "
            f"(kernel.yama.ptrace_scope is {scope}): as root: sysctl kernel.yama.ptrace_scope=1"
        )
    why = "it belongs to another user, is traced by another program, or a seccomp filter refuses ptrace(2)"
    return f"the process cannot be traced ({error}): {why}"
