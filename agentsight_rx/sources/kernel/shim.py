"""A tiny kernel header tree, enough for BCC to compile our programs without a kernel header package."""

from __future__ import annotations

import os
import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory


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

# The order of the registers in the kernel: arch/x86/include/asm/ptrace.h.
_REGISTERS = """\
#pragma once
struct pt_regs {
    unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss;
};
"""

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
    "asm/page.h": "#pragma once\n#define PAGE_SHIFT 12\n#define PAGE_SIZE (1UL << PAGE_SHIFT)\n",
}
