"""A target and the binaries given with it -> the processes that the TLS source watches."""

from __future__ import annotations

import ctypes
import mmap
import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

from msgspec import Struct

from ...errors import CaptureError
from ..containers.contents import control_groups, members
from ..containers.references import Container, is_reference, resolve_reference
from ..kernel.program import Program
from ..target import Target, seeds
from .libraries import open_file
from .mapped import users_of

__all__ = ["Scope", "scope_of"]


class _NoProcess(Target, frozen=True):
    """A target that matches no process: the kernel's program watches only pids that are added to its table."""

    @property
    def everything(self) -> bool:
        return False


class Scope(Struct, frozen=True):
    """The processes of `target`, of `containers` and, with `by_file`, those that use one of `files`."""

    target: Target
    files: tuple[str, ...] = ()
    by_file: bool = False
    containers: tuple[Container, ...] = ()

    @property
    def switches(self) -> list[str]:
        """Definitions for bpf/tls.c."""
        return [*(["-DBY_FILE"] if self.by_file else []), *(["-DBY_GROUP"] if self.containers else [])]

    def watched(self) -> set[int]:
        """The pids that match now."""
        return {*seeds(self.target), *self._chosen()}

    def _chosen(self) -> set[int]:
        users = users_of(self.files) if self.by_file else set[int]()
        roots = users | {container.init_pid for container in self.containers}
        below = (seeds(Target(pid, children=self.target.children)) for pid in roots)
        return {*roots, *members(self.containers), *chain.from_iterable(below)}

    def choose(self, program: Program[Any]) -> None:
        """Have the kernel's program watch: first processes that start later, then those that run already."""
        for group in chain.from_iterable(control_groups(container) for container in self.containers):
            program.bpf[b"groups"][ctypes.c_uint64(group)] = ctypes.c_uint8(1)
        if self.by_file:
            for path in self.files:
                _show(program, path)
        program.seed()
        tracked, known = program.bpf[b"tracked"], set[int]()
        while new := self._chosen() - known:
            known |= new
            for pid in new:
                key = ctypes.c_uint32(pid)
                if key not in tracked:
                    tracked[key] = tracked.Leaf(0)
                if not Path(f"/proc/{pid}").exists():
                    with suppress(KeyError):
                        del tracked[key]


def scope_of(target: Target, binaries: Sequence[str]) -> Scope:
    """The scope that TlsOptions describe; see there."""
    files = tuple(os.path.abspath(path) for path in binaries if not is_reference(path))
    containers = tuple(resolve_reference(text) for text in binaries if is_reference(text))
    by_binaries = bool(binaries) and target.pid is None and target.session is None
    if by_binaries:
        target = _NoProcess(uid=target.uid, children=target.children, cgroup=target.cgroup)
    return Scope(target, files, by_binaries and bool(files), containers)


def _show(program: Program[Any], path: str) -> None:
    """
    Map the file, so that the kernel's program sees it as it will in other processes. stat(2) is no substitute: some file
    systems report a device number that is not the one in the kernel.
    """
    teacher, here = program.bpf[b"teacher"], ctypes.c_int(0)
    teacher[here] = ctypes.c_uint32(threading.get_native_id())
    try:
        with open_file(path) as file:
            mmap.mmap(file.fileno(), 1, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC).close()
    except OSError as error:
        raise CaptureError(f"{path} cannot be mapped as a program ({error.strerror}): it cannot be run") from error
    finally:
        teacher[here] = ctypes.c_uint32(0)
    if not len(program.bpf[b"chosen"]):
        raise CaptureError(
            f"the kernel did not see us map {path}: we run in a pid namespace; start this in that of the host (--pid=host)"
        )
