import ctypes
import os
import re
import struct
import subprocess
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from agentsight_rx.sources.kernel.compiler import compiled, shim_tree
from agentsight_rx.sources.kernel.features import require_kernel
from agentsight_rx.sources.kernel.loaded import Loaded
from agentsight_rx.sources.kernel.probes import at_tracepoint, at_uprobe
from agentsight_rx.sources.kernel.syscall import KPROBE, at_uprobes
from agentsight_rx.sources.readline import function_offset
from tests.sources.kernel.alone import Alone


def test_the_tree_is_private_and_goes_away() -> None:
    with shim_tree() as tree:
        mode = tree.stat().st_mode & 0o777
        assert (tree / "include/linux/kconfig.h").is_file()
    assert mode == 0o700
    assert not tree.exists()


def test_the_version_is_that_of_the_running_kernel() -> None:
    major, minor = re.findall(r"\d+", os.uname().release)[:2]
    with shim_tree() as tree:
        assert f"KERNEL_VERSION({major}, {minor}, " in (tree / "include/linux/version.h").read_text()


# --- real programs of each kind, which look at this process only ---

_START = """
struct seen { u64 cookie, first, second; };
BPF_RINGBUF_OUTPUT(out, 8);
static inline int is_ours(void) { return bpf_get_current_pid_tgid() >> 32 == OUR_PID; }
static inline void report(u64 cookie, u64 first, u64 second) {
    struct seen *seen = out.ringbuf_reserve(sizeof(struct seen));
    if (!seen) return;
    seen->cookie = cookie; seen->first = first; seen->second = second;
    out.ringbuf_submit(seen, 0);
}
"""

_UPROBES = """
#include <uapi/linux/ptrace.h>
int enter(struct pt_regs *ctx) { report(bpf_get_attach_cookie(ctx), PT_REGS_PARM1(ctx), PT_REGS_PARM2(ctx)); return 0; }
int leave(struct pt_regs *ctx) { report(bpf_get_attach_cookie(ctx), PT_REGS_RC(ctx), 0); return 0; }
"""

_TRACEPOINT = """
TRACEPOINT_PROBE(syscalls, sys_enter_truncate) {
    if (is_ours()) report(0, args->length, args->path != NULL);
    return 0;
}
"""

_RAW_TRACEPOINT = """
RAW_TRACEPOINT_PROBE(sched_process_fork) {
    if (is_ours()) report(0, ctx->args[0] != 0, ctx->args[1] != 0);
    return 0;
}
"""

_Seen = tuple[int, int, int]


@pytest.fixture
def machine() -> None:
    require_kernel()


def _program(text: str) -> Loaded:
    return Loaded(compiled(_START + text, [f"-DOUR_PID={os.getpid()}"]))


def _seen_while(program: Loaded, attached: Sequence[int], act: Callable[[], object], *, times: int) -> list[_Seen]:
    ring: Alone[_Seen] = Alone(os.dup(program["out"].fd), 8 * 4096, lambda view, at, _: struct.unpack_from("<QQQ", view, at))
    for _ in range(times):
        act()
    found = ring.events()
    ring.close()
    for fd in attached:
        os.close(fd)
    program.close()
    return found


def _imaxdiv() -> tuple[Any, str, int]:
    """The function of libc, and where it is: the file and the offset in it."""
    libc = ctypes.CDLL("libc.so.6")
    libc.imaxdiv.argtypes = [ctypes.c_int64, ctypes.c_int64]
    path = next(line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "libc.so.6" in line)
    offset = function_offset(path, "imaxdiv")
    assert offset is not None
    return libc.imaxdiv, path, offset


@pytest.mark.live
@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("multi", [True, False])
def test_uprobes_read_arguments_and_results(multi: bool) -> None:
    function, path, offset = _imaxdiv()
    program = _program(_UPROBES)
    enter, leave = (program.load(name, KPROBE, attach_type=48 if multi else 0) for name in ("enter", "leave"))
    if multi:
        attached = [
            at_uprobes(enter, path, [(offset, 5)], flags=0),
            at_uprobes(leave, path, [(offset, 6)], flags=1),
        ]
    else:
        attached = [
            at_uprobe(enter, path, offset, cookie=5, at_return=False),
            at_uprobe(leave, path, offset, cookie=6, at_return=True),
        ]
    seen = _seen_while(program, attached, lambda: function(7_000_003, 1_000), times=7)
    assert seen == [(5, 7_000_003, 1_000), (6, 7_000, 0)] * 7


@pytest.mark.live
@pytest.mark.usefixtures("machine")
def test_tracepoints_read_the_arguments_of_system_calls(tmp_path: Path) -> None:
    def truncate_what_is_not_there() -> None:
        with pytest.raises(FileNotFoundError):
            os.truncate(tmp_path / "nothing", 1_000_003)

    program = _program(_TRACEPOINT)
    number = int(Path("/sys/kernel/tracing/events/syscalls/sys_enter_truncate/id").read_text())
    attached = [at_tracepoint(program.load("tracepoint__syscalls__sys_enter_truncate"), number)]
    assert _seen_while(program, attached, truncate_what_is_not_there, times=7) == [(0, 1_000_003, 1)] * 7


@pytest.mark.live
@pytest.mark.usefixtures("machine")
def test_raw_tracepoints_see_every_fork() -> None:
    program = _program(_RAW_TRACEPOINT)
    run = partial(subprocess.run, ["/bin/true"], check=True)
    assert _seen_while(program, program.attach_raw(), run, times=3) == [(0, 1, 1)] * 3


_FIELD = re.compile(r"field:(.*?)(\w+)(\[.*?\])?;\s+offset:(\d+);")
# BCC 0.31 lays `const int` out in 4 bytes where the kernel has 8, and an enum needs its definition: landlock's calls only.
_NOT_FOR_BCC = re.compile(r"field:(const )?enum |field:const int ")


@pytest.mark.live
@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("group", ["syscalls", "sched", "signal", "sock", "io_uring"])
def test_every_tracepoint_of_a_group_has_the_layout_of_the_kernel(group: str) -> None:
    files = sorted(Path("/sys/kernel/tracing/events", group).glob("*/format"))
    formats = {file.parent.name: file.read_text() for file in files}
    usable = {name: text for name, text in formats.items() if not _NOT_FOR_BCC.search(text)}
    assert len(usable) >= len(formats) - 3
    _program("\n".join(_layout_asserts(f"tracepoint__{group}__{name}", text) for name, text in usable.items())).close()


def _layout_asserts(struct: str, text: str) -> str:
    asserts = [
        f'_Static_assert(offsetof(struct {struct}, {name}) == {offset}, "{name}");'
        for name, offset in ((f"data_loc_{n}" if "__data_loc" in kind else n, o) for kind, n, _, o in _FIELD.findall(text))
        if not name.startswith("common_")
    ]
    return f"int for_{struct}(struct {struct} *args) {{ {' '.join(asserts)} return 0; }}"
