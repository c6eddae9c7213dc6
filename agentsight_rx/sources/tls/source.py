"""
User probes in OpenSSL -> TlsChunk, TlsHandshake, TlsClose: the plaintext that tracked processes read and wrote.

Longer than 300 lines because what is held until its connection is known goes through the same hands.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack

import msgspec

from ...core.errors import CaptureError
from ...core.messages import detail, say
from ...core.options import Options
from ...core.stream import Stream
from ...events import Loss, TlsEvent
from ..containers.contents import inside, libraries_in, members
from ..containers.references import Container
from ..hold import held
from ..kernel.features import takes_links
from ..kernel.probes import Probes
from ..kernel.program import CALL_FIELDS, Program
from ..kernel.reader import ProgramReader
from ..kernel.shared_ring import RingSize, gather_of_content
from ..kernel.syscall import possible_cpus
from ..names import Names
from ..net import ENDS_FIELDS, MOVED_FIELDS
from ..proc import is_copy
from ..running_agents.on_demand import captured
from ..target import Target
from .attacher import Attacher
from .candidates import mapped_files
from .finder import Finder
from .libraries import Library, Probed, looks_like, open_file, system_libraries, unreadable
from .records import Records, UsedFile
from .scope import Scope, scope_of
from .stacks.finding import Placement
from .traffic import asker

# -- holding -------------------------------------------------------------------------------------------------------
# New files that a command uses -> the command is held while the large ones are searched for TLS code.


_HELD_S = 10.0  # of the processor that a search may use while a command is held, and of standing still
_LARGE = 256 << 10  # bytes; no file with a TLS implementation is smaller


class Holding:
    """`group` is the directory of the command's control group; None: nothing is held. `say` gets a sentence."""

    def __init__(self, group: str | None, finder: Finder, say: Callable[[str], None]) -> None:
        self._group = group
        self._finder = finder
        self._say = say
        self._held = ExitStack()
        self._until_s = 0.0  # what the search may have used by then; 0.0: nothing is held
        self._moved = 0.0, 0.0  # what it had used, and since when it has not used more

    def begin(self, used: Mapping[int, set[UsedFile]]) -> None:
        """Hold the group where one of these files, by process, may have TLS code and was not searched yet."""
        large = any(file.size >= _LARGE for files in used.values() for file in files)
        if self._group and large and any(not self._finder.knows(each.place) for each in mapped_files(used)):
            self._held.enter_context(held(self._group))
            worked_s = self._finder.worked_s
            self._until_s, self._moved = worked_s + _HELD_S, (worked_s, time.monotonic())

    def end_in_time(self) -> None:
        """
        Let the group go on once nothing is searched any more, or where the search takes too long. On a busy machine it gets
        little of the processor, as the group would: what counts is what it used.
        """
        if not self._finder.searching:
            self._until_s = 0.0
            self._held.close()
            return
        if not self._until_s:
            return
        worked_s, now_s = self._finder.worked_s, time.monotonic()
        if worked_s > self._moved[0]:
            self._moved = worked_s, now_s
        if worked_s > self._until_s or now_s - self._moved[1] > _HELD_S:
            how = "takes" if worked_s > self._until_s else "stands still for"
            self._until_s = 0.0
            self._held.close()
            self._say(f"a search for TLS code {how} longer than {_HELD_S:g} s: traffic is not read meanwhile")

    def close(self) -> None:
        self._held.close()


# ------------------------------------------------------------------------------------------------------------------------


_SEARCHING_S = 0.002  # how long to wait for records while a file is searched
_LOOK_S = 0.25  # how often to look for what no record of the kernel shows
_FIRST_RING = 16 << 20  # bytes, until a watched process has a library with TLS

_FIELDS = (
    *CALL_FIELDS,
    "linux_binprm.file",
    "inode.i_ino",
    "inode.i_size",
    "inode.i_generation",
    "inode.i_sb",
    "super_block.s_dev",
    "file.private_data",
    "socket.sk",
    "sock.sk_protocol",
    *ENDS_FIELDS,
    *MOVED_FIELDS,
    "sock_common.skc_portpair",
    "sock_common.skc_state",
)


class TlsOptions(Options, frozen=True, omit_defaults=True):
    """
    What the TLS source watches. It probes the system's libssl, files that the target has mapped, `binaries`, which must have
    TLS, and `candidates`, which may. A binary is a file or a container, as docker://NAME[/PATH] (see containers/).

    Where the target has neither a pid nor a session, files choose the processes, which run or map one of them, and with
    `children` their descendants. Then `comms` does not count. The processes of containers are watched besides, as the processes
    of `target.containers`.

    `group` is the directory of a control group that has the target: while a large file that is new is searched, it is held.
    `placement` is where the probes of a function are: "cheap" where the kernel emulates the instruction and reading the code
    proves that the same calls are seen, "entry" where the function begins.

    `ring_size` is in bytes, a power of two, 0 for one by the memory that is free; `multi=False` attaches as kernels without
    uprobe_multi links need it.
    """

    target: Target = Target()
    binaries: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()
    handshakes: bool = False
    group: str = ""
    placement: Placement = "cheap"
    ring_size: RingSize = 0
    multi: bool = True


def tls(options: TlsOptions = TlsOptions()) -> Stream[TlsEvent]:  # noqa: B008 (frozen)
    """Plaintext of SSL_read and SSL_write, in order per connection and direction, with gaps marked."""
    return captured("tls", options, lambda: TlsReader(options, note=detail))


class TlsReader(ProgramReader[TlsEvent]):
    """A Reader. `say` gets a sentence for each library that cannot be probed, `note` (else `say` too) for each that is."""

    shares = "contents"  # not with facts: its thread looks into files and attaches probes, which may take tenths of a second

    def __init__(
        self, options: TlsOptions, say: Callable[[str], None] = say, note: Callable[[str], None] | None = None
    ) -> None:
        self._options = options
        self._say = say
        self._note = note or say
        self._scope = Scope(options.target)
        self.names = Names()
        self._attacher: Attacher | None = None
        self._together: list[str] | None = None  # libraries that are named in one message
        self._finder = Finder(self._attach, self._say)
        self._holding = Holding(options.group, self._finder, self._say)
        self._look_s = 0.0  # when to look next
        self._records = Records(handshakes=options.handshakes, seems=self._finder.seems)

    @property
    def probed(self) -> Sequence[Probed]:
        """The probed libraries so far."""
        return [each for each in self._records.connections.probed if each.probes is not None]

    def open(self) -> None:
        self._scope = scope_of(self._options.target, self._options.binaries)
        self.names = Names(self._scope.target.comms)
        try:
            self._load()
            self._look_around()
        except BaseException:
            self.close()
            raise

    def _look_around(self) -> None:
        self._scope = scope = msgspec.structs.replace(self._scope, files=self._look_into_named(self._scope.files))
        if self._options.target.comms and scope.target.comms == ():
            self._say(
                "a name of processes does not count for TLS where a file is given: the processes that use the file are watched"
            )
        for container in scope.containers:
            self._look_into_container(container)
        self._look_into_system()
        for path in self._options.candidates:
            self._finder.attempt(path)
        self.look_again()
        if not self._records.connections.probed:  # also of those that the kernel refused: that was said
            self._say("no OpenSSL library found yet; programs with one of their own are inspected when they start")

    def look_again(self) -> None:
        assert self._program is not None
        self._look_at(self._scope.watched())
        self._scope.choose(self._program)
        self._look_at(self._scope.watched())  # files that they mapped meanwhile

    def _load(self) -> None:
        multi = takes_links(wanted=self._options.multi)
        program: Program[TlsEvent] = Program(
            "tls",
            self._scope.target,
            ring_size=self._options.ring_size,
            first_ring=_FIRST_RING,
            gather_s=gather_of_content(self._options.ring_size),
            decode=self._records.decode,
            fields=_FIELDS,
            switches=["-DCALLS", f"-DCPUS={possible_cpus()}", *self._scope.switches],
            headers=("ends.h", "moved.h"),
            parts=("tls_aead.c", "tls_sockets.c", "tls_go.c", "tls_ring.c"),
            names=self.names,
            by_file=self._scope.by_file,
        )
        probes = Probes(program.bpf, multi=multi)
        self._program = program
        self._attacher = Attacher(program, probes, self._records, self._say, placement=self._options.placement)
        probes.follow("next_programs", "on_more")
        program.attach_for_all("on_mapped", "syscalls:sys_exit_mmap")  # it also answers questions of ours
        self._records.traffic.ask = asker(program.bpf)

    # -- which files -----------------------------------------------------------------------------------------------

    def _look_into_system(self) -> None:
        self._together = []
        for path in system_libraries():
            self._finder.attempt(str(path))
        together, self._together = self._together, None
        if together:
            self._note(f"watching TLS in {', '.join(together)}")

    def _look_into_named(self, paths: Sequence[str]) -> tuple[str, ...]:
        """The paths that are probed now. A failure is reported; CaptureError where all of them fail."""
        probed: list[str] = []
        refusals: list[str] = []
        for path in paths:
            try:
                with open_file(path) as file:
                    if not self._finder.look_into(file, path):
                        raise CaptureError(unreadable(path))
                probed.append(path)
            except CaptureError as error:
                refusals.append(str(error))
        if refusals and not probed:
            raise CaptureError("; ".join(refusals))
        for refusal in refusals:
            self._say(refusal)
        return tuple(probed)

    def _look_into_container(self, container: Container) -> None:
        path = str(inside(container, container.path)) if container.path else ""
        name = path or f"container {container.id[:12]}"
        self._say(f"{container.reference} is {name} ({container.runtime}, process {container.init_pid} here)")
        if path:
            self._look_into_named((path,))
            return
        found = [self._finder.attempt(str(library)) for library in libraries_in(container)]
        found += self._look_at(members([container]))
        if not any(found):
            seems = looks_like(f"/proc/{container.init_pid}/exe")
            what = f"its first program looks like {seems}" if seems else "name a file in it: docker://NAME/PATH"
            raise CaptureError(f"{container.reference}: it has no TLS library that could be probed; {what}")

    def _look_at(self, pids: Iterable[int]) -> list[bool | None]:
        """Inspect the files that these processes have mapped as code; returns for each whether it is probed."""
        files = list(mapped_files(pids))
        found = [self._finder.attempt(mapped.place, mapped) for mapped in files]
        users = {mapped.pid for probed, mapped in zip(found, files, strict=True) if probed}
        if self._program is not None and not all(map(is_copy, users)):
            self._program.expect_much()
        return found

    def _look_at_use(self, program: Program[TlsEvent], pid: int, files: set[UsedFile]) -> None:
        """Inspect files that this process uses and that are new; the kernel's program does not report them again."""
        places = {(file.device, file.inode) for file in files}
        if mapped := list(mapped_files((pid,))):
            self._records.traffic.code.maps(pid, mapped)
        used = [one for one in mapped if (one.device, one.inode) in places]
        found = used or mapped  # none is used: an older kernel, where overlayfs has other numbers in the maps of a process
        seen = {(one.device, one.inode) for one in found if self._finder.begin(one.place, one)}
        if any(self._finder.probes(one.place) for one in found):
            program.expect_much()
        seen -= self._finder.refused_places  # so that each process that uses one is known by it
        known = program.bpf["known"]
        for file in files:
            if (file.device, file.inode) in seen:
                known[known.Key(*file)] = known.Leaf(1)

    def _attach(self, library: Library, place: str) -> None:
        assert self._attacher is not None
        probed = self._attacher.attach(library, place)
        if not probed:
            return
        if self._together is not None:
            self._together.append(library.path)  # of the system: whether a watched process uses it is not known
            return
        if self._program is not None:
            self._program.expect_much()
        found = [f"{finding.stack}, by {finding.method}" for finding in probed if not finding.exact]
        self._note(f"watching TLS in {library.path}" + (f" ({'; '.join(found)})" if found else ""))

    # -- records of the kernel --------------------------------------------------------------------------------------

    def poll(self, timeout: float, /) -> Sequence[TlsEvent] | None:
        assert self._program is not None
        assert self._attacher is not None
        over = self._program.over()
        looked: list[TlsEvent] = []
        if (now_s := time.monotonic()) >= self._look_s:
            self._look_s = now_s + _LOOK_S
            looked = [*self._records.look(), *self._attacher.revive(), *self._attacher.take_losses()]
        if self._finder.searching:
            self._finder.take()
            self._holding.end_in_time()
        if not self._program.wait(min(timeout, self.due_s)):
            return looked or (None if over else ())
        events = [*looked, *self._program.read()]
        if self._records.learnt:
            self._attacher.settle()
        if self._records.connections.wrong:
            self._attacher.drop_wrong()
        if used := self._records.new_files():
            self._holding.begin(used)
            for pid, files in used.items():
                self._look_at_use(self._program, pid, files)
            self._holding.end_in_time()
        return events

    @property
    def due_s(self) -> float:
        return _SEARCHING_S if self._finder.searching else math.inf

    def close(self) -> Sequence[TlsEvent]:
        if self._program is None:
            return ()
        program, self._program = self._program, None
        self._holding.close()
        self._finder.close()
        refused: list[Loss] = []
        if self._attacher is not None:
            refused = self._attacher.take_losses()
            self._attacher.close()
        rest: list[TlsEvent] = [
            *refused,
            *program.rest(),
            *self._records.connections.uses(),
            *self._records.traffic.look(at_end=True),
            *program.read(),  # of connections that ended meanwhile
        ]
        rest += program.lost()
        program.close()
        return rest
