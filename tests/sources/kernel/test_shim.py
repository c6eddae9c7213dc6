import ctypes
import os
import re
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from agentsight_rx.doctor import require_capture
from agentsight_rx.sources.kernel.bcc import bcc
from agentsight_rx.sources.kernel.shim import kernel_source, shim_tree


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


@pytest.mark.parametrize("before", [None, "/usr/src/mine"])
def test_the_environment_is_as_before_even_after_an_error(before: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BCC_KERNEL_SOURCE", raising=False)
    if before is not None:
        monkeypatch.setenv("BCC_KERNEL_SOURCE", before)
    with suppress(ZeroDivisionError), kernel_source() as tree:
        assert os.environ["BCC_KERNEL_SOURCE"] == str(tree)
        raise ZeroDivisionError
    assert os.environ.get("BCC_KERNEL_SOURCE") == before


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
    require_capture()


def _program(text: str) -> Any:
    with kernel_source():
        return bcc().BPF(text=(_START + text).encode(), cflags=[f"-DOUR_PID={os.getpid()}"])


def _seen_while(program: Any, act: Callable[[], object], *, times: int) -> list[_Seen]:
    found: list[_Seen] = []

    def take(_cpu: int, address: int, _size: int) -> None:
        found.append((*(ctypes.c_uint64 * 3).from_address(address),))

    program[b"out"].open_ring_buffer(take)
    for _ in range(times):
        act()
    program.ring_buffer_consume()
    program.cleanup()
    return found


@pytest.mark.live
@pytest.mark.usefixtures("machine")
def test_uprobes_read_arguments_and_results() -> None:
    libc = ctypes.CDLL("libc.so.6")
    libc.imaxdiv.argtypes = [ctypes.c_int64, ctypes.c_int64]
    program = _program(_UPROBES)
    program.attach_uprobe(name=b"c", sym=b"imaxdiv", fn_name=b"enter", pid=os.getpid())
    program.attach_uretprobe(name=b"c", sym=b"imaxdiv", fn_name=b"leave", pid=os.getpid())
    assert _seen_while(program, lambda: libc.imaxdiv(7_000_003, 1_000), times=7) == [(0, 7_000_003, 1_000), (0, 7_000, 0)] * 7


@pytest.mark.live
@pytest.mark.usefixtures("machine")
def test_a_program_for_uprobe_multi_links_loads() -> None:
    program = _program(_UPROBES)
    trace_uprobe_multi = 48  # enum bpf_attach_type
    assert program.load_func(b"enter", bcc().BPF.KPROBE, attach_type=trace_uprobe_multi).fd > 0
    program.cleanup()


@pytest.mark.live
@pytest.mark.usefixtures("machine")
def test_tracepoints_read_the_arguments_of_system_calls(tmp_path: Path) -> None:
    def truncate_what_is_not_there() -> None:
        with pytest.raises(FileNotFoundError):
            os.truncate(tmp_path / "nothing", 1_000_003)

    assert _seen_while(_program(_TRACEPOINT), truncate_what_is_not_there, times=7) == [(0, 1_000_003, 1)] * 7


@pytest.mark.live
@pytest.mark.usefixtures("machine")
def test_raw_tracepoints_see_every_fork() -> None:
    program = _program(_RAW_TRACEPOINT)
    assert _seen_while(program, lambda: subprocess.run(["/bin/true"], check=True), times=3) == [(0, 1, 1)] * 3


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
    _program("\n".join(_layout_asserts(f"tracepoint__{group}__{name}", text) for name, text in usable.items())).cleanup()


def _layout_asserts(struct: str, text: str) -> str:
    asserts = [
        f'_Static_assert(offsetof(struct {struct}, {name}) == {offset}, "{name}");'
        for name, offset in ((f"data_loc_{n}" if "__data_loc" in kind else n, o) for kind, n, _, o in _FIELD.findall(text))
        if not name.startswith("common_")
    ]
    return f"int for_{struct}(struct {struct} *args) {{ {' '.join(asserts)} return 0; }}"
