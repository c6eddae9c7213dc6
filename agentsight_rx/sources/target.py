"""Whom to watch: one meaning of pid, comm, session, uid and children for every source, decided in the kernel."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from ..errors import CaptureError

__all__ = ["Target", "seeds"]

_PROC = Path("/proc")
_COMM_MOST = 15  # characters that the kernel keeps of a name


class Target(Struct, frozen=True, omit_defaults=True):
    """
    A process is watched if it is `pid`, or its name is exactly one of `comms`, or its session is `session`, or, with
    `children`, one of its ancestors was. Nothing given: every process. `uid`, where given, must fit besides.
    """

    pid: int | None = None
    comms: tuple[str, ...] = ()
    session: int | None = None
    uid: int | None = None
    children: bool = True

    @property
    def everything(self) -> bool:
        return self.pid is None and not self.comms and self.session is None

    def flags(self) -> list[str]:
        """The switches of bpf/track.h."""
        flags = ["-DALL"] if self.everything else []
        if self.children:
            flags.append("-DTREE")
        if self.session is not None:
            flags.append(f"-DBY_SESSION={self.session}")
        if self.uid is not None:
            flags.append(f"-DBY_UID={self.uid}")
        return flags

    def check(self) -> None:
        """Raises CaptureError where the pid that was asked for is not there."""
        if self.pid is not None and not (_PROC / str(self.pid)).exists():
            raise CaptureError(f"there is no process {self.pid}; look up its number again, for example with: pgrep -a NAME")


def seeds(target: Target) -> Iterator[int]:
    """The pids that fit `target` now, parents before children, from one pass over /proc."""
    parents: dict[int, int] = {}
    roots: set[int] = set()
    for pid, comm, parent, session in _processes():
        parents[pid] = parent
        if target.everything or pid == target.pid or comm in _cut(target.comms) or session == target.session:
            roots.add(pid)
    for pid in sorted(parents):
        if pid in roots or (target.children and _descends(pid, roots, parents)):
            yield pid


def _cut(comms: tuple[str, ...]) -> set[str]:
    return {comm[:_COMM_MOST] for comm in comms}


def _descends(pid: int, roots: set[int], parents: dict[int, int]) -> bool:
    seen: set[int] = set()
    while pid in parents and pid not in seen:
        if pid in roots:
            return True
        seen.add(pid)
        pid = parents[pid]
    return False


def _processes() -> Iterator[tuple[int, str, int, int]]:
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "stat").read_text(errors="replace")
            except OSError:
                continue  # it ended while we looked
            # the name stands in parentheses and may contain any character, a ")" too
            opened, closed = text.index("("), text.rindex(")")
            fields = text[closed + 2 :].split()
            yield int(entry.name), text[opened + 1 : closed], int(fields[1]), int(fields[3])
