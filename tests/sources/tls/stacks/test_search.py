"""The search as a whole: several implementations in a file, files that lie, the limits."""

from __future__ import annotations

import os
from pathlib import Path
from struct import pack

import pytest

from agentsight_rx.errors import CaptureError
from agentsight_rx.sources.tls.stacks.search import TIMED_OUT, find_stacks
from tests.sources.tls import TRUE
from tests.sources.tls.stacks import Maker, found_in
from tests.sources.tls.stacks.test_go import go
from tests.sources.tls.stacks.test_search_awslc import aws_lc
from tests.sources.tls.stacks.test_search_boringssl import FILE, boringssl
from tests.sources.tls.stacks.test_search_openssl import SETS_R8, openssl


def test_all_implementations_of_a_file_are_reported(tmp_path: Path) -> None:
    maker = Maker(frames=True)
    aws_lc(maker)
    openssl(maker, body=SETS_R8)
    maker.text("ring", b"/rustls-0.23.16/src/crypto/ring/tls13.rs")
    found = found_in(tmp_path, maker.made())
    assert [(finding.stack, len(finding.hooks)) for finding in found] == [
        ("rustls with aws-lc", 4),
        ("rustls with ring", 0),
        ("OpenSSL 3 without symbols", 2),
    ]


def test_a_program_without_tls_has_none(tmp_path: Path) -> None:
    assert found_in(tmp_path, TRUE.read_bytes()) == ()


def test_a_program_of_another_machine_has_none(tmp_path: Path) -> None:
    whole = bytearray(TRUE.read_bytes())
    whole[18:20] = pack("<H", 183)  # EM_AARCH64
    assert found_in(tmp_path, bytes(whole)) == ()


@pytest.mark.parametrize("size", [0, 3, 4, 20, 63, 64, 100, 0x1000, 0x10010, 0x10100])
def test_a_file_that_was_cut_off_is_refused_or_has_less(tmp_path: Path, size: int) -> None:
    whole = boringssl(Maker(frames=True)).made()
    try:
        found = found_in(tmp_path, whole[:size])
    except CaptureError:
        return
    assert not any(finding.hooks for finding in found)


NUMBERS = [0, 1, 7, 0xFFFF, 1 << 31, (1 << 32) - 1, 1 << 47, (1 << 63) - 1, (1 << 64) - 1]


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("place", [*range(16, 64, 8), *range(64, 64 + 4 * 56, 8)])
def test_headers_that_lie_are_refused_or_have_less(tmp_path: Path, place: int, number: int) -> None:
    """Counts beyond any file, segments over each other and outside of the file."""
    whole = bytearray(boringssl(Maker(frames=True)).made())
    whole[place : place + 8] = pack("<Q", number)
    try:
        found = found_in(tmp_path, bytes(whole))
    except CaptureError:
        return
    assert all(0 <= hook.offset < len(whole) for finding in found for hook in finding.hooks)


def test_unwind_tables_that_lie_are_not_used(tmp_path: Path) -> None:
    whole = bytearray(boringssl(Maker(frames=True)).made())
    for number in (1 << 31, (1 << 32) - 1):
        whole[0x8008:0x800C] = pack("<I", number)  # the count
        (finding,) = found_in(tmp_path, bytes(whole))
        assert finding.hooks
    whole[0x800C:0x8100] = b"\xff" * (0x8100 - 0x800C)
    (finding,) = found_in(tmp_path, bytes(whole))
    assert all("targets of calls" in each for each in finding.evidence)
    assert finding.hooks


def test_code_of_calls_alone_is_searched(tmp_path: Path) -> None:
    maker = Maker()
    maker.text("file", FILE)
    maker.raw("calls", b"\xe8" * 50_000, b"\x48\x8d\x0d" + pack("<i", 0x1000 - 0x10000 - 50_007), b"\xe8" * 5000)
    (finding,) = found_in(tmp_path, maker.made())
    assert not finding.hooks
    assert finding.failure


def test_a_file_of_holes_is_done(tmp_path: Path) -> None:
    """1 TB, all of it one segment of data: it is searched up to the limit."""
    whole = bytearray(boringssl(Maker()).made())
    size = 1 << 40
    whole[64 + 2 * 56 + 32 : 64 + 2 * 56 + 48] = pack("<QQ", size, size)
    path = tmp_path / "holes"
    path.write_bytes(whole)
    os.truncate(path, size)
    with path.open("rb") as file:
        (finding,) = find_stacks(file, "holes")
    assert len(finding.hooks) == 2


@pytest.mark.parametrize("segment", [0, 1])
def test_constants_and_code_of_holes_end_with_the_time(tmp_path: Path, segment: int) -> None:
    whole = bytearray(boringssl(Maker()).made())
    size = 1 << 40
    whole[64 + segment * 56 + 32 : 64 + segment * 56 + 48] = pack("<QQ", size, size)
    path = tmp_path / "holes"
    path.write_bytes(whole)
    os.truncate(path, size)
    with path.open("rb") as file:
        found = find_stacks(file, "holes", seconds=0.2)
    assert found
    assert all(finding.hooks or finding.failure for finding in found)
    if segment == 0:
        assert [finding.failure for finding in found] == [TIMED_OUT]


def test_without_time_nothing_is_searched(tmp_path: Path) -> None:
    maker = Maker()
    go(maker)
    path = tmp_path / "program"
    path.write_bytes(maker.made())
    with path.open("rb") as file:
        (finding,) = find_stacks(file, "program", seconds=0)
    assert (finding.hooks, finding.failure) == ((), TIMED_OUT)
