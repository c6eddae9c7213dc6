"""C texts + a Target -> a loaded BPF program with its ring, its counts and the processes it watches."""

from __future__ import annotations

import contextlib
import ctypes
import time
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Generic, TypeVar

from ..errors import CaptureError, UsageError
from ..events import Loss, Origin
from ..loss import Reason
from .bcc_module import bcc
from .btf import defines
from .ring import Ring
from .shim import kernel_source
from .target import Target, seeds

__all__ = ["Program"]

E = TypeVar("E")

_TRACK_FIELDS = (
    "task_struct.pid",
    "task_struct.tgid",
    "task_struct.group_leader",
    "task_struct.start_boottime",
    "task_struct.signal",
    "task_struct.comm",
    "signal_struct.live",
    "signal_struct.pids",
    "pid.numbers",
)
_SEEN, _LOST, _UNTRACKED = 0, 1, 2
_PAGE = 4096
_SMALLEST_RING = 2 * _PAGE


class Program(Generic[E]):
    """One BPF object: `bpf/track.h` and one source's text, filtering by `target` in the kernel."""

    def __init__(
        self,
        stage: str,
        target: Target,
        *,
        ring: str,
        ring_size: int,
        decode: Callable[[memoryview, int, int], E | None],
        fields: Sequence[str] = (),
        switches: Sequence[str] = (),
    ) -> None:
        if ring_size < _SMALLEST_RING or ring_size & (ring_size - 1):
            raise UsageError(f"a ring of {ring_size} bytes: a power of two from {_SMALLEST_RING} on is needed")
        target.check()
        self._stage = stage
        self._target = target
        self._told = {_LOST: 0, _UNTRACKED: 0}
        texts = files("agentsight_rx.sources") / "bpf"
        flags = [*defines([*_TRACK_FIELDS, *fields]), *target.flags(), *switches, f"-DRING_PAGES={ring_size // _PAGE}"]
        text = (texts / "track.h").read_text() + (texts / f"{stage}.c").read_text()
        with kernel_source():
            try:
                self.bpf: Any = bcc().BPF(text=text.encode(), cflags=[*flags, "-Wno-everything"])
            except Exception as error:
                said = str(error)[:200]
                raise CaptureError(
                    f"the kernel did not take the {stage} program ({said}); `agentsight-rx doctor` shows what is missing"
                ) from error
        for comm in target.comms:
            key = self.bpf[b"comms"].Key()
            key.text = comm.encode()[:15]
            self.bpf[b"comms"][key] = ctypes.c_uint8(1)
        self._ring: Ring[E] = Ring(self.bpf[ring.encode()].map_fd, ring_size, decode)
        self._final: tuple[int, int, int] | None = None

    def seed(self) -> None:
        """Watch what fits already. Called once everything is attached; ends when a pass over /proc adds nothing."""
        table = self.bpf[b"tracked"]
        known: set[int] = set()
        while True:
            new = [pid for pid in seeds(self._target) if pid not in known]
            if not new:
                return
            for pid in new:
                known.add(pid)
                key = ctypes.c_uint32(pid)
                if key not in table:
                    table[key] = table.Leaf(0)
                if not Path(f"/proc/{pid}").exists():
                    with contextlib.suppress(KeyError):
                        del table[key]

    def wait(self, timeout: float) -> bool:
        return self._ring.wait(timeout)

    def read(self) -> list[E]:
        return self._ring.read()

    def counts(self) -> tuple[int, int, int]:
        """(records tried, records lost, processes or calls that did not fit in a table) since the start."""
        if self._final is not None:
            return self._final
        table = self.bpf[b"counts"]
        seen, lost, untracked = (table.sum(index).value for index in (_SEEN, _LOST, _UNTRACKED))
        return int(seen), int(lost), int(untracked)

    def lost(self) -> list[Loss]:
        """What the kernel could not hand over since the last call."""
        _, lost, untracked = self.counts()
        losses: list[Loss] = []
        for which, total, note in (
            (_LOST, lost, "the ring was full"),
            (_UNTRACKED, untracked, "a table in the kernel was full"),
        ):
            if total > self._told[which]:
                origin = Origin(time.monotonic_ns(), 0)
                losses.append(Loss(origin, self._stage, Reason.KERNEL_LOST, total - self._told[which], note=note))
                self._told[which] = total
        return losses

    def close(self) -> None:
        """Detach and free. The counts stay readable."""
        self._final = self.counts()
        self._ring.close()
        self.bpf.cleanup()
