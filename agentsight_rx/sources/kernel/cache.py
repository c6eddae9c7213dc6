"""
C files, fields and flags -> the compiled Image: kept under a key in a directory that only we can write, or compiled.

A file in there becomes code of the kernel. So the directory and each file must belong to the user that we run as, with no
rights for others (0700, 0600), and be what they seem: no links, the right length and hash, written for this key. Anything else
is not used, and made anew.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from threading import Lock

import msgspec
from msgspec import Struct, structs

from ...core.errors import CaptureError
from ...core.options import msgpack_decoder
from ..own_folder import own_folder
from .btf import defines, read_types
from .compiler import HEADERS, compiled, compiler_identity
from .features import allocates_entries, has_may_goto, holds_cpu, preempts_programs
from .loaded import HOLD_CPU, RELEASE_CPU, Image

_FORMAT = 2  # of the files; count it up where the meaning of an Image changes
_MAGIC = b"agentsight-rx program\n"
_NAME = "programs"
_SUFFIX = ".program"
_ENTRIES_MOST = 64  # 0.2 MB each; a command needs seven
_SIZE_MOST = 8 << 20
_ONE_READER = Lock()  # sources open side by side: the types are 5 MB
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class _Kept(msgspec.Struct, frozen=True):
    key: str
    image: Image


_decode = msgpack_decoder(_Kept).decode  # each source is opened by a thread


def default_directory() -> Path | None:
    folder = own_folder()
    return None if folder is None else folder / _NAME


class Cache:
    """`directory` is made, 0700, when something is kept. Without one nothing is kept."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory

    def get(self, key: str) -> Image | None:
        """None: there is none, or it is not to be trusted."""
        try:
            place = self._open()
        except OSError:
            return None
        try:
            content = _read(place, key + _SUFFIX)
            kept = _decode(content)
            if kept.key != key:
                return None
            with suppress(OSError):
                os.utime(key + _SUFFIX, dir_fd=place)  # so that what is used stays
            return kept.image
        except (OSError, ValueError, msgspec.DecodeError):
            return None
        finally:
            os.close(place)

    def put(self, key: str, image: Image) -> bool:
        """False where it could not be kept; then it is compiled the next time, too."""
        content = msgspec.msgpack.encode(_Kept(key, image))
        try:
            place = self._open(make=True)
        except OSError:
            return False
        try:
            _write(place, key + _SUFFIX, _MAGIC + sha256(content).digest() + content)
            _make_room(place)
        except OSError:
            return False
        finally:
            os.close(place)
        return True

    def drop(self, key: str) -> None:
        with suppress(OSError):
            place = self._open()
            try:
                os.unlink(key + _SUFFIX, dir_fd=place)
            finally:
                os.close(place)

    def state(self) -> tuple[bool, str]:
        """(whether it is used, where it is and how much is in it, or why it is not used)."""
        if self._directory is None:
            return False, f"user {os.geteuid()} has no home directory: set XDG_CACHE_HOME"
        try:
            place = self._open()
        except FileNotFoundError:
            return True, f"{self._directory}, nothing in it yet"
        except OSError as error:
            return False, f"{self._directory} is not used: {error.strerror}"
        try:
            sizes = [os.stat(name, dir_fd=place, follow_symlinks=False).st_size for name in _names(place)]
        except OSError as error:
            return False, f"{self._directory} is not used: {error.strerror}"
        finally:
            os.close(place)
        count = f"{len(sizes)} program" + "s" * (len(sizes) != 1)
        return True, f"{self._directory}, {count}, {sum(sizes):,} bytes"

    def _open(self, *, make: bool = False) -> int:
        """A descriptor of the directory. Raises OSError where it is missing, or others could write to it."""
        directory = self._directory
        if directory is None:
            raise FileNotFoundError
        if make:
            with suppress(FileExistsError):
                directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                directory.mkdir(mode=0o700)
        parent = directory.parent.resolve()
        for above in (parent, *parent.parents):
            found = os.stat(above)
            if found.st_uid not in (0, os.geteuid()):
                raise PermissionError(0, f"{above} belongs to another user ({found.st_uid})")
            if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not found.st_mode & stat.S_ISVTX:
                raise PermissionError(0, f"others may write to {above}")
        place = os.open(parent / directory.name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            _refuse_foreign(os.fstat(place), "it")
        except BaseException:
            os.close(place)
            raise
        return place


def _refuse_foreign(found: os.stat_result, name: str) -> None:
    if found.st_uid != os.geteuid():
        raise PermissionError(0, f"{name} belongs to user {found.st_uid}, and we are user {os.geteuid()}")
    if found.st_mode & _OTHERS:
        raise PermissionError(0, f"{name} has mode {stat.S_IMODE(found.st_mode):04o}: other users have rights on it")


def _names(place: int) -> list[str]:
    return [name for name in os.listdir(place) if name.endswith(_SUFFIX)]


def _read(place: int, name: str) -> bytes:
    # O_NONBLOCK: a pipe of this name must not hold us
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=place)
    with open(fd, "rb") as file:
        found = os.fstat(fd)
        _refuse_foreign(found, name)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or found.st_size > _SIZE_MOST:
            raise ValueError(f"{name} is not a file of ours")
        whole = file.read(_SIZE_MOST + 1)
    begin = len(_MAGIC) + sha256().digest_size
    content = whole[begin:]
    if whole[:begin] != _MAGIC + sha256(content).digest():
        raise ValueError(f"{name} is cut or changed")
    return content


def _write(place: int, name: str, whole: bytes) -> None:
    """Under another name first: who reads at the same time sees all of it or nothing."""
    draft = f".{token_hex(8)}"
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=place)
    try:
        with open(fd, "wb") as file:
            os.fchmod(fd, 0o600)
            file.write(whole)
        os.rename(draft, name, src_dir_fd=place, dst_dir_fd=place)
    except BaseException:
        with suppress(OSError):
            os.unlink(draft, dir_fd=place)
        raise


def _make_room(place: int) -> None:
    """Delete the least recently used files."""
    used: list[tuple[float, str]] = []
    for name in _names(place):
        with suppress(FileNotFoundError):  # another capture makes room, too
            used.append((os.stat(name, dir_fd=place, follow_symlinks=False).st_mtime, name))
    for _, name in sorted(used)[:-_ENTRIES_MOST]:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=place)


def key_of(parts: Sequence[str | Sequence[str]]) -> str:
    """The name under which what depends on `parts` is kept."""
    return sha256(msgspec.msgpack.encode((_FORMAT, parts))).hexdigest()


def kernel_identity() -> tuple[str, ...]:
    """
    The running kernel: its release, its build and its types, which say where the fields of its structs are. Raises Unavailable
    where these cannot be read.
    """
    name = os.uname()
    with _ONE_READER:
        return name.machine, name.release, name.version, _hash_of_types()


@cache
def _hash_of_types() -> str:
    return sha256(read_types()).hexdigest()


# -- prepared ------------------------------------------------------------------------------------------------------
# Which C files, fields and flags -> the compiled Image, from the cache or from BCC.


_MAY_GOTO, _HOLDS_CPU = "-DMAY_GOTO", "-DHOLDS_CPU"  # of bpf/track.h

# Where programs may be preempted: as many threads would have to be preempted on a CPU, each in another run of a program
RUNS = 5
_TEXTS = Path(__file__).parent.parent / "bpf"


class Source(Struct, frozen=True):
    """`files` of sources/bpf, in order; `fields` whose offsets in structs of the kernel they need; further `flags`."""

    files: tuple[str, ...]
    fields: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Of the file that has the programs; those in front of it are what it includes."""
        return next(name for name in self.files if name.endswith(".c"))

    @property
    def text(self) -> str:
        return "".join((_TEXTS / name).read_text() for name in self.files)


def prepared(source: Source, cache: Cache | None = None) -> tuple[Image, Callable[[], Image | None] | None]:
    """
    The Image, and how to get another one where the kernel refuses it: only if it came from the cache, or has an instruction
    that older programs do without. Raises Unavailable where BCC does not compile it, or this kernel lacks a field; CaptureError
    without BCC.
    """
    kept = cache or Cache(default_directory())
    if has_may_goto():
        try:
            image, _ = _prepared(structs.replace(source, flags=(*source.flags, _MAY_GOTO)), kept)
        except CaptureError:  # a compiler that does not take it
            return _prepared(source, kept)
        return image, lambda: _prepared(source, kept)[0]
    return _prepared(source, kept)


def _prepared(source: Source, kept: Cache) -> tuple[Image, Callable[[], Image | None] | None]:
    text = source.text
    headers = [part for header in HEADERS.items() for part in header]
    key = key_of([text, source.fields, source.flags, kernel_identity(), compiler_identity(), headers])

    def anew() -> Image:
        functions, runs = holds_cpu(), RUNS if preempts_programs() else 1
        switches = [*([_HOLDS_CPU] if functions else []), *([f"-DRUNS={runs}"] if runs > 1 else [])]
        image = compiled(text, [*defines(source.fields), *switches, *source.flags], of=source.name)
        if functions:
            image = image.calling(dict(zip((HOLD_CPU, RELEASE_CPU), functions, strict=True)))
        if allocates_entries():
            image = image.growing()
        image = structs.replace(image, runs=runs)
        kept.put(key, image)
        return image

    found = kept.get(key)
    return (anew(), None) if found is None else (found, anew)
