"""A target and the binaries given with it -> the processes that the TLS source watches."""

from __future__ import annotations

import ctypes
import mmap
import os
import threading
from collections.abc import Sequence, Set
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from ...core.errors import CaptureError
from ..containers.references import Container, is_reference, resolve_reference
from ..kernel.program import Program
from ..running_agents.roots import Roots
from ..target import Target, seeds
from .libraries import open_file
from .mapped import users_of

__all__ = ["Scope", "scope_of"]


class Scope(Struct, frozen=True):
    """The processes of `target` and, with `by_file`, the processes that use one of `files`."""

    target: Target
    files: tuple[str, ...] = ()
    by_file: bool = False

    @property
    def containers(self) -> tuple[Container, ...]:
        return self.target.containers

    @property
    def switches(self) -> list[str]:
        """Definitions for bpf/tls.c."""
        return ["-DBY_FILE"] if self.by_file else []

    def watched(self) -> set[int]:
        """The pids that match now."""
        return set(seeds(self.target, self._users()))

    def _users(self) -> Set[int]:
        return users_of(self.files) if self.by_file else frozenset()

    def choose(self, program: Program[Any]) -> None:
        """Have the kernel's program watch: first processes that start later, then running ones."""
        if self.by_file:
            for path in self.files:
                _show(program, path)
        program.seed(self._users)


def scope_of(target: Target, binaries: Sequence[str]) -> Scope:
    """The scope that TlsOptions describe; see there."""
    files = tuple(os.path.abspath(path) for path in binaries if not is_reference(path))
    known = {container.reference: container for container in target.containers}
    named = (known.get(text) or resolve_reference(text) for text in binaries if is_reference(text))
    containers = tuple(dict.fromkeys((*target.containers, *named)))
    by_file = bool(files) and target.pid is None and target.session is None and target.roots is None
    if by_file:
        target = Target(uid=target.uid, children=target.children, cgroup=target.cgroup, roots=Roots())  # none by itself
    return Scope(replace(target, containers=containers), files, by_file)


def _show(program: Program[Any], path: str) -> None:
    """
    Map the file, so that the kernel's program sees it as it will in other processes. stat(2) is no substitute: some file
    systems report a device number that is not the one in the kernel.
    """
    teacher, here = program.bpf["teacher"], ctypes.c_int(0)
    teacher[here] = ctypes.c_uint32(threading.get_native_id())
    try:
        with open_file(path) as file:
            mmap.mmap(file.fileno(), 1, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC).close()
    except OSError as error:
        raise CaptureError(f"{path} cannot be mapped as a program ({error.strerror}): it cannot be run") from error
    finally:
        teacher[here] = ctypes.c_uint32(0)
    if not len(program.bpf["chosen"]):
        raise CaptureError(
            f"the kernel did not report that we mapped {path}, so its users are not known; choose them by --pid or --comm"
        )
