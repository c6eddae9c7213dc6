"""The memory of a process and its BPF tables, from files as the kernel writes them, and of this process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.runtime.service.bounds import Limits, Memory, memory_now

TABLE = "pos:\t0\nmnt_id:\t15\nmap_type:\t27\nkey_size:\t0\nmax_entries:\t{0}\nmemlock:\t{0}\nmap_id:\t{1}\nfrozen:\t0\n"
PROGRAM = "pos:\t0\nprog_type:\t17\nprog_jited:\t1\nmemlock:\t4096\nprog_id:\t9\n"


def machine(
    place: Path, tables: list[int], *, group: str = "0::/system.slice/x.service\n", descriptors: tuple[int, ...] = (1,)
) -> Memory:
    """Tables of these sizes. Each has as many descriptors as `descriptors` says, in turn."""
    proc, groups = place / "proc", place / "groups"
    (proc / "fdinfo").mkdir(parents=True)
    (proc / "status").write_text("Name:\tpython3\nVmRSS:\t  90 kB\nRssAnon:\t   40 kB\nRssFile:\t 50 kB\n")
    (proc / "cgroup").write_text(f"12:memory:/other\n{group}")
    for number, size in enumerate(tables):
        for copy in range(descriptors[number % len(descriptors)]):
            (proc / "fdinfo" / f"{number}{copy:03}").write_text(TABLE.format(size, number))
    (proc / "fdinfo" / "5").write_text(PROGRAM)
    (groups / "system.slice/x.service").mkdir(parents=True)
    (groups / "system.slice/x.service/memory.current").write_text("123456\n")
    return memory_now(proc, groups)


@given(st.lists(st.integers(0, 1 << 40), max_size=6), st.lists(st.integers(1, 4), min_size=1, max_size=3))
def test_all_of_it_is_summed_and_a_table_with_several_descriptors_once(
    tmp_path_factory: pytest.TempPathFactory, tables: list[int], descriptors: list[int]
) -> None:
    memory = machine(tmp_path_factory.mktemp("machine"), tables, descriptors=tuple(descriptors))
    assert Memory(40 * 1024, sum(tables), 123456) == memory
    assert 40 * 1024 + sum(tables) == memory.own


def test_what_is_not_there_is_nothing(tmp_path: Path) -> None:
    assert Memory() == memory_now(tmp_path / "none", tmp_path)
    assert 0 == machine(tmp_path, [], group="0::/elsewhere\n").group


def test_this_process_has_some(tmp_path: Path) -> None:
    memory = memory_now()
    assert memory.anonymous > 1 << 20
    assert os.listdir("/proc/self/fdinfo")


@given(st.lists(st.integers(0, 130), max_size=20))
def test_less_content_is_taken_each_time_that_it_is_over_the_soft_limit(sizes: list[int]) -> None:
    limits, shed = Limits(100), 0
    for size in sizes:
        before, shed = shed, limits.shed_from(Memory(size), shed)
        if size > limits.soft == 85:
            assert shed == (max(1, before // 8) if before else 65_536)
        else:
            assert shed == 0 or shed == before * 8 <= 65_536
    for _ in range(7):
        shed = limits.shed_from(Memory(1), shed)
    assert 0 == shed == Limits().shed_from(Memory(1 << 40), 0)


def test_a_limit_is_for_what_is_its_own() -> None:
    memory = Memory(60 << 20, 40 << 20, group=900 << 20)
    assert "" == Limits().broken_by(memory) == Limits(100 << 20).broken_by(memory)
    assert "memory is 100 MB, 40 MB of it in the kernel, and the limit is 99 MB" == Limits(99 << 20).broken_by(memory)
