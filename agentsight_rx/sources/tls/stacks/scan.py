"""A search in one file: its image, the texts that were found in it, its code, and the time that is left."""

from __future__ import annotations

import re
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain
from struct import Struct as Layout
from typing import TypeVar

from msgspec import Struct

from ...kernel.machine import MACHINE
from .elf import Image, Segment
from .finding import Finding, Hook
from .x86_code import is_emulated

# -- references ----------------------------------------------------------------------------------------------------
# Machine code -> the places that refer to given addresses, and the calls to them. Nothing is disassembled here.


_T = TypeVar("_T")
_Ranges = Sequence[tuple[int, int]]  # [low, high)

_PIECE = 1 << 19  # bytes of code at once: more need more memory, and have more upper halves to look for
_LONGEST = 16  # bytes of an instruction, and more
_CODE_MOST = 1 << 30
_CALLED_MOST = 1 << 20  # addresses near the references of a file; 576 seen
_REFERENCES_MOST = 4096  # 42 to the texts of one file seen
_NEAR = 1 << 16  # bytes before and behind a reference in which `bounds` asks for calls
_SIGNED, _UNSIGNED = Layout("<i"), Layout("<I")

# An operation and what stands between it and its displacement of 32 bits; %s is the upper half of the displacement. Everything
# behind the first byte is only looked at, since another operation may begin there.
_LEA = rb"\x8d(?=[\x05\x0d\x15\x1d\x25\x2d\x35\x3d]..%s)"  # lea r, [rip + disp32]
_CALL, _JUMP = rb"\xe8(?=..%s)", rb"\xe9(?=..%s)"
# The upper half of a constant of 32 bits behind mov r32, imm32 or push imm32.
_ABSOLUTE = rb"\x%02x(?=\x%02x)(?<=[\xb8-\xbf\x68]...)"


class Code:
    """
    The code of one image. `check` is called between steps and raises where the time is over.

    A displacement to a known address has one of a few upper halves in each piece of the code. So a regular expression finds
    the candidates, at 1.5 GB/s, and only those are calculated.
    """

    def __init__(self, image: Image, check: Callable[[], None]) -> None:
        self.image = image
        self._check = check
        self._near: list[tuple[int, int]] = []  # where calls to will be asked for
        self._called: tuple[_Ranges, list[int]] = ((), [])

    def references(self, ranges: _Ranges) -> list[tuple[int, int]]:
        """
        (place, target) of the instructions that form an address within one of the ranges [start, end). The place is inside
        the instruction, at its displacement or its constant.
        """
        data = self.image.constants + self.image.written
        leas = (
            (place, target)
            for place, target in self._displaced(_LEA, 2, ranges)
            if any(load.address <= target < load.end for load in data)
        )
        found = _first(leas, _REFERENCES_MOST)
        if self.image.absolute:
            found |= _first(self._absolute(ranges), _REFERENCES_MOST)
        self._near += [(place - _NEAR, place + _NEAR) for place, _ in found]
        return sorted(found)[:_REFERENCES_MOST]

    def _absolute(self, ranges: _Ranges) -> Iterator[tuple[int, int]]:
        """Absolute addresses of 32 bits: their upper halves are searched."""
        halves = {half for low, high in ranges for half in range(low >> 16, ((high - 1) >> 16) + 1) if half < 1 << 16}
        patterns = [_absolute_pattern(half) for half in sorted(halves)]
        for start, piece in self._pieces():
            for match in chain.from_iterable(pattern.finditer(piece) for pattern in patterns):
                at = match.start() - 2
                (target,) = _UNSIGNED.unpack_from(piece, at)
                if any(low <= target < high for low, high in ranges):
                    yield start + at, target

    def called(self, addresses: Iterable[int]) -> set[int]:
        """The addresses among these to which there seems to be a call or a tail call."""
        wanted = set(filter(self.image.is_code, addresses))
        found: set[int] = set()
        for operation in (_CALL, _JUMP):
            targets = (target for _, target in self._displaced(operation, 1, [(each, each + 1) for each in wanted - found]))
            found |= _first(targets, len(wanted - found))
        return found

    def called_between(self, low: int, high: int) -> list[int]:
        """
        The addresses in [low, high) that seem to be called, in order. The first question reads all of the code, and finds the
        calls to the surroundings of all references too.
        """
        ranges, targets = self._called
        if not any(first <= low and high <= last for first, last in ranges):
            ranges = _joined([*ranges, *self._near, (low, high)])
            calls = (target for _, target in self._displaced(_CALL, 1, ranges) if self.image.is_code(target))
            targets = sorted(_first(calls, _CALLED_MOST))
            self._called = ranges, targets
        return targets[bisect_left(targets, low) : bisect_left(targets, high)]

    def _displaced(self, operation: bytes, size: int, ranges: _Ranges) -> Iterator[tuple[int, int]]:
        """
        (place of the displacement, target) of everything that may be this operation, whose displacement is `size` bytes behind
        its begin, with a target in one of the ranges.
        """
        ranges = _joined(ranges)
        lows, highs = [low for low, _ in ranges], [high for _, high in ranges]
        for start, piece in self._pieces():
            base = start + size + 4  # from which the first byte's displacement counts
            upper = _upper_halves((low - base - len(piece), high - base) for low, high in ranges)
            if not upper:
                continue
            for match in re.compile(operation % upper, re.DOTALL).finditer(piece):
                at = match.start()
                target = base + at + _SIGNED.unpack_from(piece, at + size)[0]
                range_number = bisect_right(lows, target) - 1
                if range_number >= 0 and target < highs[range_number]:
                    yield start + at + size, target

    def _pieces(self) -> Iterator[tuple[int, bytes]]:
        """(address, bytes) of the code; the pieces overlap so that no instruction is cut."""
        left = _CODE_MOST
        for load in self.image.code:
            size = min(load.size, left)
            left -= size
            for at in range(0, size, _PIECE - _LONGEST):
                self._check()
                yield load.address + at, self.image.read(load.offset + at, min(_PIECE, size - at))


def _absolute_pattern(half: int) -> re.Pattern[bytes]:
    return re.compile(_ABSOLUTE % (half & 0xFF, half >> 8), re.DOTALL)


def _upper_halves(displacements: Iterable[tuple[int, int]]) -> bytes:
    """A regular expression for the upper 16 bits of the signed 32-bit numbers in these ranges [low, high]."""
    halves = _joined((max(low, -1 << 31) >> 16, (min(high, (1 << 31) - 1) >> 16) + 1) for low, high in displacements)
    choices = [
        rb"[\x%02x-\x%02x]\x%02x" % (max(low - (top << 8), 0), min(high - 1 - (top << 8), 0xFF), top & 0xFF)
        for low, high in halves
        for top in range(low >> 8, ((high - 1) >> 8) + 1)
    ]
    if len(choices) < 2:
        return b"".join(choices)
    tops = b"".join(choice[-4:] for choice in choices)  # one look at the last byte refuses most
    return b"(?=.[%s])(?:%s)" % (tops, b"|".join(choices))


def _joined(ranges: Iterable[tuple[int, int]]) -> _Ranges:
    """The same ranges in order, none over another one."""
    joined: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if joined and low <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(high, joined[-1][1])
        elif low < high:
            joined.append((low, high))
    return joined


def _first(found: Iterator[_T], most: int) -> set[_T]:
    """The first different ones."""
    different: set[_T] = set()
    while len(different) < most:
        try:
            different.add(next(found))
        except StopIteration:
            break
    return different


# ------------------------------------------------------------------------------------------------------------------------


SECONDS = 15.0  # of the processor; the slowest of the programs measured takes 3 s
_SCAN_PIECE = 1 << 20  # bytes that are read at once: they stay in the processor's cache for all the texts
_CONSTANTS_MOST = 1 << 30  # of texts and numbers: 47 MB in the largest program seen
_DATA_MOST = (
    32 << 20
)  # of data that may be written: Go's tables of a PIE are there, but also the 200 MB of a program in JavaScript
_FOUND_MOST = 64  # places of one text


class TookTooLong(Exception):
    """The time for one file is over."""


class Stack(Struct, frozen=True):
    """
    A TLS implementation. A file that contains none of `texts` does not have it; `search` gets the files that do, and returns
    None where the text turns out to be of something else.
    """

    name: str
    texts: tuple[bytes, ...]
    search: Callable[[Scan], Finding | None]


class Scan:
    """The file in work. `places` are the addresses of the texts of all stacks."""

    def __init__(self, image: Image, *, seconds: float = SECONDS) -> None:
        self.image = image
        self._until = time.thread_time() + seconds  # on a busy machine a search takes longer, and ends all the same
        self.places: Mapping[bytes, list[int]] = {}

    def check(self) -> None:
        """Raise TookTooLong when the time is over."""
        if time.thread_time() >= self._until:
            raise TookTooLong

    def find(self, texts: Iterable[bytes]) -> dict[bytes, list[int]]:
        """The addresses of each text in the data of the file."""
        found: dict[bytes, list[int]] = {text: [] for text in texts}
        longest = max(map(len, found))
        buffer = bytearray(_SCAN_PIECE)
        for part in self._data():
            for at in range(0, part.size, _SCAN_PIECE - longest):
                self.check()
                size = self.image.read_into(part.offset + at, memoryview(buffer)[: part.size - at])
                for text, places in found.items():
                    place = buffer.find(text, 0, size)
                    while place >= 0 and len(places) < _FOUND_MOST:
                        places.append(part.address + at + place)
                        place = buffer.find(text, place + 1, size)
        return {text: list(dict.fromkeys(places)) for text, places in found.items()}

    def _data(self) -> list[Segment]:
        left = _CONSTANTS_MOST
        constants: list[Segment] = []
        for load in self.image.constants:
            constants.append(_cut(load, left))
            left -= constants[-1].size
        return [*constants, *(_cut(load, _DATA_MOST) for load in self.image.written)]

    @cached_property
    def code(self) -> Code:
        """Its machine code."""
        return Code(self.image, self.check)

    def text_at(self, place: int) -> tuple[int, str]:
        """
        The address and the text of the printable characters around a place. A linker may have put the text behind another
        one without a zero between them, so that code refers to any place in it.
        """
        begin = max(place - _TEXT, max((load.address for load in self.image.loads if load.address <= place), default=place))
        before = self.image.at(begin, place - begin)
        start = len(before)
        while start and 32 <= before[start - 1] < 127:
            start -= 1
        after = self.image.at(place, _TEXT).partition(b"\0")[0]
        return begin + start, (before[start:] + after).decode("ascii", errors="replace")


def _cut(load: Segment, size: int) -> Segment:
    return Segment(load.address, load.offset, size=min(load.size, size), flags=load.flags)


_TEXT = 512  # bytes before and behind a place that may be of one text
_ENDBR64 = b"\xf3\x0f\x1e\xfa"


def hook(image: Image, shape: str, address: int) -> Hook | None:
    """
    The hook for the function at an address. A push or a nop behind endbr64 is probed instead of it, since the kernel emulates
    these (see placement.py): the arguments are still in place.
    """
    offset = image.offset_of(address)
    if offset is None or not image.is_code(address):
        return None
    first = image.at(address, 8)
    if first[:4] == _ENDBR64 and _is_push_or_nop(first[4:6]):
        offset += 4
        first = first[4:]
    return Hook(shape, offset, stepped=MACHINE.reads_code and not is_emulated(first))


def _is_push_or_nop(code: bytes) -> bool:
    return len(code) == 2 and (0x50 <= code[0] <= 0x57 or code[0] == 0x90 or (code[0] == 0x41 and 0x50 <= code[1] <= 0x57))
