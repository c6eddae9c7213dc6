"""bytes -> files that other programs wrote: /proc, the state of container runtimes, scripts, libraries, the kernel's types."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from agentsight_rx.errors import CaptureError, UsageError
from agentsight_rx.sources.containers.control_groups import container_of
from agentsight_rx.sources.containers.references import Host, resolve_reference
from agentsight_rx.sources.kernel.btf import Btf
from agentsight_rx.sources.tls.commands import resolve
from agentsight_rx.sources.tls.libraries import inspect
from agentsight_rx.sources.tls.records import SHAPES
from property_tests.fuzz.choices import Input

__all__ = ["btf", "cgroup", "library", "reference", "script"]


def _written(directory: str, name: str, data: bytes, mode: int = 0o600) -> Path:
    path = Path(directory, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(mode)
    return path


_SOME_ID = "0123456789abcdef" * 4


def cgroup(data: bytes) -> None:
    """/proc/PID/cgroup is the payload up to its first blank line, status the rest."""
    groups, _, status = Input(data).payload.partition(b"\n\n")
    with TemporaryDirectory() as place:
        _written(place, "proc/7/cgroup", groups)
        _written(place, "proc/7/status", status)
        found = container_of(7, Path(place, "proc"))
    if found is not None:
        assert len(found.container_id) == 64
        assert found.container_id.encode() in groups


def reference(data: bytes) -> None:
    """A reference to a container is the payload up to its first blank line, the files of a runtime are the rest."""
    given = Input(data)
    text, _, kept = given.payload.partition(b"\n\n")
    with TemporaryDirectory() as place:
        _written(place, "proc/7/cgroup", b"0::/docker/" + _SOME_ID.encode())
        _written(place, "proc/7/status", b"NSpid:\t7\t1\n")
        _written(place, "proc/7/stat", b"7 (a) S 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 5 0 0\n")
        _written(place, f"var/lib/docker/containers/{_SOME_ID}/config.v2.json", kept)
        _written(place, "var/lib/containers/storage/overlay-containers/containers.json", kept)
        _written(place, f"run/runc/{_SOME_ID}/state.json", kept)
        try:
            found = resolve_reference(text.decode("utf-8", "surrogateescape"), Host(Path(place), tools=os.devnull))
        except (UsageError, CaptureError):
            return
    assert found.init_pid == 7


def script(data: bytes) -> None:
    """A script that is resolved to the program that runs it; after the first form feed, its package.json."""
    head, _, package = Input(data).payload.partition(b"\f")
    with TemporaryDirectory() as place:
        path = _written(place, "scripts/run", b"#!" + head, 0o700)
        _written(place, "scripts/package.json", package)
        _written(place, "scripts/node", b"\x7fELF", 0o700)
        try:
            found = resolve(str(path), env={"PATH": str(path.parent)})
        except (UsageError, CaptureError):
            return
    assert found.chain[0] == str(path)


_ELF_HEAD = b"\x7fELF\x02\x01\x01" + bytes(9)


def library(data: bytes) -> None:
    """An ELF file; the payload may omit its head."""
    given = Input(data)
    head = given.pick((_ELF_HEAD, b""))
    with TemporaryDirectory() as place:
        path = _written(place, "lib.so", head + given.payload + b"SSL_write")
        try:
            found = inspect(path)
        except CaptureError:
            return
    assert found is None or {hook.shape for hook in found.hooks} <= SHAPES.keys()


_BTF_FIELDS = ("task_struct.pid", "task_struct.a.b", "file.f_inode", "a.b", "")


def btf(data: bytes) -> None:
    with TemporaryDirectory() as place:
        path = _written(place, "vmlinux", Input(data).payload)
        try:
            types = Btf(path)
            found = [types.offset(field) for field in _BTF_FIELDS]
        except CaptureError:
            return
    assert all(offset is None or offset >= 0 for offset in found)
