"""A search in one file: its image, the texts that were found in it, its code, and the time that is left."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property

from msgspec import Struct

from ...kernel.machine import MACHINE
from .code import Arm64Code, Code, X86Code
from .elf import Image, Segment
from .finding import Finding, Hook
from .x86_code import is_emulated

CODES = {"x86_64": X86Code, "aarch64": Arm64Code}


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
        return CODES[MACHINE.name](self.image, self.check)

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
    return Hook(shape, offset, stepped=MACHINE.has_cheap_places and not is_emulated(first))


def _is_push_or_nop(code: bytes) -> bool:
    return len(code) == 2 and (0x50 <= code[0] <= 0x57 or code[0] == 0x90 or (code[0] == 0x41 and 0x50 <= code[1] <= 0x57))
