"""Which PID namespace we run in, as /proc shows it; where numbers or clocks there are others, nothing is captured."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from agentsight_rx.errors import CaptureError
from agentsight_rx.sources import Target
from agentsight_rx.sources.kernel.namespace import FIRST_INODE, Namespace, check_proc, own_namespace

BPF = Path(__file__).parents[3] / "agentsight_rx" / "sources" / "bpf"


def fake(proc: Path, *, numbers: str = "7", offsets: str = "monotonic 0 0\nboottime 0 0\n") -> Path:
    (proc / "self" / "ns").mkdir(parents=True)
    (proc / "self" / "status").write_text(f"Name:\tus\nNStgid:\t{numbers}\nNSpid:\t{numbers}\nNSsid:\t1\n")
    (proc / "self" / "timens_offsets").write_text(offsets)
    return proc


def refusal(proc: Path) -> str:
    with pytest.raises(CaptureError) as refused:
        own_namespace(proc)
    return str(refused.value)


def test_in_the_first_one_nothing_is_translated() -> None:
    first = Namespace()
    assert ([], ()) == (first.flags, first.fields)
    inside = os.stat("/proc/self/ns/pid").st_ino != FIRST_INODE
    assert inside or own_namespace() == first


def test_below_it_programs_have_a_switch_and_need_more_fields() -> None:
    assert ["-DIN_NAMESPACE"] == Namespace(4026532179, 1).flags
    assert "upid.ns" in Namespace(4026532179, 1).fields


def test_a_kernel_without_namespaces_has_the_first_one(tmp_path: Path) -> None:
    assert Namespace() == own_namespace(fake(tmp_path))


def test_numbers_of_a_namespace_above_are_refused(tmp_path: Path) -> None:
    said = refusal(fake(tmp_path, numbers="4242\t7"))
    assert said.startswith(f"we are process {os.getpid()}, and {tmp_path} calls us 4242: ")
    assert f"mount -t proc proc {tmp_path}" in said
    assert "--pid=host" in said


def test_numbers_of_a_namespace_that_we_are_not_in_are_refused(tmp_path: Path) -> None:
    said = refusal(tmp_path)  # there is no /proc/self
    assert "/self/status cannot be read (No such file or directory)" in said
    assert "mount -t proc proc" in said


@pytest.mark.parametrize(
    ("offsets", "said"),
    [
        ("monotonic 0 0\nboottime 100 0\n", "(boottime +100 s)"),
        ("monotonic -3 999999999\nboottime 0 1\n", "(monotonic -3 s, boottime +0 s)"),
    ],
)
def test_other_clocks_are_refused(offsets: str, said: str, tmp_path: Path) -> None:
    assert said in refusal(fake(tmp_path, offsets=offsets))


def test_every_target_is_checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Also of a source without a program in the kernel: it would look a number up in /proc."""
    there = fake(tmp_path, numbers="4242\t7")
    monkeypatch.setattr("agentsight_rx.sources.target.check_proc", lambda: check_proc(there))
    for target in (Target(), Target(os.getpid())):
        with pytest.raises(CaptureError, match="means another process"):
            target.check()


def test_only_one_file_asks_the_kernel_for_numbers() -> None:
    """There they are translated; a program that asked by itself would speak of processes of the first namespace."""
    asks = re.compile(r"bpf_get_current_pid_tgid|bpf_get_ns_current|task_struct_t?gid|task_struct_pid|pid_numbers")
    assert ["track.h"] == sorted(file.name for file in BPF.iterdir() if asks.search(file.read_text()))
