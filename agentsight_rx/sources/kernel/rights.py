"""The rights of this process, and a call that the kernel refused -> why it did, and what to do, in a sentence."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Literal

from msgspec import Struct

from ...core.messages import program

# What is asked of the kernel. The kernel checks each in another place, so each has its own rule.
Call = Literal["map", "program", "raw tracepoint", "tracepoint", "uprobe_multi link", "perf uprobe"]

# Bit numbers of include/uapi/linux/capability.h
_BITS = {"CAP_DAC_READ_SEARCH": 2, "CAP_SYS_PTRACE": 19, "CAP_SYS_ADMIN": 21, "CAP_PERFMON": 38, "CAP_BPF": 39}
_ADMIN = "CAP_SYS_ADMIN"
_IMPLIED_BY_ADMIN = frozenset({"CAP_PERFMON", "CAP_BPF"})  # capabilities(7)

# Sets of capabilities that are enough, by call. A perf uprobe asks for CAP_SYS_ADMIN since the fix of CVE-2025-38466.
NEEDED: dict[Call, tuple[str, ...]] = {
    "map": ("CAP_BPF",),
    "program": ("CAP_BPF", "CAP_PERFMON"),
    "raw tracepoint": ("CAP_BPF", "CAP_PERFMON"),
    "tracepoint": ("CAP_PERFMON",),
    "uprobe_multi link": ("CAP_BPF", "CAP_PERFMON"),
    "perf uprobe": (_ADMIN,),
}
_BY_BPF: frozenset[Call] = frozenset(
    {"map", "program", "raw tracepoint", "uprobe_multi link"}
)  # bpf(2), else perf_event_open(2)

_PARANOID_MOST = 2  # Debian's and Ubuntu's 3 and more leaves perf events to CAP_SYS_ADMIN
_REFUSED = (errno.EPERM, errno.EACCES)
_FILTERED = "2"  # `Seccomp:` of proc_pid_status(5): a filter is installed
_EVERY_UID = "0 0 4294967295"  # /proc/self/uid_map outside user namespaces

_ENOUGH = ("CAP_BPF", "CAP_PERFMON", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH")  # for every source, see docs/kernels.md

_AS_ROOT = "start it as root, or a container with --privileged"


class Rights(Struct, frozen=True, kw_only=True):
    """What decides whether the kernel takes a call: capabilities, and what restricts all processes alike."""

    uid: int
    capabilities: frozenset[str]
    paranoid: int  # kernel.perf_event_paranoid
    filtered: bool = False  # a seccomp filter is installed
    in_user_namespace: bool = False
    lockdown: str = "none"  # kernel_lockdown(7): none, integrity, confidentiality

    def lacking(self, call: Call) -> list[str]:
        """The capabilities that this call needs and this process does not have."""
        had = self.capabilities | (_IMPLIED_BY_ADMIN if _ADMIN in self.capabilities else frozenset[str]())
        return [name for name in NEEDED[call] if name not in had]

    @property
    def summary(self) -> str:
        """Who we are, for people."""
        named = [name for name in _BITS if name in self.capabilities]
        has = ", ".join(named) or "none of the capabilities that matter here"
        return f"user {self.uid} with {has}; perf_event_paranoid is {self.paranoid}"


def own_rights() -> Rights:
    """Of this thread, as they are now."""
    lines = Path("/proc/self/status").read_text().splitlines()
    status: dict[str, str] = {name: value for name, _, value in (line.partition(":") for line in lines)}
    effective = int(status["CapEff"], 16)
    return Rights(
        uid=os.geteuid(),
        capabilities=frozenset(name for name, bit in _BITS.items() if effective >> bit & 1),
        paranoid=int(_read("/proc/sys/kernel/perf_event_paranoid") or "2"),
        filtered=status.get("Seccomp", "").strip() == _FILTERED,
        in_user_namespace=" ".join(_read("/proc/self/uid_map").split()) != _EVERY_UID,
        lockdown=_read("/sys/kernel/security/lockdown").partition("[")[2].partition("]")[0] or "none",
    )


def enough(*, links: bool, paranoid: int) -> tuple[str, ...]:
    """
    The capabilities for every source. `links`: the kernel takes uprobe_multi links; else each probe is a perf event, and it may
    leave perf events to CAP_SYS_ADMIN (`paranoid`).
    """
    return _ENOUGH if links and paranoid <= _PARANOID_MOST else (*_ENOUGH, _ADMIN)


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def missing_rights(rights: Rights | None = None) -> str | None:
    """
    What to do where the capabilities for any program in the kernel are missing; None where they are there. `rights` are ours
    where none are given. In a user namespace they count for nothing, so there the refusal of the kernel says what to do.
    """
    own = rights or own_rights()
    lacking = own.lacking("program")
    if own.in_user_namespace or not lacking:
        return None
    return f"capturing needs root or these capabilities: {', '.join(_ENOUGH)}; {_lacking(lacking)}"


def _lacking(capabilities: list[str]) -> str:
    missing = " and ".join(capabilities)
    return f"{missing} {'is' if len(capabilities) == 1 else 'are'} missing: {_AS_ROOT}, or with {missing}"


def refusal(call: Call, error: OSError, rights: Rights | None = None) -> str:
    """
    `error` of a `call` that the kernel did not take, as "why; what to do". `rights` are ours where none are given. What an
    error that has nothing to do with rights means, its own text says: for a program that is the reason of the verifier.
    """
    reason = f"{error.strerror or error}"
    if error.errno is not None and f"errno {error.errno}" not in reason:
        reason = f"{reason}, errno {error.errno}"
    found = _why(call, error.errno or 0, rights or own_rights())
    return f"{reason}; {found}"


def _why(call: Call, number: int, rights: Rights) -> str:
    if number not in _REFUSED:
        return _OTHERWISE.get((call, number), f"`{program()} doctor` shows what this machine can do")
    if rights.in_user_namespace:
        return (
            "we are in a user namespace, whose root has no rights on the kernel: "
            "start it outside, or in a container that root started with --privileged"
        )
    lacking = rights.lacking(call)
    if (
        call == "tracepoint"
        and number == errno.EACCES
        and rights.paranoid > _PARANOID_MOST
        and _ADMIN not in rights.capabilities
    ):
        return (
            f"kernel.perf_event_paranoid is {rights.paranoid}: as root: sysctl kernel.perf_event_paranoid={_PARANOID_MOST}, "
            f"or start it with {_ADMIN} too"
        )
    if call == "perf uprobe" and lacking:
        return (
            f"{_ADMIN} is missing: only kernels with uprobe_multi links (Linux 6.6 and newer) take probes with less; {_AS_ROOT}"
        )
    if lacking:
        return _lacking(lacking)
    name = "bpf(2)" if call in _BY_BPF else "perf_event_open(2)"
    if rights.filtered:
        return f"a seccomp filter refuses {name}: start the container with --privileged or --security-opt seccomp=unconfined"
    if rights.lockdown == "confidentiality":
        return "kernel lockdown (confidentiality) lets no program read the kernel: boot with lockdown=integrity, or without"
    return f"we have the rights for {name}, so a security module or a container forbids it: its log, or dmesg, may name it"


# The kernel has one reference counter for a place: who comes with another one, or with none, is refused (uprobe_register)
_COUNTED = "another tool may have a probe with a reference counter (USDT) at the same place: end it, then start again"

# What else the kernel says, by call
_OTHERWISE: dict[tuple[Call, int], str] = {
    ("uprobe_multi link", errno.EINVAL): _COUNTED,
    ("perf uprobe", errno.EINVAL): _COUNTED,
    ("map", errno.EINVAL): "the kernel may be too old for it: Linux 5.15 or newer is needed",
    **{
        (
            call,
            errno.ENOSYS,
        ): "this kernel, or a seccomp filter, has no such system call: use a kernel with CONFIG_BPF_SYSCALL=y"
        for call in NEEDED
    },
    **{(call, errno.ENOMEM): "memory is short: end other programs, or choose smaller rings" for call in NEEDED},
}
