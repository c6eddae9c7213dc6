"""
GATE DIRECTORY -> operations on files of every kind in DIRECTORY; prints what each was and how it ended.

A line is [pid, action, path, target, flags, errno, lexical, bytes read, bytes written], in the order in which they happened.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import mmap
import os
import sys
from collections.abc import Callable
from pathlib import Path

from agentsight_rx.sources.kernel.machine import MACHINE
from tests.live.gate import wait_for

REPEATS = 997
DEEPER_THAN_WE_LOOK = 140

_AT_FDCWD, _NO_REPLACE = -100, 1
_HAS_OLD = "creat" in MACHINE.calls  # machines that came later have openat(2) alone

_system_call = ctypes.CDLL(None, use_errno=True).syscall


class _How(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def main() -> None:
    gate, top = Path(sys.argv[1]), os.path.realpath(sys.argv[2])
    _prepare(top)
    wait_for(gate)
    for part in (
        by_name,
        failing,
        bytes_of_every_call,
        while_open,
        numbers,
        renames,
        directories,
        truncation,
        strange,
        chrooted,
    ):
        os.chdir("/")
        note("chdir", "/")
        part(top)
    _again_and_again(top)


def _prepare(top: str) -> None:
    os.makedirs(f"{top}/sub/below")
    for name, size in (("one", 100), ("sub/two", 200), ("sub/below/three", 300), ("many", 7)):
        Path(top, name).write_bytes(b"x" * size)
    os.symlink("one", f"{top}/link")
    os.symlink("sub/below", f"{top}/shortcut")
    os.symlink("loop", f"{top}/loop")
    os.mkfifo(f"{top}/fifo")
    Path(top, "name").write_bytes(f"{top}/one\0".encode())
    os.makedirs(f"{top}/root/inside")
    Path(top, "root/inside/file").write_bytes(b"x" * 13)


def note(
    action: str,
    path: str,
    target: str = "",
    *,
    flags: int = 0,
    error: int = 0,
    lexical: bool = False,
    read: int = 0,
    written: int = 0,
) -> None:
    print(json.dumps([os.getpid(), action, path, target, flags, error, lexical, read, written]), flush=True)


def opened(given: str | bytes, path: str, flags: int = os.O_RDONLY, *, dir_fd: int | None = None) -> int:
    """Open `path`, spelled `given`; returns -1 if that fails."""
    error, number = 0, -1
    try:
        number = os.open(given, flags, dir_fd=dir_fd)
    except OSError as failure:
        error = failure.errno or 0
    note("open", path, flags=flags | os.O_CLOEXEC, error=error, lexical=error > 0)
    return number


def closed(number: int, path: str, *, read: int = 0, written: int = 0) -> None:
    os.close(number)
    if read or written:
        note("close", path, read=read, written=written)


def tried(act: Callable[[], object], action: str, path: str, target: str = "") -> None:
    """Do something to a file by its name, and note whether it failed."""
    error = 0
    try:
        act()
    except OSError as failure:
        error = failure.errno or 0
    note(action, path, target, error=error, lexical=True)


def by_name(top: str) -> None:
    closed(opened(f"{top}/one", f"{top}/one"), f"{top}/one")
    os.chdir(f"{top}/sub")
    note("chdir", f"{top}/sub")
    closed(opened("two", f"{top}/sub/two"), f"{top}/sub/two")
    closed(opened("../sub/./below//three", f"{top}/sub/below/three"), f"{top}/sub/below/three")
    closed(opened("../link", f"{top}/one"), f"{top}/one")
    closed(opened("../shortcut/three", f"{top}/sub/below/three"), f"{top}/sub/below/three")
    closed(opened("../shortcut/../two", f"{top}/sub/two"), f"{top}/sub/two")
    directory = opened(f"{top}/sub/below", f"{top}/sub/below", os.O_RDONLY | os.O_DIRECTORY)
    closed(opened("three", f"{top}/sub/below/three", dir_fd=directory), f"{top}/sub/below/three")
    closed(opened("../two", f"{top}/sub/two", dir_fd=directory), f"{top}/sub/two")
    closed(directory, "")
    closed(opened("/dev/null", "/dev/null", os.O_RDWR), "/dev/null")
    number = opened("/proc/self/status", f"/proc/{os.getpid()}/status")
    size = len(os.read(number, 100))
    closed(number, f"/proc/{os.getpid()}/status", read=size)


def failing(top: str) -> None:
    opened(f"{top}/missing", f"{top}/missing")
    os.chdir(top)
    note("chdir", top)
    opened("missing", f"{top}/missing", os.O_WRONLY)
    opened("sub/../missing", f"{top}/missing")
    opened("one/child", f"{top}/one/child")
    opened("sub", f"{top}/sub", os.O_WRONLY)
    opened("one", f"{top}/one", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    opened("link", f"{top}/link", os.O_NOFOLLOW)
    opened("loop", f"{top}/loop")
    opened("", "")
    directory = opened("sub", f"{top}/sub")
    opened("missing", f"{top}/sub/missing", dir_fd=directory)
    closed(directory, "")
    opened("missing", "missing", dir_fd=directory)  # a closed descriptor: the directory is unknown
    os.chdir("/")
    note("chdir", "/")
    opened("missing-in-the-root", "/missing-in-the-root")


def bytes_of_every_call(top: str) -> None:
    path = f"{top}/written"
    number = opened(path, path, os.O_CREAT | os.O_RDWR)
    written = os.write(number, b"a" * 1009) + os.pwrite(number, b"b" * 11, 5)
    written += os.writev(number, [b"c" * 3, b"d" * 4]) + os.pwritev(number, [b"e" * 2, b"f"], 50)
    os.lseek(number, 0, os.SEEK_SET)
    read = len(os.read(number, 97)) + len(os.pread(number, 13, 1)) + os.readv(number, [bytearray(5), bytearray(6)])
    read += os.preadv(number, [bytearray(2), bytearray(3)], 0)
    os.read(number, 0)
    closed(number, path, read=read, written=written)

    source = opened(f"{top}/one", f"{top}/one")
    drain = opened(f"{top}/copy", f"{top}/copy", os.O_CREAT | os.O_WRONLY)
    assert os.sendfile(drain, source, 0, 60) == 60
    assert os.copy_file_range(source, drain, 40, 0) == 40
    reading, writing = os.pipe()
    assert os.splice(source, writing, 17, offset_src=0) == 17
    assert os.splice(reading, drain, 17) == 17
    closed(source, f"{top}/one", read=117)
    closed(drain, f"{top}/copy", written=117)
    os.write(writing, b"bytes in a pipe are no file event")
    os.read(reading, 100)
    os.close(reading)
    os.close(writing)
    os.close(os.open(f"{top}/fifo", os.O_RDWR))


def while_open(top: str) -> None:
    path = f"{top}/short-lived"
    number = opened(path, path, os.O_CREAT | os.O_WRONLY)
    os.write(number, b"12345")
    tried(lambda: os.unlink(path), "unlink", path)
    os.write(number, b"678")
    closed(number, path, written=8)
    for size in (910, 5):  # the second file may get the inode and the descriptor of the first
        number = opened(path, path, os.O_CREAT | os.O_WRONLY)
        os.write(number, b"x" * size)
        closed(number, path, written=size)
        tried(lambda: os.unlink(path), "unlink", path)
    two = [opened(f"{top}/sub/two", f"{top}/sub/two") for _ in range(2)]
    os.read(two[0], 3)
    os.read(two[1], 20)
    closed(two[0], f"{top}/sub/two", read=3)
    closed(two[1], f"{top}/sub/two", read=20)


def numbers(top: str) -> None:
    path, other = f"{top}/dup", f"{top}/other"
    number = opened(path, path, os.O_CREAT | os.O_WRONLY)
    again, high = os.dup(number), os.dup2(number, 200)
    os.write(number, b"1")
    os.close(number)
    os.write(again, b"22")
    os.close(again)
    os.write(high, b"333")
    closed(high, path, written=6)

    first = opened(path, path, os.O_WRONLY)
    second = opened(other, other, os.O_CREAT | os.O_WRONLY)
    os.write(first, b"4444")
    os.dup2(second, first)
    note("close", path, written=4)
    os.write(first, b"55555")
    os.close(first)
    os.write(second, b"6")
    closed(second, other, written=6)

    number = opened(path, path, os.O_WRONLY)
    os.write(number, b"xxx")
    child = os.fork()
    if child == 0:  # exits with the file open
        os.write(number, b"xxxxx")
        note("close", path, written=5)
        os._exit(0)
    os.waitpid(child, 0)
    child = os.fork()
    if child == 0:  # closes the file, which its parent still has open
        os.write(number, b"xxxxxxx")
        closed(number, path, written=7)
        os._exit(0)
    os.waitpid(child, 0)
    closed(number, path, written=3)

    number = opened(path, path, os.O_WRONLY)
    child = os.posix_spawn("/bin/sh", ["sh", "-c", "echo 12345"], {}, file_actions=[(os.POSIX_SPAWN_DUP2, number, 1)])
    os.waitpid(child, 0)
    print(json.dumps([child, "close", path, "", 0, 0, False, 0, 6]), flush=True)
    closed(number, path)


def renames(top: str) -> None:
    os.chdir(top)
    note("chdir", top)
    for name in ("a", "b"):
        closed(opened(name, f"{top}/{name}", os.O_CREAT | os.O_WRONLY), "")
    tried(lambda: os.rename("a", "b"), "rename", f"{top}/a", f"{top}/b")
    tried(lambda: os.rename("a", f"{top}/c"), "rename", f"{top}/a", f"{top}/c")
    sub = opened("sub", f"{top}/sub")
    tried(lambda: os.rename("b", "moved", dst_dir_fd=sub), "rename", f"{top}/b", f"{top}/sub/moved")
    tried(lambda: os.rename("moved", "again", src_dir_fd=sub, dst_dir_fd=sub), "rename", f"{top}/sub/moved", f"{top}/sub/again")
    arguments = (_AT_FDCWD, b"one", sub, b"two", _NO_REPLACE)
    tried(lambda: _call("renameat2", *arguments), "rename", f"{top}/one", f"{top}/sub/two")
    tried(lambda: os.unlink("again", dir_fd=sub), "unlink", f"{top}/sub/again")
    tried(lambda: os.unlink("again", dir_fd=sub), "unlink", f"{top}/sub/again")
    tried(lambda: os.unlink("shortcut/../nothing"), "unlink", f"{top}/nothing")
    closed(sub, "")


def directories(top: str) -> None:
    os.chdir(top)
    note("chdir", top)
    tried(lambda: os.mkdir("new"), "mkdir", f"{top}/new")
    tried(lambda: os.mkdir("new"), "mkdir", f"{top}/new")
    number = opened("new", f"{top}/new")
    tried(lambda: os.mkdir("inner", dir_fd=number), "mkdir", f"{top}/new/inner")
    tried(lambda: os.rmdir("new"), "rmdir", f"{top}/new")
    tried(lambda: os.rmdir("inner", dir_fd=number), "rmdir", f"{top}/new/inner")
    os.fchdir(number)
    note("chdir", f"{top}/new")
    tried(lambda: os.chdir("../nowhere"), "chdir", f"{top}/nowhere")
    closed(number, "")
    os.chdir("../shortcut")
    note("chdir", f"{top}/sub/below")
    tried(lambda: os.rmdir("../../new"), "rmdir", f"{top}/new")
    number = opened("three", f"{top}/sub/below/three")
    with contextlib.suppress(NotADirectoryError):
        os.fchdir(number)
    note("chdir", f"{top}/sub/below/three", error=20)
    closed(number, "")


def truncation(top: str) -> None:
    number = opened(f"{top}/cut", f"{top}/cut", os.O_CREAT | os.O_WRONLY)
    os.ftruncate(number, 10)
    note("truncate", f"{top}/cut")
    closed(number, "")
    tried(lambda: os.truncate(f"{top}/cut", 5), "truncate", f"{top}/cut")
    tried(lambda: os.truncate(f"{top}/missing", 5), "truncate", f"{top}/missing")


def strange(top: str) -> None:
    how = _How(os.O_RDONLY)
    number = _call("openat2", _AT_FDCWD, f"{top}/one".encode(), ctypes.byref(how), ctypes.sizeof(how))
    note("open", f"{top}/one")
    closed(number, "")
    name, flags = f"{top}/created".encode(), os.O_CREAT | os.O_WRONLY | os.O_TRUNC
    number = _call("creat", name, 0o600) if _HAS_OLD else _call("openat", _AT_FDCWD, name, flags, 0o600)
    note("open", f"{top}/created", flags=flags)
    closed(number, "")
    with Path(top, "name").open("rb") as file:
        note("open", f"{top}/name", flags=os.O_CLOEXEC)
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) as untouched:  # the page with the name is not in memory yet
            address = ctypes.addressof(ctypes.c_char.from_buffer(untouched))
            place = ctypes.c_void_p(address), os.O_RDONLY, 0
            number = _call("open", *place) if _HAS_OLD else _call("openat", _AT_FDCWD, *place)
            note("open", f"{top}/one")
            closed(number, "")
    name = b"n\xff" + "ä".encode() + b'"\n'
    closed(opened(os.fsencode(top) + b"/" + name, f'{top}/n\\xffä"\n', os.O_CREAT | os.O_WRONLY), "")
    long = "l" * 255
    closed(opened(f"{top}/{long}", f"{top}/{long}", os.O_CREAT | os.O_WRONLY), "")
    os.chdir(top)
    note("chdir", top)
    for depth in range(DEEPER_THAN_WE_LOOK):
        os.mkdir("d")
        path = f"{top}/{'d/' * depth}d" if depth < 100 else "…"
        note("mkdir", path, lexical=True)
        os.chdir("d")
        note("chdir", path)


def chrooted(top: str) -> None:
    child = os.fork()
    if child == 0:
        os.chroot(f"{top}/root")
        os.chdir("/inside")
        note("chdir", "/inside")
        number = opened("../inside/file", "/inside/file")
        os.read(number, 100)
        closed(number, "/inside/file", read=13)
        opened("/one", "/one")
        opened("../../../../missing", "/missing")
        os._exit(0)
    os.waitpid(child, 0)


def _again_and_again(top: str) -> None:
    path = f"{top}/many"
    for _ in range(REPEATS):
        number = os.open(path, os.O_RDONLY)
        os.read(number, 100)
        os.close(number)
        with contextlib.suppress(FileNotFoundError):
            os.open(f"{path}-missing", os.O_RDONLY)
    for _ in range(REPEATS):
        note("open", path, flags=os.O_CLOEXEC)
        note("close", path, read=7)
        note("open", f"{path}-missing", flags=os.O_CLOEXEC, error=2, lexical=True)


def _call(name: str, *arguments: object) -> int:
    result: int = _system_call(MACHINE.calls[name], *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), "")
    return result


if __name__ == "__main__":
    main()
