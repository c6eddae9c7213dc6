"""
What differs between the machines that captures run on: numbers of system calls, registers, addresses, formats of programs.

Each is in one table, of which `header` makes the macros that sources/bpf uses. Sources: the kernel's `asm/unistd_64.h` and
`asm/ptrace.h` of each machine, the System V ABI supplements, and Go's ABIInternal.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from msgspec import Struct

_NO_CALL = 0x10000  # from here on: numbers of calls that a machine does not have, and no thread makes


class GoCode(Struct, frozen=True):
    """
    What Go's compiler makes of a program: the `unit` in which its tables count code, in bytes, the name of the function that
    is run first, and what stands before a function, in the last bytes of the word there: under `mask` one of `before`.
    """

    unit: int
    entry: bytes
    mask: int
    before: frozenset[int]


class Machine(Struct, frozen=True):
    """
    `name` as uname(2) has it. `calls`: system calls as their tracepoints are named, with their numbers. `arguments`: where the
    six arguments of a system call are in struct pt_regs until the call has ended, which has these `registers`. `keeps_order`:
    other processors see the stores of one, and it does its loads, in the order of the program. `returns_place`: a function
    returns the address of a large result; else only its caller says it, at its begin.
    """

    name: str
    elf: int  # e_machine of its programs
    keeps_order: bool
    returns_place: bool
    has_cheap_places: bool  # whether tls.stacks knows where probes cost less than at the begin of a function
    go: GoCode
    folder: str  # of its libraries in /usr/lib, as Debian names it
    registers: str  # members of struct pt_regs, in C
    arguments: tuple[str, ...]
    macros: Mapping[str, str | int]
    calls: Mapping[str, int]

    @property
    def header(self) -> str:
        """The macros of this machine: NR_openat, ARGUMENT_1 and the like."""
        numbers = {f"NR_{name}": self.calls.get(name, _NO_CALL + at) for at, name in enumerate(_CALLS)}
        places = {f"ARGUMENT_{at}": place for at, place in enumerate(self.arguments, 1)}
        macros = {**numbers, **places, "RETURNS_PLACE": int(self.returns_place), **self.macros}
        return "#pragma once\n" + "".join(f"#define {name} {value}\n" for name, value in macros.items())


_X86_64 = Machine(
    name="x86_64",
    elf=62,
    keeps_order=True,
    returns_place=True,
    has_cheap_places=True,
    go=GoCode(1, b"_rt0_amd64_linux", 0xFF000000, frozenset({0xCC000000})),  # int3
    folder="x86_64-linux-gnu",
    registers="unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss;",
    arguments=("di", "si", "dx", "r10", "r8", "r9"),
    macros={
        "ADDRESS_BITS": 47,
        "ADDRESS(pointer)": "(pointer)",
        "RETURN_ADDRESS": 8,  # bytes of the stack that a call takes for it
        # Arguments of a function from the seventh on, at its begin
        "FURTHER_ARGUMENTS(ctx, sp, into)": "bpf_probe_read_user(into, sizeof(into), (void *)(sp) + 8)",
        "RESULT_PLACE(ctx)": "((ctx)->ax)",  # where a large result of a function is, at its return
        "GO_ARGUMENT_1(ctx)": "((ctx)->ax)",
        "GO_ARGUMENT_2(ctx)": "((ctx)->bx)",
        "GO_RESULT(ctx)": "((ctx)->ax)",
        "GO_ROUTINE(ctx)": "((ctx)->r14)",
    },
    calls={
        "read": 0,
        "write": 1,
        "open": 2,
        "close": 3,
        "pread64": 17,
        "pwrite64": 18,
        "readv": 19,
        "writev": 20,
        "dup2": 33,
        "sendfile64": 40,
        "connect": 42,
        "accept": 43,
        "sendto": 44,
        "recvfrom": 45,
        "sendmsg": 46,
        "recvmsg": 47,
        "bind": 49,
        "listen": 50,
        "truncate": 76,
        "ftruncate": 77,
        "chdir": 80,
        "fchdir": 81,
        "rename": 82,
        "mkdir": 83,
        "rmdir": 84,
        "creat": 85,
        "link": 86,
        "unlink": 87,
        "ptrace": 101,
        "openat": 257,
        "mkdirat": 258,
        "unlinkat": 263,
        "renameat": 264,
        "linkat": 265,
        "splice": 275,
        "accept4": 288,
        "dup3": 292,
        "preadv": 295,
        "pwritev": 296,
        "perf_event_open": 298,
        "recvmmsg": 299,
        "open_by_handle_at": 304,
        "sendmmsg": 307,
        "renameat2": 316,
        "bpf": 321,
        "copy_file_range": 326,
        "preadv2": 327,
        "pwritev2": 328,
        "openat2": 437,
    },
)
_CALLS = tuple(_X86_64.calls)  # it has all of them

_ARM64 = Machine(
    name="aarch64",
    elf=183,
    keeps_order=False,
    returns_place=False,
    has_cheap_places=False,
    go=GoCode(4, b"_rt0_arm64_linux", 0xFC000000, frozenset({0, 0x14000000, 0xD4000000})),  # zeros; b; ret and br
    folder="aarch64-linux-gnu",
    registers="unsigned long regs[31], sp, pc, pstate, orig_x0; int syscallno; unsigned int pmr;",
    arguments=("orig_x0", "regs[1]", "regs[2]", "regs[3]", "regs[4]", "regs[5]"),  # the result takes the place of the first one
    macros={
        "ADDRESS_BITS": 48,
        "ADDRESS(pointer)": "((pointer) & ~0UL >> 8)",  # its first byte may be a tag (arch/arm64/tagged-pointers of the kernel)
        "RETURN_ADDRESS": 0,  # it is in a register
        "FURTHER_ARGUMENTS(ctx, sp, into)": (
            "({ (into)[0] = (ctx)->regs[6]; (into)[1] = (ctx)->regs[7];"
            " bpf_probe_read_user((into) + 2, sizeof(into) - 16, (void *)(sp)); })"
        ),
        "RESULT_PLACE(ctx)": "((ctx)->regs[8])",  # where a large result of a function is to be, at its begin alone
        "GO_ARGUMENT_1(ctx)": "((ctx)->regs[0])",
        "GO_ARGUMENT_2(ctx)": "((ctx)->regs[1])",
        "GO_RESULT(ctx)": "((ctx)->regs[0])",
        "GO_ROUTINE(ctx)": "((ctx)->regs[28])",
    },
    calls={
        "dup3": 24,
        "mkdirat": 34,
        "unlinkat": 35,
        "linkat": 37,
        "renameat": 38,
        "truncate": 45,
        "ftruncate": 46,
        "chdir": 49,
        "fchdir": 50,
        "openat": 56,
        "close": 57,
        "read": 63,
        "write": 64,
        "readv": 65,
        "writev": 66,
        "pread64": 67,
        "pwrite64": 68,
        "preadv": 69,
        "pwritev": 70,
        "sendfile64": 71,
        "splice": 76,
        "ptrace": 117,
        "bind": 200,
        "listen": 201,
        "accept": 202,
        "connect": 203,
        "sendto": 206,
        "recvfrom": 207,
        "sendmsg": 211,
        "recvmsg": 212,
        "perf_event_open": 241,
        "accept4": 242,
        "recvmmsg": 243,
        "open_by_handle_at": 265,
        "sendmmsg": 269,
        "renameat2": 276,
        "bpf": 280,
        "copy_file_range": 285,
        "preadv2": 286,
        "pwritev2": 287,
        "openat2": 437,
    },
)

MACHINES = {each.name: each for each in (_X86_64, _ARM64)}
MACHINE = MACHINES.get(os.uname().machine, _X86_64)  # another one is refused by `features`
PAGE = os.sysconf("SC_PAGE_SIZE")  # bytes: some machines have kernels with pages of several sizes
_BY_ELF = {each.elf: each.name for each in MACHINES.values()} | {
    3: "i386", 8: "mips", 20: "powerpc", 21: "ppc64", 22: "s390x", 40: "arm", 243: "riscv64", 258: "loongarch64",
}  # fmt: skip


def machine_of(head: bytes, /) -> str:
    """The machine of a program, as uname(2) has it, by the first 20 bytes of its file (elf(5)); "" if that is no ELF file."""
    if len(head) < 20 or head[:4] != b"\x7fELF":
        return ""
    number = int.from_bytes(head[18:20], "big" if head[5] == 2 else "little")
    return _BY_ELF.get(number, f"machine {number} of elf(5)")
