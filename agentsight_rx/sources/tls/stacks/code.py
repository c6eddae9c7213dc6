"""
Machine code -> the places that refer to given addresses, and the calls to them.

Longer than 300 lines because it has one search for each machine, and they share all but how an instruction looks.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from struct import Struct as Layout
from typing import ClassVar, TypeAlias, TypeVar

from .elf import Image

_T = TypeVar("_T")
_Ranges: TypeAlias = Sequence[tuple[int, int]]  # [low, high)

_PIECE = 1 << 19  # bytes of code at once: more need more memory, and have more upper halves to look for
_CODE_MOST = 1 << 30
_CALLED_MOST = 1 << 20  # addresses near the references of a file; 576 seen
_REFERENCES_MOST = 4096  # 42 to the texts of one file seen
_NEAR = 1 << 16  # bytes before and behind a reference in which `bounds` asks for calls


class Code(ABC):
    """
    The code of one image. `check` is called between steps and raises where the time is over. Pieces of it that are read at once
    have `overlap` bytes in common, so that none cuts what belongs together.
    """

    overlap: ClassVar[int] = 16  # an instruction of x86-64, and more

    def __init__(self, image: Image, check: Callable[[], None]) -> None:
        self.image = image
        self._check = check
        self._near: list[tuple[int, int]] = []  # where calls to will be asked for
        self._called: tuple[_Ranges, list[int]] = ((), [])

    def references(self, ranges: _Ranges) -> list[tuple[int, int]]:
        """
        (place, target) of the instructions that form an address within one of the ranges [start, end). The place is inside
        the instruction.
        """
        found = self._references(_joined(ranges))
        self._near += [(place - _NEAR, place + _NEAR) for place, _ in found]
        return sorted(found)[:_REFERENCES_MOST]

    @abstractmethod
    def _references(self, ranges: _Ranges) -> set[tuple[int, int]]: ...

    @abstractmethod
    def _targets(self, ranges: _Ranges, *, jumps: bool) -> Iterator[int]:
        """The targets in these ranges of everything that may be a call, or instead a jump."""

    @abstractmethod
    def may_begin(self, address: int) -> bool:
        """Whether a function may begin at this target of what seems to be a call."""

    def called(self, addresses: Iterable[int]) -> set[int]:
        """The addresses among these to which there seems to be a call or a tail call."""
        wanted = set(filter(self.image.is_code, addresses))
        found: set[int] = set()
        for jumps in (False, True):
            left = wanted - found
            found |= _first(self._targets(_joined((each, each + 1) for each in left), jumps=jumps), len(left))
        return found

    def called_between(self, low: int, high: int) -> list[int]:
        """
        The addresses in [low, high) that seem to be called, in order. The first question reads all of the code, and finds the
        calls to the surroundings of all references too.
        """
        ranges, targets = self._called
        if not any(first <= low and high <= last for first, last in ranges):
            ranges = _joined([*ranges, *self._near, (low, high)])
            calls = filter(self.image.is_code, self._targets(ranges, jumps=False))
            targets = sorted(_first(calls, _CALLED_MOST))
            self._called = ranges, targets
        return targets[bisect_left(targets, low) : bisect_left(targets, high)]

    def _pieces(self) -> Iterator[tuple[int, bytes]]:
        """(address, bytes) of the code; the pieces overlap so that no instruction is cut."""
        left = _CODE_MOST
        for load in self.image.code:
            size = min(load.size, left)
            left -= size
            for at in range(0, size, _PIECE - self.overlap):
                self._check()
                yield load.address + at, self.image.read(load.offset + at, min(_PIECE, size - at))


# -- x86-64 --------------------------------------------------------------------------------------------------------
# Nothing is disassembled here.


_ALIGNED = 16  # where functions begin
_SIGNED, _UNSIGNED = Layout("<i"), Layout("<I")

# An operation and what stands between it and its displacement of 32 bits; %s is the upper half of the displacement. Everything
# behind the first byte is only looked at, since another operation may begin there.
_LEA = rb"\x8d(?=[\x05\x0d\x15\x1d\x25\x2d\x35\x3d]..%s)"  # lea r, [rip + disp32]
_CALL, _JUMP = rb"\xe8(?=..%s)", rb"\xe9(?=..%s)"
# The upper half of a constant of 32 bits behind mov r32, imm32 or push imm32.
_ABSOLUTE = rb"\x%02x(?=\x%02x)(?<=[\xb8-\xbf\x68]...)"


class X86Code(Code):
    """
    A displacement to a known address has one of a few upper halves in each piece of the code. So a regular expression finds
    the candidates, at 1.5 GB/s, and only those are calculated.
    """

    def _references(self, ranges: _Ranges) -> set[tuple[int, int]]:
        """The place is the displacement or the constant."""
        data = self.image.constants + self.image.written
        leas = (
            (place, target)
            for place, target in self._displaced(_LEA, 2, ranges)
            if any(load.address <= target < load.end for load in data)
        )
        found = _first(leas, _REFERENCES_MOST)
        return found | _first(self._absolute(ranges), _REFERENCES_MOST) if self.image.absolute else found

    def _targets(self, ranges: _Ranges, *, jumps: bool) -> Iterator[int]:
        return (target for _, target in self._displaced(_JUMP if jumps else _CALL, 1, ranges))

    def may_begin(self, address: int) -> bool:
        if address % _ALIGNED:
            return False
        before = self.image.at(address - 5, 5)
        # a jump or a call ends there, a ret, or padding: int3, nop, or the zeros at the end of a long nop
        return len(before) == 5 and (before[0] in (0xE8, 0xE9) or before[3] == 0xEB or before[4] in (0xC3, 0xCC, 0x90, 0x00))

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

    def _displaced(self, operation: bytes, size: int, ranges: _Ranges) -> Iterator[tuple[int, int]]:
        """
        (place of the displacement, target) of everything that may be this operation, whose displacement is `size` bytes behind
        its begin, with a target in one of the ranges.
        """
        is_within = _within(ranges)
        for start, piece in self._pieces():
            base = start + size + 4  # from which the first byte's displacement counts
            upper = _upper_halves((low - base - len(piece), high - base) for low, high in ranges)
            if not upper:
                continue
            for match in re.compile(operation % upper, re.DOTALL).finditer(piece):
                at = match.start()
                target = base + at + _SIGNED.unpack_from(piece, at + size)[0]
                if is_within(target):
                    yield start + at + size, target


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


def _within(ranges: _Ranges) -> Callable[[int], bool]:
    """Whether a number is in one of these ranges, which are in order."""
    lows, highs = [low for low, _ in ranges], [high for _, high in ranges]

    def is_within(number: int) -> bool:
        at = bisect_right(lows, number) - 1
        return at >= 0 and number < highs[at]

    return is_within


def _first(found: Iterator[_T], most: int) -> set[_T]:
    """The first different ones."""
    different: set[_T] = set()
    while len(different) < most:
        try:
            different.add(next(found))
        except StopIteration:
            break
    return different


# -- arm64 ---------------------------------------------------------------------------------------------------------
# Source: Arm Architecture Reference Manual, chapter C4 (A64 instruction set encoding). An instruction is a word of 32 bits,
# little endian, at an address that is a multiple of 4.


_WORD = Layout("<I").unpack_from
_BRANCH_LINK, _BRANCH = 0x94000000, 0x14000000  # bl, b: a displacement of 26 bits, in words
_BITS = (1 << 26) - 1
_ADRP = re.compile(rb"[\x90\xb0\xd0\xf0]")
_PAGE = 1 << 12
_APART = 24  # instructions between adrp and the add that goes with it; 15 seen
_ADD, _ADD_MASK = 0x91000000, 0xFFC00000  # add Xd, Xn, #imm12


class Arm64Code(Code):
    """
    The code of one image. An address is formed by adrp, which gives a page, and an add with the place in it; some instructions
    may stand between them. A reference has the place of the add.
    """

    overlap = 4 * _APART

    def may_begin(self, address: int) -> bool:
        return address % 4 == 0  # code is read in words, so that what looks like a call is one

    def _references(self, ranges: _Ranges) -> set[tuple[int, int]]:
        return _first(self._formed(ranges), _REFERENCES_MOST)

    def _formed(self, ranges: _Ranges) -> Iterator[tuple[int, int]]:
        is_within = _within(ranges)
        for start, piece in self._pieces():
            for at, page in _pages(start, piece, ranges):
                register = piece[at] & 31
                for next_ in range(at + 4, min(at + 4 * _APART, len(piece) - 3), 4):
                    (word,) = _WORD(piece, next_)
                    if word & _ADD_MASK != _ADD or word >> 5 & 31 != register:
                        continue
                    target = page + (word >> 10 & 0xFFF)
                    if is_within(target):
                        yield start + next_, target

    def _targets(self, ranges: _Ranges, *, jumps: bool) -> Iterator[int]:
        is_within = _within(ranges)
        for start, piece in self._pieces():
            upper = _upper_halves(_words(_BRANCH if jumps else _BRANCH_LINK, start, len(piece), ranges))
            for match in re.compile(b"(?=%s)" % upper, re.DOTALL).finditer(piece, 2) if upper else ():
                at = match.start() - 2
                target = start + at + _displacement(_WORD(piece, at)[0])
                if at % 4 == 0 and is_within(target):
                    yield target


def _pages(start: int, piece: bytes, ranges: _Ranges) -> Iterator[tuple[int, int]]:
    """(offset, page) of the adrp in this piece whose page has a part of one of the ranges."""
    wanted = {page for low, high in ranges for page in range(low // _PAGE, (high - 1) // _PAGE + 1)}
    first, last = start // _PAGE, (start + len(piece)) // _PAGE
    # bits 23 to 8 of the word are bits 20 to 5 of the displacement in pages
    middles = {(page - here >> 5) & 0xFFFF for page in wanted for here in (*range(first, last + 1, 32), last)}
    if not middles:
        return
    choices = b"|".join(re.escape(middle.to_bytes(2, "little")) for middle in sorted(middles))
    for match in re.compile(b"(?=(?:%s)%s)" % (choices, _ADRP.pattern), re.DOTALL).finditer(piece, 1):
        at = match.start() - 1
        if at % 4:
            continue
        (word,) = _WORD(piece, at)
        pages = (word >> 5 & 0x7FFFF) << 2 | word >> 29 & 3
        page = (start + at) // _PAGE + (pages - (1 << 21) if pages >> 20 else pages)
        if page in wanted:
            yield at, page * _PAGE


def _words(operation: int, start: int, size: int, ranges: _Ranges) -> Iterator[tuple[int, int]]:
    """The words, as signed numbers, that this operation may have in a piece for targets in the ranges."""
    for low, high in ranges:
        least, most = (low - start - size) >> 2, (high - start) >> 2
        for begin, end in ((max(least, -1 << 25), min(most, -1)), (max(least, 0), min(most, (1 << 25) - 1))):
            if begin <= end:
                first, last = (operation | (each & _BITS) for each in (begin, end))
                yield _signed(first), _signed(last)


def _signed(word: int) -> int:
    return word - (1 << 32) if word >> 31 else word


def _displacement(word: int) -> int:
    words = word & _BITS
    return (words - (1 << 26) if words >> 25 else words) * 4
