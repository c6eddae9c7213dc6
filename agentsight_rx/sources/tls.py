"""User probes in OpenSSL -> TlsChunk, TlsHandshake, TlsClose: the plaintext that tracked processes read and wrote."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from struct import Struct as Layout

import msgspec

from ..errors import CaptureError
from ..events import Connection, Loss, Origin, TlsChunk, TlsClose, TlsEvent, TlsHandshake, time_of
from ..loss import Reason
from ..stream import Stream, origin
from .libraries import FUNCTIONS, FileId, Library, executables_of, inspect, system_libraries
from .probes import Probes
from .program import Program
from .target import Target, seeds

__all__ = ["TlsOptions", "tls"]

# struct chunk_t of bpf/tls.c, up to its data
_RECORD = Layout("<QQIIII16sQQQQIIII")
_CHUNK, _HANDSHAKE, _CLOSE, _GONE, _STARTED = 1, 2, 3, 4, 5

_NO_RETURN = frozenset({"SSL_free"})


class TlsOptions(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    What the TLS source watches. Besides the system's libssl and what the target has mapped it looks into `binaries`, which
    must have TLS, and `candidates`, which may.

    `ring_size` is in bytes, a power of two; `multi=False` attaches as kernels before 6.6 need it.
    """

    target: Target = Target()
    binaries: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()
    handshakes: bool = False
    ring_size: int = 32 << 20  # 0.3 s of 100 MB/s: how long a reader may be held up
    multi: bool = True


def tls(options: TlsOptions = TlsOptions()) -> Stream[TlsEvent]:  # noqa: B008 (frozen)
    """Plaintext as SSL_read and SSL_write hand it over, in order per connection and direction, holes marked."""
    return origin("tls", lambda: TlsReader(options), time_of=time_of, live=True, options=str(options))


class TlsReader:
    """A Reader. `say` is told, in one sentence each, which libraries are probed and why one is not."""

    def __init__(self, options: TlsOptions, say: Callable[[str], None] | None = None) -> None:
        self._options = options
        self._say = say or _say
        self._program: Program[TlsEvent] | None = None
        self._probes: Probes | None = None
        self._libraries: list[Library] = []
        self._known: set[FileId] = set()
        self._looked_at: set[FileId] = set()
        self._open: dict[tuple[int, int], Connection] = {}
        self._more: list[TlsEvent] = []
        self._started: list[int] = []
        self._comms: dict[bytes, str] = {}

    def open(self) -> None:
        options = self._options
        self._load(multi=options.multi)
        for path in (*system_libraries(), *options.candidates, *options.binaries):
            self._look_into(str(path), wanted=str(path) in options.binaries)
        if not options.target.everything:
            for path in executables_of(seeds(options.target)):
                self._look_into(path)
        if not self._libraries:
            self._say("no OpenSSL library found yet; programs that bring their own are looked at when they start")
        assert self._program is not None
        self._program.seed()

    def _load(self, *, multi: bool) -> None:
        program: Program[TlsEvent] = Program(
            "tls",
            self._options.target,
            ring="chunks",
            ring_size=self._options.ring_size,
            decode=self._decode,
            switches=["-DMULTI"] if multi else [],
        )
        probes = Probes(program.bpf, multi=multi)
        if multi and not probes.multi:  # a kernel before 6.6
            program.close()
            self._load(multi=False)
            return
        self._program, self._probes = program, probes

    def _look_into(self, path: str, *, wanted: bool = False) -> None:
        try:
            stat = Path(path).stat()
            identity = (stat.st_dev, stat.st_ino, stat.st_mtime_ns)
            if identity in self._looked_at:
                return
            self._looked_at.add(identity)
            library = inspect(path)
        except (CaptureError, OSError) as error:
            if wanted:
                raise CaptureError(str(error)) from error
            return
        if library is None:
            if wanted:
                raise CaptureError(f"{path} has no SSL_read and SSL_write that could be probed: its TLS cannot be read")
            return
        if library.id not in self._known:
            self._attach(library)

    def _attach(self, library: Library) -> None:
        assert self._probes is not None
        number = len(self._libraries)
        self._probes.attach(
            library.path,
            [
                (offset, number << 8 | FUNCTIONS[name], name not in _NO_RETURN)
                for name, offset in library.offsets.items()
                if name != "SSL_do_handshake" or self._options.handshakes
            ],
        )
        self._known.add(library.id)
        self._libraries.append(library)
        self._say(f"reading TLS in {library.path}")

    def poll(self, timeout: float, /) -> Sequence[TlsEvent] | None:
        assert self._program is not None
        if not self._program.wait(timeout):
            return ()
        return self._with_more(self._program.read())

    def _with_more(self, events: list[TlsEvent]) -> list[TlsEvent]:
        """What a record meant besides itself: closed connections of a process that ended, programs to look into."""
        if self._started:
            started, self._started = self._started, []
            for path in executables_of(started):
                self._look_into(path)
        if self._more:
            events += self._more
            self._more = []
        return events

    def lost(self) -> Sequence[TlsEvent]:
        return self._program.lost() if self._program else ()

    def close(self) -> Sequence[TlsEvent]:
        if self._program is None:
            return ()
        program, self._program = self._program, None
        if self._probes is not None:
            self._probes.close()
        rest = self._with_more(program.read())
        rest += program.lost()
        program.close()
        return rest

    def _decode(self, view: memoryview, at: int, size: int) -> TlsEvent | None:
        (
            time_ns, start_ns, kind, pid, tid, uid, comm,
            ssl, offset, seq, latency_ns, length, lost, direction, number,
        ) = _RECORD.unpack_from(view, at)  # fmt: skip
        name = self._comms.get(comm)
        if name is None:
            if len(self._comms) > 1024:
                self._comms.clear()
            name = self._comms[comm] = comm.partition(b"\0")[0].decode(errors="replace")
        if kind == _STARTED:
            self._started.append(pid)
            return None
        if kind == _GONE:
            for key in [key for key in self._open if key[0] == pid]:
                gone = Origin(time_ns, pid, tid, uid, name, 0, self._open.pop(key))
                self._more.append(TlsClose(gone))
            return None
        connection = self._open.get((pid, ssl))
        if connection is None or connection.start_ns != start_ns:
            connection = self._open[pid, ssl] = Connection(pid, start_ns, self._libraries[int(number)].path, ssl)
        if kind == _CHUNK:
            source = Origin(time_ns, pid, tid, uid, name, 0, connection, "out" if direction else "in")
            body = at + _RECORD.size
            if lost:
                self._more.append(Loss(source, "tls", Reason.TRUNCATED, 1, lost, "a single TLS call carried more than 512 KiB"))
            return TlsChunk(source, bytes(view[body : body + length]), offset, seq, lost, latency_ns)
        source = Origin(time_ns, pid, tid, uid, name, 0, connection)
        if kind == _HANDSHAKE:
            return TlsHandshake(source, latency_ns)
        if kind == _CLOSE:
            del self._open[pid, ssl]
            return TlsClose(source, offset, latency_ns)
        return None


def _say(text: str) -> None:
    print(f"agentsight-rx: {text}", file=sys.stderr)
