"""What a buffer may take is a share of the memory that is free, here or in the control group."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.core.mailbox import available, share_of, share_of_memory

MIB = 1 << 20


def machine(folder: Path, *, available_kib: int, group: str = "0::/\n") -> tuple[Path, Path, Path]:
    """Files as the kernel has them: those of memory and of the own control group, and the folder of all groups."""
    (folder / "meminfo").write_text(f"MemTotal:  99999999 kB\nMemFree:  1 kB\nMemAvailable:  {available_kib} kB\n")
    (folder / "group").write_text(group)
    (folder / "groups").mkdir()
    return folder / "meminfo", folder / "group", folder / "groups"


def limit(place: Path, most: str, used: int) -> None:
    place.mkdir(parents=True, exist_ok=True)
    (place / "memory.max").write_text(f"{most}\n")
    (place / "memory.current").write_text(f"{used}\n")


def test_what_the_machine_has_left_is_available(tmp_path: Path) -> None:
    assert available(*machine(tmp_path, available_kib=2048)) == 2 * MIB


def test_a_control_group_allows_less(tmp_path: Path) -> None:
    places = machine(tmp_path, available_kib=1 << 20, group="0::/box/inner\n")
    limit(tmp_path / "groups/box/inner", "max", 5)
    limit(tmp_path / "groups/box", str(64 * MIB), 24 * MIB)
    assert available(*places) == 40 * MIB


def test_a_control_group_that_is_full_leaves_nothing(tmp_path: Path) -> None:
    places = machine(tmp_path, available_kib=1 << 20, group="12:memory:/old\n0::/box\n")
    limit(tmp_path / "groups/box", str(MIB), 2 * MIB)
    assert available(*places) == 0


def test_without_these_files_it_is_a_small_machine(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    assert available(gone, gone, gone) == 1 << 30


@pytest.mark.parametrize(
    ("size", "expected"),
    [(0, 8), (1, 8), (8 * 128, 8), (16 * 128 - 1, 8), (16 * 128, 16), (24 * 128, 16), (64 * 128, 64), (9999 * 128, 64)],
)
def test_a_share_is_a_power_of_two_within_its_bounds(size: int, expected: int) -> None:
    assert share_of(size, 128, least=8, most=64) == expected


@given(st.integers(0, 1 << 50), st.integers(1, 1024))
def test_a_share_is_at_most_its_part_of_the_memory_unless_that_is_too_little(size: int, part: int) -> None:
    share = share_of(size, part, least=1, most=1 << 60)
    assert share == 1 or share <= size // part < 2 * share


def test_this_machine_has_a_share() -> None:
    assert 4096 <= share_of_memory(64, least=4096, most=1 << 40) <= 1 << 40
