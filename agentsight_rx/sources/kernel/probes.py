"""Functions of a file -> attached user probes: one uprobe_multi link for all where the kernel has them, else one by one."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from typing import Any

from ...errors import CaptureError
from .bcc import bcc

__all__ = ["Probes"]

_BPF = 321  # the system call's number on x86-64
_LINK_CREATE = 28
_TRACE_UPROBE_MULTI = 48
_ON_RETURN = 1


class _LinkCreate(ctypes.Structure):
    """union bpf_attr for BPF_LINK_CREATE with uprobe_multi (include/uapi/linux/bpf.h)."""

    _fields_ = (
        ("program", ctypes.c_uint32),
        ("target", ctypes.c_uint32),
        ("attach_type", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("path", ctypes.c_uint64),
        ("offsets", ctypes.c_uint64),
        ("ref_counters", ctypes.c_uint64),
        ("cookies", ctypes.c_uint64),
        ("count", ctypes.c_uint32),
        ("multi_flags", ctypes.c_uint32),
        ("pid", ctypes.c_uint32),
        ("pad", ctypes.c_uint32),
    )


class Probes:
    """The user probes of one BPF object. `multi=False` attaches them one by one, as on kernels before 6.6."""

    def __init__(self, bpf: Any, *, multi: bool = True) -> None:
        self._bpf = bpf
        self._links: list[int] = []
        self._multi = multi and self._load_multi()

    @property
    def multi(self) -> bool:
        return self._multi

    def _load_multi(self) -> bool:
        kind = bcc().BPF.KPROBE
        try:
            self._enter = self._bpf.load_func(b"on_enter", kind, None, _TRACE_UPROBE_MULTI)
            self._leave = self._bpf.load_func(b"on_leave", kind, None, _TRACE_UPROBE_MULTI)
        except Exception:
            return False
        return True

    def attach(self, path: str, functions: Sequence[tuple[int, int, bool]]) -> None:
        """Probe `path` at each (file offset, cookie, with return). Raises CaptureError where the kernel refuses."""
        if self._multi:
            returning = [(offset, cookie) for offset, cookie, returns in functions if returns]
            self._links.append(_link(self._enter.fd, path, [(offset, cookie) for offset, cookie, _ in functions], 0))
            if returning:
                self._links.append(_link(self._leave.fd, path, returning, _ON_RETURN))
            return
        for offset, cookie, returns in functions:
            number = cookie & 0xFF
            try:
                self._perf(path, offset, f"enter_{number}", "p")
                if returns:
                    self._perf(path, offset, f"leave_{number}", "r")
            except Exception as error:
                raise CaptureError(f"the kernel refused a probe in {path} at {offset:#x}: {error}") from error

    def _perf(self, path: str, offset: int, name: str, kind: str) -> None:
        function = self._bpf.load_func(name.encode(), bcc().BPF.KPROBE)
        event = f"{kind}_agentsight_{os.getpid()}_{name}_{offset:x}".encode()
        fd = bcc().lib.bpf_attach_uprobe(
            function.fd, 0 if kind == "p" else 1, event, path.encode(), ctypes.c_uint64(offset), -1, 0
        )
        if fd < 0:
            raise OSError(ctypes.get_errno(), "bpf_attach_uprobe failed")
        self._links.append(fd)

    def close(self) -> None:
        links, self._links = self._links, []
        for fd in links:
            os.close(fd)


def _link(program: int, path: str, sites: Sequence[tuple[int, int]], flags: int) -> int:
    count = len(sites)
    offsets = (ctypes.c_uint64 * count)(*[offset for offset, _ in sites])
    cookies = (ctypes.c_uint64 * count)(*[cookie for _, cookie in sites])
    name = ctypes.create_string_buffer(os.fsencode(path))
    attributes = _LinkCreate(
        program=program,
        attach_type=_TRACE_UPROBE_MULTI,
        path=ctypes.addressof(name),
        offsets=ctypes.addressof(offsets),
        cookies=ctypes.addressof(cookies),
        count=count,
        multi_flags=flags,
    )
    call = ctypes.CDLL(None, use_errno=True).syscall
    fd: int = call(_BPF, _LINK_CREATE, ctypes.byref(attributes), ctypes.sizeof(attributes))
    if fd < 0:
        number = ctypes.get_errno()
        raise CaptureError(f"the kernel refused the probes in {path}: {os.strerror(number)} (errno {number})")
    return fd
