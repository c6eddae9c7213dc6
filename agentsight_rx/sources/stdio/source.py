"""System calls on pipes, unix sockets, standard streams and terminals -> StdioChunk, StdioClose: the bytes exchanged."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from struct import Struct as Layout
from typing import Annotated, Literal

from ...core.options import Options, at_least, between
from ...core.stream import Stream
from ...events import Channel, Loss, Origin, StdioChunk, StdioClose, StdioEvent
from ...events.loss import Reason
from ..kernel.program import Program
from ..kernel.reader import ProcessNames, ProgramReader
from ..kernel.shared_ring import RingSize, gather_of_content
from ..kernel.syscall import possible_cpus
from ..names import Names
from ..running_agents.on_demand import captured
from ..target import Target
from .unmatched import HOLD_NS, NoReader, OwnChannel, Pair, Seen, Unmatched

_FIELDS = (
    "task_struct.files",
    "files_struct.fdt",
    "fdtable.max_fds",
    "fdtable.fd",
    "file.f_inode",
    "file.private_data",
    "inode.i_mode",
    "inode.i_ino",
    "inode.i_rdev",
    "inode.i_sb",
    "super_block.s_dev",
    "socket.sk",
    "socket.type",
    "sock.__sk_common.skc_family",
    "sock.sk_socket",
    "unix_sock.peer",
    "socket_alloc.vfs_inode",
)

_READS = ("read", "readv", "recvfrom", "recvmsg")
_WRITES = ("write", "writev", "sendto", "sendmsg")

# struct chunk_t of bpf/stdio.c, up to its data
_RECORD = Layout("<QQB3xIII16sQQQQQIIIBBBB")
_CHUNK, _END, _GONE, _SELF = 1, 2, 3, 4
_KINDS: tuple[Literal["pipe", "unix", "tty", "file"], ...] = ("pipe", "unix", "tty", "unix", "file")
_WITHOUT_READER = ("tty", "file")  # what is written there waits for no reader

_UNSEEN = 3

_FIRST_RING = 16 << 20  # bytes: pipes are filled at the speed of memory
_SEGMENT = 16384
_BUFFERS = 64  # of one vectored call; programs pass a few, bytes in further ones are counted as lost
_MOST = 256 << 10  # bytes of one call, a limit of the verifier; pipes are read in pieces of at most 64 KiB


class StdioOptions(Options, frozen=True, omit_defaults=True):
    """
    What the stdio source watches: of each call the first `max_bytes`; the rest is counted. `fds` limits it to these file
    descriptors (a program may have moved its standard input to another one); empty: all. Regular files only where they are
    standard input, output or error, and only calls that pass the process: what the kernel copies by itself, as for
    copy_file_range, is not seen. `tty`: also output to terminals; typed input is never read. `ring_size` is in bytes, a power
    of two; 0 is chosen by the memory that is free.
    """

    target: Target
    max_bytes: Annotated[int, between(1, _MOST)] = 8192
    fds: tuple[Annotated[int, at_least(0)], ...] = ()
    tty: bool = False
    ring_size: RingSize = 0


def stdio(options: StdioOptions) -> Stream[StdioEvent]:
    """
    The bytes on every pipe and unix socket of the target, once for each end that is watched, and of regular files that are
    its standard streams; gaps are marked.

    A pipe on which a process only writes to itself is left out.
    """
    return captured("stdio", options, lambda: StdioReader(options))


class StdioReader(ProgramReader[Seen]):
    shares = "contents"

    def __init__(self, options: StdioOptions) -> None:
        self._options = options
        self._last_part = (options.max_bytes - 1) % _SEGMENT + 1  # bytes of the last segment of a call that is cut
        self.names = Names(options.target.comms)
        self._names = ProcessNames()
        self._pids: set[int] = set()  # that used a channel and have not ended
        self._unmatched = Unmatched()

    def open(self) -> None:
        options = self._options
        program: Program[Seen] = Program(
            "stdio",
            options.target,
            ring_size=options.ring_size,
            first_ring=_FIRST_RING,
            gather_s=gather_of_content(options.ring_size),
            decode=self._decode,
            fields=_FIELDS,
            switches=_switches(options),
            headers=("buffers.h",),
            names=self.names,
        )
        self._program = program
        try:
            program.attach("on_enter", "enter", (*_READS, *_WRITES))
            program.attach("leave_in", "exit", _READS)
            program.attach("leave_out", "exit", _WRITES)
            self.look_again()
        except BaseException:
            self._program = None
            program.close()
            raise

    def look_again(self) -> None:
        if self._program is not None:
            _look_for_calls(self._program, self._program.seed())

    def poll(self, timeout: float, /) -> Sequence[StdioEvent] | None:
        assert self._program is not None
        unmatched = self._unmatched
        timeout = min(timeout, self.due_s)
        over = self._program.over()
        if not self._program.wait(timeout):
            return unmatched.overdue(time.monotonic_ns()) if unmatched.waits else None if over else ()
        events = unmatched.settle(self._program.read())
        return unmatched.overdue(time.monotonic_ns()) + events if unmatched.waits else events

    @property
    def due_s(self) -> float:
        return HOLD_NS / 1e9 if self._unmatched.waits else math.inf

    def lost(self) -> Sequence[StdioEvent]:
        if self._program is None:
            return ()
        losses: list[StdioEvent] = [*self._program.lost()]
        if gone := self._unmatched.take_lost():
            size = sum(len(chunk.data) + chunk.lost for chunk in gone)
            note = "written to a socket that was not seen being accepted"
            losses.append(Loss(gone[0].origin, "stdio", reason=Reason.KERNEL_LOST, count=len(gone), size=size, note=note))
        return losses

    def close(self) -> Sequence[StdioEvent]:
        if self._program is None:
            return ()
        self._program.quiet()
        rest = self._unmatched.settle(self._program.rest())
        rest += self._unmatched.finish()
        rest += self.lost()
        program, self._program = self._program, None
        program.close()
        return rest

    # -- records -> events -----------------------------------------------------------------------------------------

    def _decode(self, view: memoryview, at: int, size: int) -> Seen | None:
        (
            time_ns, _, kind, pid, tid, uid, comm,
            inode, back, offset, seq, latency_ns, length, lost, fd, of_kind, direction, alone, _,
        ) = _RECORD.unpack_from(view, at)  # fmt: skip
        name = self._names[comm]
        if kind == _GONE:
            if pid not in self._pids:
                return None
            self._pids.remove(pid)
            return StdioClose(Origin(time_ns, pid, tid=tid, uid=uid, comm=name))
        source = Origin(
            time_ns, pid, tid=tid, uid=uid, comm=name, wall_ns=0, connection=None, direction="out" if direction else "in"
        )
        channel = Channel(_KINDS[int(of_kind)], inode)
        if kind == _CHUNK:
            self._pids.add(pid)
            body = at + _RECORD.size
            chunk = StdioChunk(
                source,
                channel,
                fd=fd,
                data=bytes(view[body : body + length]),
                offset=offset,
                seq=seq,
                lost=lost,
                latency_ns=latency_ns,
                unread=bool(lost) and length != self._last_part,
            )
            if alone and (not inode or not self._unmatched.knows(channel)) and channel.kind not in _WITHOUT_READER:
                return NoReader(chunk, 0 if inode else back)
            return Pair(chunk, back) if back and self._unmatched.wants_pairs else chunk
        if kind == _END:
            return StdioClose(source, channel, offset)
        return OwnChannel(channel) if kind == _SELF else None


def _switches(options: StdioOptions) -> list[str]:
    segments = -(-options.max_bytes // _SEGMENT)
    switches = [
        f"-DBUFFERS={_BUFFERS}",
        f"-DMOST={options.max_bytes}",
        f"-DSTEPS={2 * (segments + _BUFFERS) + 1}",
        f"-DCPUS={possible_cpus()}",
    ]
    if options.fds:
        switches.append("-DFDS=" + " ".join(f"ONLY({number})" for number in sorted(set(options.fds))))
    return [*switches, "-DTTY"] if options.tty else switches


def _look_for_calls(program: Program[Seen], pids: Iterable[int]) -> None:
    """Mark every thread that runs already: it may be in a call whose beginning the kernel's program did not see."""
    table = program.bpf["calls"]
    call = table.Leaf(form=_UNSEEN)
    for pid in pids:
        try:
            threads = os.listdir(f"/proc/{pid}/task")
        except OSError:
            continue  # it ended while we looked
        for thread in threads:
            with suppress(OSError):  # the table is full
                table.add(table.Key(int(thread)), call)
