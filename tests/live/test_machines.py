"""Machines that lack something: one sentence that says what to do, no traceback, and what can go on does."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import pytest

from agentsight_rx import sources
from agentsight_rx.events import FileEvent
from agentsight_rx.sources import FileOptions, Target
from tests.live.capture import PATIENCE_S, PROGRAM, running, started
from tests.live.users import on_machine

pytestmark = pytest.mark.live

MOUNTS = "for place in $(awk '$3 == \"{}\" {{ print $2 }}' /proc/self/mounts); do {} $place; done"
NO_TRACEFS = "\n".join(MOUNTS.format(kind, "umount --lazy") for kind in ("tracefs", "debugfs"))
NO_BTF = "mount -t tmpfs none /sys/kernel/btf"
CUT_BTF = """\
head -c 3000001 /sys/kernel/btf/vmlinux > /tmp/cut-btf-$$
mount --bind /tmp/cut-btf-$$ /sys/kernel/btf/vmlinux
rm /tmp/cut-btf-$$"""
READ_ONLY_GROUPS = MOUNTS.format("cgroup2", "mount -o remount,bind,ro")
NO_GROUPS = MOUNTS.format("cgroup2", "umount --lazy")

# A filter that answers a system call with EPERM, as containers have it (seccomp(2)), before the command is run
WITHOUT_CALL = """
import ctypes, os, struct, sys
number = int(sys.argv[1])
code = b"".join(struct.pack("<HBBI", *each) for each in (
    (0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7FFF0000)))
text = ctypes.create_string_buffer(code)
program = struct.pack("<HxxxxxxQ", 4, ctypes.addressof(text))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.c_char_p(program), 0, 0) == 0
os.execv(sys.argv[2], sys.argv[2:])
"""
BPF, PERF_EVENT_OPEN = 321, 298


def record(store: Path, *more: str) -> list[str]:
    return [*PROGRAM, "record", "--no-server", "--db", str(store), *more, "--", "/bin/echo", "ran"]


def flat(text: str) -> str:
    return " ".join(text.split())


def refused(done: subprocess.CompletedProcess[str], why: str) -> None:
    assert (done.returncode, done.stdout) == (1, "")
    assert flat(done.stderr).count("Error: ") == 1
    assert why in flat(done.stderr)
    assert "Traceback" not in done.stderr


def went_on(done: subprocess.CompletedProcess[str], without: str, why: str) -> None:
    assert (done.returncode, done.stdout) == (0, "ran\n")
    assert f"NOT captured: {without}: {why}" in flat(done.stderr)
    assert "nothing is missing" not in done.stderr
    assert "Traceback" not in done.stderr


def test_without_tracefs_processes_and_typed_lines_are_captured(tmp_path: Path) -> None:
    went_on(
        on_machine(NO_TRACEFS, record(tmp_path / "x.lmdb")),
        "TLS, HTTP without TLS, files, connections, pipes and standard streams",
        "tracefs is not mounted; as root: mount -t tracefs tracefs /sys/kernel/tracing",
    )


def test_without_types_of_the_kernel(tmp_path: Path) -> None:
    refused(
        on_machine(NO_BTF, record(tmp_path / "x.lmdb", "--by", "kernel")),
        "a kernel built with CONFIG_DEBUG_INFO_BTF=y is needed",
    )


def test_with_types_of_the_kernel_that_are_cut(tmp_path: Path) -> None:
    refused(on_machine(CUT_BTF, record(tmp_path / "x.lmdb", "--by", "kernel")), "/sys/kernel/btf/vmlinux is cut or broken")


@pytest.mark.parametrize("changes", [READ_ONLY_GROUPS, NO_GROUPS], ids=["read-only", "none"])
def test_control_groups_are_not_needed(changes: str, tmp_path: Path) -> None:
    done = on_machine(changes, record(tmp_path / "x.lmdb"))
    assert (done.returncode, done.stdout) == (0, "ran\n")
    assert "nothing is missing" in done.stderr


def test_a_chosen_control_group_where_there_are_none(tmp_path: Path) -> None:
    refused(on_machine(NO_GROUPS, record(tmp_path / "x.lmdb", "--cgroup", "/x")), "nothing of type cgroup2 is mounted here")


def test_a_filter_that_refuses_bpf(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_CALL, str(BPF), *record(tmp_path / "x.lmdb", "--by", "kernel")]
    refused(subprocess.run(command, capture_output=True, text=True, check=False), "a seccomp filter refuses bpf(2)")


def test_a_filter_that_refuses_perf_events(tmp_path: Path) -> None:
    """As root in a container with the four capabilities."""
    command = [sys.executable, "-c", WITHOUT_CALL, str(PERF_EVENT_OPEN), *record(tmp_path / "x.lmdb")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "ran\n")
    assert "a seccomp filter refuses perf_event_open(2)" in flat(done.stderr)
    assert "nothing is missing" not in done.stderr
    doctor = [sys.executable, "-c", WITHOUT_CALL, str(PERF_EVENT_OPEN), *PROGRAM, "doctor"]
    done = subprocess.run(doctor, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "`agentsight-rx record` starts here, without: TLS, HTTP without TLS, files, connections" in flat(done.stdout)


def small_program(path: Path) -> Path:
    """
    A 32-bit program for x86 (ELF, System V ABI, i386) that asks where a link leads, and ends with 7. The number of readlink
    there, 85, is that of creat in 64 bits.
    """
    base, headers = 0x8048000, 84
    ends = bytes.fromhex("b801000000bb07000000cd80")
    name = base + headers + 22 + len(ends)
    code = struct.pack("<BIBIBIBIH", 0xB8, 85, 0xBB, name, 0xB9, name, 0xBA, 9, 0x80CD) + ends + b"/nowhere\0"
    elf = struct.pack("<16sHHIIIIIHHHHHH", b"\x7fELF\1\1\1", 2, 3, 1, base + headers, 52, 0, 0, 52, 32, 1, 0, 0, 0)  # fmt: skip
    size = headers + len(code)
    path.write_bytes(elf + struct.pack("<8I", 1, 0, base, base, size, size, 5, 0x1000) + code)
    path.chmod(0o755)
    return path


def test_what_a_32_bit_program_does_is_said_to_be_unseen(tmp_path: Path) -> None:
    program = small_program(tmp_path / "small")
    command = [*PROGRAM, "record", "--no-server", "--db", str(tmp_path / "x.lmdb"), "--", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (7, 126)  # 126: this kernel runs none
    if done.returncode == 7:
        assert "1 thing is missing: 1 32-bit program: files, connections and pipes not seen" in flat(done.stderr)


def test_a_call_of_32_bits_is_not_taken_for_the_one_that_has_its_number_in_64(tmp_path: Path) -> None:
    program = small_program(tmp_path / "small")
    script = f"until [ -e {tmp_path}/go ]; do sleep 0.01; done; {program}; true >{tmp_path}/seen"
    with started(["/bin/sh", "-c", script]) as shell, running(sources.files(FileOptions(Target(shell.pid)))) as (run, kept):
        (tmp_path / "go").touch()
        shell.wait(PATIENCE_S)
        run.stop()
    opened = [event.path for event in kept.of(FileEvent) if event.action == "open"]
    assert f"{tmp_path}/seen" in opened
    assert "/nowhere" not in opened
