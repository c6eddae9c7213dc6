"""
System calls on files -> FileEvent: the paths that were opened, changed or removed, and the outcome.

Longer than 300 lines because the reader, its records, and the files that they are about are one idea.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence, Set
from struct import Struct as Layout
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from ..core.options import Options
from ..core.stream import Stream
from ..events import FileEvent, Loss, Origin, Tick
from ..events.loss import Reason
from .kernel.program import CALL_FIELDS, Program
from .kernel.reader import FoldingReader, Repeats, lexical_path, text_of, walked_path
from .kernel.shared_ring import GATHER_LONG_S, RingSize
from .names import Names
from .running_agents.on_demand import captured
from .target import Target

_FIELDS = (*CALL_FIELDS, "file.f_mode", "inode.i_ino", "inode.i_generation", "inode.i_sb", "super_block.s_dev")

_BY_NAME = (
    *("open", "creat", "openat", "openat2", "open_by_handle_at", "rename", "renameat", "renameat2", "link", "linkat"),
    *("unlink", "unlinkat", "rmdir", "mkdir", "mkdirat", "truncate", "ftruncate", "chdir", "fchdir"),
)
_BY_BYTES = (
    *("read", "pread64", "readv", "preadv", "preadv2", "write", "pwrite64", "writev", "pwritev", "pwritev2"),
    *("sendfile64", "copy_file_range", "splice"),
)
_BY_CLOSE = ("close", "dup2", "dup3")

# struct record_t of bpf/files.c up to its text, of which GONE has the head alone
_HEAD = Layout("<QQB3xIII16s")
_BODY = Layout("<32sQQiIIIIII4x")
_NAMED = ("open", "close", "rename", "unlink", "mkdir", "rmdir", "truncate", "chdir", "found", "gone", "link")
_ACTIONS = dict(enumerate(_NAMED, 1))
_GONE_KIND = 10
_TWO_NAMES = ("rename", "link")
_WALKED, _CUT, _SECOND_SHIFT = 1, 2, 2
_EXISTED = 16
_NO_FILE = bytes(32)
_INODE = Layout("<16xQI").unpack_from  # of struct file_t: the number of its inode, and its device

_SWEEP_S = 5.0  # after a loss: how often ended processes that are still in the tables are searched for


class KnownFile(NamedTuple):
    """A file, as the kernel knows it: `device` is a number of the kernel, as in /proc/self/mountinfo."""

    device: int
    inode: int
    path: str


class FileOptions(Options, frozen=True, omit_defaults=True):
    """What the file source watches. `ring_size` is in bytes, a power of two. `known` files are recognised under any name."""

    target: Target = Target()
    known: tuple[KnownFile, ...] = ()
    ring_size: RingSize = 8 << 20  # 0.4 s of 100,000 records a second


def files(options: FileOptions = FileOptions()) -> Stream[FileEvent | Loss | Tick]:  # noqa: B008 (frozen)
    """
    Files and directories that processes open, rename, remove, make, truncate or enter, and with `close` the bytes read from
    and written to an open file; each with its outcome. Nothing is read from /proc, and nothing is sampled.

    Opens are of regular files, directories and devices; bytes are of regular files. A `close` is reported where bytes were
    moved: when the process has no more descriptors for the file, when it ends, or when the trace ends; with the path that was
    opened. Memory mappings move no bytes. Of equal events of one process within 0.5 s there is the first, and one for the
    rest. Where every process is watched, this one is left out.
    """
    return captured("files", options, lambda: _FileReader(options))


class _FileReader(FoldingReader["Operation", FileEvent]):
    def __init__(self, options: FileOptions) -> None:
        self._options = options
        self.names = Names(options.target.comms)
        self._account = Account(self._take_bytes, options.known)
        super().__init__(self._account.repeats)
        self._swept = 0.0
        self._behind = False  # records were lost, perhaps of processes that ended

    def open(self) -> None:
        options = self._options
        program = self._program = Program(
            "files",
            options.target,
            ring_size=options.ring_size,
            gather_s=GATHER_LONG_S,
            decode=decode,
            fields=_FIELDS,
            switches=["-DCALLS", *(["-DALL"] if options.target.everything else [])],
            names=self.names,
        )
        program.attach("on_names", "exit", _BY_NAME)
        program.attach("on_bytes", "exit", _BY_BYTES)
        program.attach("on_close", "enter", _BY_CLOSE)
        program.seed()

    def _fold(self, records: Sequence[Operation], /) -> list[FileEvent]:
        return self._account.take(records)

    def lost(self) -> Sequence[FileEvent | Loss]:
        if self._program is None:
            return ()
        losses = self._program.lost()
        if losses:
            self._behind = True
        if not self._behind or time.monotonic() - self._swept < _SWEEP_S:
            return losses
        self._behind = False
        self._swept = time.monotonic()
        living = {int(process.start_ns) for process in self._program.bpf["tracked"].values()}
        return [*losses, *self._account.sweep(living), *self._unnamed(living)]

    def close(self) -> Sequence[FileEvent | Loss]:
        if self._program is None:
            return ()
        program = self._program
        rest: list[FileEvent | Loss] = [*self._account.take(program.rest()), *self._account.finish(time.monotonic_ns())]
        rest += [*self._unnamed(set()), *program.lost()]
        self._program = None
        program.close()
        return rest

    def _unnamed(self, living: Set[int]) -> list[Loss]:
        """The bytes of open files whose path is unknown, of processes that ended."""
        assert self._program is not None
        losses: list[Loss] = []
        for key in list(self._program.bpf["open_files"].keys()):
            if key.start_ns in living:
                continue
            size = sum(self._take_bytes(bytes(key)))
            if size:
                now, note = Origin(time.monotonic_ns(), 0), "the path of an open file was lost"
                losses.append(Loss(now, "files", Reason.KERNEL_LOST, 1, size=size, note=note))
        return losses

    def _take_bytes(self, file: bytes) -> tuple[int, int]:
        """(bytes read, bytes written) of an open file, which the kernel stops counting."""
        assert self._program is not None
        table = self._program.bpf["open_files"]
        key = table.Key.from_buffer_copy(file)
        try:
            found = table[key]
            del table[key]
        except KeyError:
            return 0, 0
        return int(found.read), int(found.written)


class Operation(msgspec.Struct, frozen=True, gc=False):
    """One record of ring `events`. `file` is the kernel's key of an open file, `names` the text of the record."""

    origin: Origin
    start_ns: int
    action: str  # of a FileEvent; or found: an open file whose open was not seen; or gone: the end of the process
    file: bytes = _NO_FILE
    read: int = 0
    written: int = 0
    error: int = 0
    flags: int = 0
    marks: int = 0
    sizes: tuple[int, int, int, int] = (0, 0, 0, 0)
    names: bytes = b""


def decode(view: memoryview, at: int, size: int) -> Operation | None:
    """One record of ring `events`."""
    time_ns, start_ns, kind, pid, tid, uid, comm = _HEAD.unpack_from(view, at)
    source = Origin(time_ns, pid, tid=tid, uid=uid, comm=text_of(comm.partition(b"\0")[0]))
    if kind == _GONE_KIND:
        return Operation(source, start_ns, "gone")
    file, read, written, error, flags, marks, *sizes = _BODY.unpack_from(view, at + _HEAD.size)
    names = bytes(view[at + _HEAD.size + _BODY.size : at + size])
    given, above, second_given, second_above = sizes
    return Operation(
        source,
        start_ns,
        action=_ACTIONS[kind],
        file=file,
        read=read,
        written=written,
        error=error,
        flags=flags,
        marks=marks,
        sizes=(given, above, second_given, second_above),
        names=names[: given + above + second_given + second_above],
    )


class Account:
    """
    Operations -> FileEvents: joins paths, keeps the open files, folds repeats.

    `take_bytes` gives, once, the bytes that the kernel counted for an open file whose close it could not see.
    """

    def __init__(self, take_bytes: Callable[[bytes], tuple[int, int]], known: Sequence[KnownFile] = ()) -> None:
        self._take_bytes = take_bytes
        self._known: dict[int, tuple[int, str]] = {}  # inode -> device and path
        self._inodes: dict[str, int] = {}  # the same by path
        for device, inode, path in known:
            self._know(path, inode, device)
        self.repeats: Repeats[FileEvent] = Repeats(_join)
        self._open: dict[tuple[int, int], dict[bytes, str]] = {}  # (pid, start) -> file -> path
        self._last: dict[tuple[int, int], Origin] = {}

    def take(self, operations: Sequence[Operation]) -> list[FileEvent]:
        return [event for operation in operations for event in self._take(operation)]

    def _take(self, operation: Operation) -> list[FileEvent]:
        process = operation.origin.pid, operation.start_ns
        if operation.action == "gone":
            return self._end(process, operation.origin)
        if operation.action == "close":
            path = self._open.get(process, {}).pop(operation.file, "")
            return self._closed(process, operation.origin, path=path, read=operation.read, written=operation.written)
        path, lexical = _path(operation, 0)
        if operation.file != _NO_FILE:
            self._open.setdefault(process, {})[operation.file] = path
            self._last[process] = operation.origin
        if operation.action == "found":
            return []
        event = FileEvent(
            operation.origin,
            operation.start_ns,
            operation.action,
            path,
            _path(operation, 1)[0] if operation.action in _TWO_NAMES else "",
            flags=operation.flags,
            error=operation.error,
            lexical=lexical,
            existed=bool(operation.marks & _EXISTED),
            known_as=self._name_of(operation, path) if self._known else "",
        )
        return self._add(event)

    def _know(self, path: str, inode: int, device: int) -> None:
        """A known path stands for this file from now on. A file that is gone loses its number to another one."""
        self._known.pop(self._inodes.pop(path, 0), None)
        if inode:
            self._known[inode], self._inodes[path] = (device, path), inode

    def _name_of(self, operation: Operation, path: str) -> str:
        """The other name under which the opened file is known. A layer above it (overlayfs) keeps its inode and its name."""
        inode, device = _INODE(operation.file)
        if path in self._inodes:
            if inode or (operation.action == "unlink" and not operation.error):
                self._know(path, inode, device)
            return ""
        known = self._known.get(inode)
        if known is None or (known[0] != device and known[1].rpartition("/")[2] != path.rpartition("/")[2]):
            return ""
        return known[1]

    def _closed(self, process: tuple[int, int], source: Origin, path: str, read: int, written: int) -> list[FileEvent]:
        if not read and not written:
            return []
        return self._add(FileEvent(source, process[1], "close", path, read_bytes=read, written_bytes=written))

    def _add(self, event: FileEvent) -> list[FileEvent]:
        process = event.origin.pid, event.start_ns
        key: Hashable = (
            event.action,
            event.path,
            event.target,
            event.flags,
            event.error,
            event.lexical,
            event.existed,
            event.known_as,
            event.origin.comm,
        )
        return self.repeats.add(process, key, event)

    def _end(self, process: tuple[int, int], source: Origin) -> list[FileEvent]:
        events: list[FileEvent] = []
        for file, path in self._open.pop(process, {}).items():
            events += self._closed(process, source, path, *self._take_bytes(file))
        self._last.pop(process, None)
        return [*events, *self.repeats.end(process)]

    def flush(self) -> list[FileEvent]:
        """The repeats that were held back."""
        return self.repeats.flush()

    def sweep(self, living: Set[int]) -> list[FileEvent]:
        """Close the files of processes whose end was not seen: processes that started at none of the times in `living`."""
        ended = [process for process in self._open if process[1] not in living]
        return [event for process in ended for event in self._end(process, self._last[process])]

    def finish(self, time_ns: int) -> list[FileEvent]:
        """Close everything that is still open, and flush the repeats."""
        processes = [(process, replace(self._last[process], time_ns=time_ns)) for process in self._open]
        events = [event for process, source in processes for event in self._end(process, source)]
        return [*events, *self.flush()]


def _join(first: FileEvent, second: FileEvent) -> FileEvent:
    return replace(
        second,
        count=first.count + second.count,
        read_bytes=first.read_bytes + second.read_bytes,
        written_bytes=first.written_bytes + second.written_bytes,
    )


def _path(operation: Operation, which: int) -> tuple[str, bool]:
    """The first or second path of a record, and whether it was joined from text."""
    given_size, above_size, second_given, second_above = operation.sizes
    start, marks = 0, operation.marks
    if which:
        start, marks = given_size + above_size, marks >> _SECOND_SHIFT
        given_size, above_size = second_given, second_above
    given = operation.names[start : start + given_size].partition(b"\0")[0]
    above = operation.names[start + given_size : start + given_size + above_size]
    directory = walked_path(above, cut=bool(marks & _CUT)) if marks & _WALKED else None
    if given_size or directory is None:
        return lexical_path(given, directory), True
    return directory, False
