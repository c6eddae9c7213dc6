"""The search for references and calls in code finds what a loop over every byte finds, wherever pieces are cut."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from struct import pack
from tempfile import TemporaryFile
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from agentsight_rx.sources.tls.stacks import bounds
from agentsight_rx.sources.tls.stacks import code as references
from agentsight_rx.sources.tls.stacks.code import X86Code
from agentsight_rx.sources.tls.stacks.elf import Image, Segment

checked = settings(max_examples=600, deadline=None)

_HEADERS = 64 + 3 * 56
_NEAR = st.integers(-8, 24) | st.integers(-40, 300)  # from the begin of a segment, also outside of it
_SIZES = st.integers(0, 9) | st.integers(0, 400)
_OPERATIONS = st.sampled_from([b"\xe8", b"\xe9", b"\x8d\x05", b"\x48\x8d\x0d", b"\x8d\x3d", b"\x8d\x06", b"\x8d\x2d"])
_MOVES = st.sampled_from([b"\xb8", b"\xbf", b"\x68", b"\xb7", b"\xc0"])


@st.composite
def _programs(draw: st.DrawFn) -> tuple[bytes, list[Segment], bool]:
    """A file, its segments (constants, code, data), and whether its addresses are fixed."""
    base = draw(st.sampled_from([0x10000, 0x400000, 0x7FFF_0000, 0x7FFF_FFFF_0000]))
    gaps = st.sampled_from([0x1000, 0xFFF0, 0x10000, 0x10000, 0x123_0000, 0x7FFF_F000, 0x8000_0000])
    starts = [base]
    for _ in range(2):
        starts.append(starts[-1] + draw(gaps))
    starts = draw(st.permutations(starts))
    code = b""
    for _ in range(draw(st.integers(0, 12))):
        begin = draw(st.sampled_from(starts))
        target = begin + draw(_NEAR)
        kind = draw(st.integers(0, 3))
        if kind == 0:
            code += draw(st.binary(max_size=9))
        elif kind == 1:
            code += draw(_MOVES) + pack("<I", target & 0xFFFF_FFFF)
        else:
            code += draw(_OPERATIONS)
            code += pack("<I", (target - starts[1] - len(code) - 4) & 0xFFFF_FFFF)
    code += draw(st.binary(max_size=5))
    sizes = [draw(st.integers(1, 260)), len(code), draw(st.integers(1, 260))]
    absolute = draw(st.booleans())
    file = pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2 if absolute else 3, 62, 1, 0, 64, 0, 0, 64, 56, 3, 64, 0, 0)
    segments: list[Segment] = []
    offset = _HEADERS
    for flags, start, size in zip((4, 5, 6), starts, sizes, strict=True):
        segments.append(Segment(start, offset, size=size, flags=flags))
        file += pack("<IIQQQQQQ", 1, flags, offset, start, start, size, size, 4096)
        offset += size
    return file + bytes(sizes[0]) + code + bytes(sizes[2]), segments, absolute


@contextmanager
def _opened(file: bytes) -> Generator[Image]:
    with TemporaryFile() as opened:
        opened.write(file)
        opened.flush()
        yield Image(opened, "program")


def _signed(code: bytes, at: int) -> int:
    return int.from_bytes(code[at : at + 4], "little", signed=True)


def _references(code: bytes, segments: list[Segment], absolute: bool, ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    begin = segments[1].address
    found: set[tuple[int, int]] = set()
    for at in range(len(code) - 3):
        relative = begin + at + 4 + _signed(code, at)
        if at >= 2 and code[at - 2] == 0x8D and code[at - 1] & 0xC7 == 5:
            found |= {(begin + at, relative) for each in segments[::2] if each.address <= relative < each.end}
        if at >= 1 and absolute and (0xB8 <= code[at - 1] < 0xC0 or code[at - 1] == 0x68):
            found.add((begin + at, int.from_bytes(code[at : at + 4], "little")))
    return sorted(each for each in found if any(low <= each[1] < high for low, high in ranges))


def _targets(code: bytes, segment: Segment, operations: bytes) -> set[int]:
    targets = (segment.address + at + 5 + _signed(code, at + 1) for at in range(len(code) - 4) if code[at] in operations)
    return {target for target in targets if segment.address <= target < segment.end}


@checked
@given(_programs(), st.lists(st.tuples(st.integers(0, 2), _NEAR, _SIZES), max_size=5), st.integers(17, 200))
def test_references_are_those_of_a_loop_over_every_byte(
    program: tuple[bytes, list[Segment], bool], places: list[tuple[int, int, int]], piece: int
) -> None:
    file, segments, absolute = program
    ranges = [(low := segments[index].address + near, low + size) for index, near, size in places]
    code = file[segments[1].offset :][: segments[1].size]
    with _opened(file) as image, patch.object(references, "_PIECE", piece):
        assert _references(code, segments, absolute, ranges) == X86Code(image, lambda: None).references(ranges)


@checked
@given(_programs(), st.lists(st.tuples(_NEAR, _SIZES), min_size=1, max_size=5), st.integers(17, 200))
def test_calls_are_those_of_a_loop_over_every_byte(
    program: tuple[bytes, list[Segment], bool], places: list[tuple[int, int]], piece: int
) -> None:
    file, segments, _ = program
    segment = segments[1]
    code = file[segment.offset :][: segment.size]
    calls, all_calls = _targets(code, segment, b"\xe8"), _targets(code, segment, b"\xe8\xe9")
    with _opened(file) as image, patch.object(references, "_PIECE", piece):
        searched = X86Code(image, lambda: None)
        for near, size in places:
            low = segment.address + near
            assert sorted(each for each in calls if low <= each < low + size) == searched.called_between(low, low + size)
        wanted = range(segment.address - 5, segment.end + 5)
        assert all_calls & {*wanted} == searched.called(wanted)


@checked
@given(
    st.lists(st.one_of(st.binary(max_size=9), st.sampled_from([-513, -512, -511, -256, -1, 0, 1, 600])), max_size=30),
    st.sampled_from([3, 0x200, 0x3_0100, 0x7FFF_FFFF_0010]),
)
def test_words_are_those_of_a_loop_over_every_place(parts: list[bytes | int], place: int) -> None:
    raw = b"".join(each if isinstance(each, bytes) else pack("<q", place + each) for each in parts)
    wanted = frozenset(range(max(0, place - 511), place + 1))
    found = ((at, int.from_bytes(raw[at : at + 8], "little")) for at in range(0, len(raw) - 7, 8))
    expected = [(at, word) for at, word in found if word in wanted]
    assert expected == sorted(bounds._words(raw, wanted))  # pyright: ignore[reportPrivateUsage]
