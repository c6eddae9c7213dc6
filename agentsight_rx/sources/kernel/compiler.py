"""C text and flags -> an Image, compiled by BCC in a process of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from glob import glob
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Condition

import msgspec

from ...core.errors import CaptureError, Unavailable
from ...core.options import json_decoder
from .loaded import Function, Image, Map
from .machine import MACHINE, PAGE

# -- headers -------------------------------------------------------------------------------------------------------
# A tiny kernel header tree, enough for BCC to compile our programs without a kernel header package.


@contextmanager
def shim_tree() -> Generator[Path, None, None]:
    """
    A private directory (0700) with the headers that BCC itself includes, and none of any kernel's internals.

    So no program can compile against the layout of another kernel: offsets come from BTF, arguments of tracepoints from
    tracefs, the rest from helpers.
    """
    with TemporaryDirectory(prefix="agentsight-rx-headers-") as name:
        tree = Path(name)
        for header, text in HEADERS.items():
            file = tree / "include" / header
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text or _version(os.uname().release))
        yield tree


def _version(release: str) -> str:
    """linux/version.h of the running kernel; like the kernel itself, it caps the last number at 255."""
    major, minor, patch = (int(number) for number in (*re.findall(r"\d+", release.split("-")[0]), 0, 0, 0)[:3])
    return f"""\
#pragma once
#define KERNEL_VERSION(a, b, c) (((a) << 16) + ((b) << 8) + (c))
#define LINUX_VERSION_CODE KERNEL_VERSION({major}, {minor}, {min(patch, 255)})
"""


# The names are from <linux/types.h>; the sizes are those of 64 bits. Types in the format files of tracefs must be here, or no
# program can use the tracepoint. Structs and unions need not be: the format files have only pointers to them.
_TYPES = """\
#pragma once
typedef signed char __s8, s8, int8_t;
typedef unsigned char __u8, u8, uint8_t, u_char, unchar;
typedef short __s16, s16, int16_t;
typedef unsigned short __u16, u16, uint16_t, u_short, ushort, __le16, __be16, __sum16, umode_t, sa_family_t;
typedef int __s32, s32, int32_t, pid_t, tid_t, key_t, clockid_t, timer_t, mqd_t, key_serial_t, rwf_t, qid_t;
typedef unsigned int __u32, u32, uint32_t, u_int, uint, __le32, __be32, __wsum, uid_t, gid_t, dev_t, gfp_t, fmode_t;
typedef long ssize_t, off_t, ptrdiff_t, intptr_t, time_t, clock_t, __kernel_old_time_t;
typedef unsigned long size_t, ino_t, uintptr_t, aio_context_t, u_long, ulong, nlink_t, vm_flags_t;
typedef long long __s64, s64, int64_t, loff_t, time64_t, ktime_t;
typedef unsigned long long __u64, u64, uint64_t, __le64, __be64, sector_t, blkcnt_t, dma_addr_t, phys_addr_t;
typedef __u64 __attribute__((aligned(8))) __aligned_u64, __aligned_be64, __aligned_le64;
typedef _Bool bool;
typedef void *fl_owner_t, *cap_user_header_t, *cap_user_data_t;
typedef struct sigset sigset_t;
typedef struct siginfo siginfo_t;
typedef struct sigaltstack stack_t;
typedef struct fd_set fd_set;
#define true 1
#define false 0
#define NULL ((void *)0)
#define offsetof(type, member) __builtin_offsetof(type, member)
#define __always_inline inline __attribute__((always_inline))
#define __user
#define __rcu
#define __force
#define __bitwise
#define TASK_COMM_LEN 16
"""

_REGISTERS = f"#pragma once\nstruct pt_regs {{ {MACHINE.registers} }};\n"

_NOTHING = "#pragma once\n"
_OF_THIS_KERNEL = ""

# The headers that BCC 0.31 itself includes: kconfig.h always first, then its own bpf.h and helpers.h with the rest.
HEADERS = {
    "linux/kconfig.h": "#pragma once\n#define CONFIG_BPF_SYSCALL 1\n",
    "linux/types.h": _TYPES,
    "linux/version.h": _OF_THIS_KERNEL,
    "linux/bpf_common.h": _NOTHING,
    "linux/log2.h": _NOTHING,
    "linux/sched.h": _NOTHING,
    "linux/fs.h": _NOTHING,
    "linux/ptrace.h": _REGISTERS,
    "uapi/linux/ptrace.h": "#include <linux/ptrace.h>\n",
    "uapi/linux/bpf.h": _NOTHING,  # BCC includes its own before
    "uapi/linux/if_packet.h": _NOTHING,
    "uapi/linux/if_ether.h": _NOTHING,
    "asm/machine.h": MACHINE.header,
    "asm/page.h": f"#pragma once\n#define PAGE_SIZE {PAGE}UL\n",  # by which BCC makes a ring
}


# ------------------------------------------------------------------------------------------------------------------------


# -- workers -------------------------------------------------------------------------------------------------------
# Requests to compile -> a few processes of `clang.py`, each used again while others wait: a start takes 0.2 s.


# Without the packages of this environment. It leaves no compiled files in the system's folders, and a newer Python than the
# system's has warnings about the package `bcc` there.
_PYTHON = (sys.executable, "-I", "-S", "-B", "-W", "ignore")
_PROGRAM = Path(__file__).with_name("clang.py")
_MOST = min(4, os.cpu_count() or 1)  # at once; each takes 100 MB


class Worker:
    """
    One process. It reads the headers of `shim_tree`. BCC and LLVM in the directory `libraries` come before the system's, and
    the package `bcc` in the directory `packages` comes instead of the system's.
    """

    def __init__(self, libraries: str = "", packages: str = "") -> None:
        found_first = {"LD_LIBRARY_PATH": libraries} if libraries else {}
        self.ended = False
        self._said = 0  # bytes that it wrote to standard error so far
        with ExitStack() as stack:
            tree = stack.enter_context(shim_tree())
            self._words = stack.enter_context((tree / "messages").open("w+b"))
            self._process = stack.enter_context(
                subprocess.Popen(
                    [*_PYTHON, str(_PROGRAM), *([packages] if packages else [])],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=self._words,
                    env={**os.environ, **found_first, "BCC_KERNEL_SOURCE": str(tree)},
                )
            )
            self._open = stack.pop_all()

    def ask(self, text: str, flags: list[str]) -> tuple[bytes, str]:
        """What it answers, empty where it ended, and what it wrote to standard error since the answer before."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        begin = self._said
        answer = b""
        with suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps({"text": text, "flags": flags}).encode() + b"\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        if not answer:
            self.ended = True
            self._process.wait()
            with suppress(BrokenPipeError):  # of text that it did not read
                self._process.stdin.close()
        self._said = os.fstat(self._words.fileno()).st_size
        return answer, os.pread(self._words.fileno(), self._said - begin, begin).decode(errors="replace")

    def close(self) -> None:
        """It ends at the end of its input."""
        self._open.close()


class Workers:
    """At most `most` at once. None is left where no one waits for it. The longest text is next, so that none is left alone."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._change = Condition()
        self._running = 0
        self._waiting: list[int] = []  # the sizes of their texts
        self._idle: list[Worker] = []

    @property
    def waiting(self) -> int:
        """How many wait for one."""
        return len(self._waiting)

    @contextmanager
    def one(self, size: int = 0) -> Generator[Worker]:
        """
        Waits until one is free or may be started for a text of this `size`. After an exception or its end it is not used again.
        """

        def is_next() -> bool:
            return size == max(self._waiting) and bool(self._idle or self._running < self._most)

        with self._change:
            self._waiting.append(size)
            try:
                self._change.wait_for(is_next)
            finally:
                self._waiting.remove(size)
            self._change.notify_all()  # another one may be free for the next of them
            free = self._idle.pop() if self._idle else None
            self._running += free is None
        reusable = False
        try:
            free = free or Worker()
            yield free
            reusable = True
        finally:
            with self._change:
                if reusable and self.waiting > len(self._idle) and free is not None and not free.ended:
                    self._idle.append(free)
                    free = None
                else:
                    self._running -= 1
                self._change.notify_all()
            if free is not None:
                free.close()


WORKERS = Workers(_MOST)


# ------------------------------------------------------------------------------------------------------------------------


REMEDY = "install BCC: apt-get install python3-bpfcc (the package bcc on PyPI is another project)"

_LIBRARIES = ("/usr/lib/*/libbcc.so.0", "/usr/lib/libbcc.so.0", "/usr/lib64/libbcc.so.0", "/usr/local/lib*/libbcc.so.0")
_NO_START = "bcc: "  # so begins the last sentence of `clang.py` where it cannot use the package
_QUIET = "-Wno-everything"
# At each call of a function with these names BCC asks whether the kernel has it, which it has since Linux 5.5, and sorts all
# symbols of the kernel anew: half of the time of a compilation. Under other names the code is the same
_RENAMED = tuple(f"-D{name}=our_{name}" for name in ("bpf_probe_read_user", "bpf_probe_read_user_str"))
_WORDS_MOST = 300


class _Compiled(msgspec.Struct, frozen=True):
    """What `clang.py` writes."""

    maps: tuple[Map, ...]
    functions: tuple[_Function, ...]


class _Function(msgspec.Struct, frozen=True):
    name: str
    code: str
    uses: tuple[tuple[int, int], ...]


_decode = json_decoder(_Compiled).decode  # each source is opened by a thread


def compiled(text: str, flags: list[str], *, of: str = "a program", by: Worker | None = None) -> Image:
    """
    `by` is asked, or else one of the processes that all share. Raises Unavailable, with what the text is `of` and the first
    error of clang, and CaptureError with what to do where BCC is missing.
    """
    try:
        with WORKERS.one(len(text)) if by is None else nullcontext(by) as worker:
            answer, words = worker.ask(text, [*flags, *_RENAMED, _QUIET])
    except OSError as error:
        raise CaptureError(f"BCC cannot be started: {error}") from error
    if not answer and words.startswith(_NO_START):
        raise CaptureError(f"BCC does not start ({words.removeprefix(_NO_START).strip()[:_WORDS_MOST]}); {REMEDY}")
    if answer.strip() in (b"", b"null"):
        raise Unavailable(f"BCC did not compile {of}: {_reason(words)}")
    found = _decode(answer)
    return Image(found.maps, tuple(Function(each.name, bytes.fromhex(each.code), each.uses) for each in found.functions))


def _reason(words: str) -> str:
    lines = words.splitlines()
    errors = [line for line in lines if "error:" in line]
    return (*errors, *lines[-1:], "it ended without a message")[0][:_WORDS_MOST]


def compiler_identity() -> list[str]:
    """Which BCC is installed, without loading it."""
    found: list[str] = []
    for path in sorted({os.path.realpath(each) for pattern in _LIBRARIES for each in glob(pattern)}):
        stat = os.stat(path)
        found.append(f"{path} {stat.st_size} {stat.st_mtime_ns}")
    return found
