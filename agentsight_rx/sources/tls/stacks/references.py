"""Machine code -> the places that refer to given addresses, and the calls in it. Nothing is disassembled here."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# numpy's own types are not known in full
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from .elf import Image, Segment

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]
    Numbers = NDArray[np.int64]

__all__ = ["Code"]

_PIECE = 4 << 20  # bytes of code at once: what numpy makes of them stays below 200 MB, even if each byte is a call
_CODE_MOST = 1 << 30
_JUMPS_MOST = 1 << 23  # 263 MB of code have 3,000,000
_REFERENCES_MOST = 4096  # 42 to the texts of one file seen
_LEA, _RIP_MASK, _RIP = 0x8D, 0xC7, 0x05  # lea r, [rip + disp32]
_MOVE, _MOVE_MASK, _PUSH = 0xB8, 0xF8, 0x68  # mov r32, imm32 and push imm32
_CALL, _JUMP = 0xE8, 0xE9


class Code:
    """The code of one image. `check` is called between steps and raises where the time is over."""

    def __init__(self, image: Image, check: Callable[[], None]) -> None:
        self.image = image
        self._check = check

    def references(self, ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """
        (place, target) of the instructions that form an address within one of the ranges [start, end). The place is inside
        the instruction, at its displacement or its constant.
        """
        import numpy as np

        found: set[tuple[int, int]] = set()
        places, targets = self._leas
        for low, high in ranges:
            for index in np.flatnonzero((targets >= low) & (targets < high)):
                found.add((int(places[index]), int(targets[index])))
        if self.image.absolute:
            for start, piece in self._pieces():
                found.update(self._absolute(start, piece, ranges))
        return sorted(found)[:_REFERENCES_MOST]

    @cached_property
    def _leas(self) -> tuple[Numbers, Numbers]:
        """(places, targets) of everything that may be a lea of an address in data."""
        import numpy as np

        places: list[Numbers] = [np.zeros(0, dtype=np.int64)]
        targets: list[Numbers] = [np.zeros(0, dtype=np.int64)]
        data = self.image.constants + self.image.written
        count = 0
        for start, piece in self._pieces():
            end = len(piece) - 5
            if end <= 0 or count > _JUMPS_MOST:
                continue
            at = np.flatnonzero((piece[:end] == _LEA) & ((piece[1 : end + 1] & _RIP_MASK) == _RIP)) + 2
            to = start + at + 4 + _signed(piece, at)
            inside = _inside(to, data)
            places.append(start + at[inside])
            targets.append(to[inside])
            count += int(inside.sum())
        return np.concatenate(places), np.concatenate(targets)

    def _absolute(self, start: int, piece: Bytes, ranges: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """An absolute address of 32 bits: its upper half first, at even and at odd places."""
        import numpy as np

        halves = sorted({half for low, high in ranges for half in range(low >> 16, ((high - 1) >> 16) + 1) if half < 1 << 16})
        for shift in (0, 1):
            view = piece[shift : shift + (len(piece) - shift) // 2 * 2].view("<u2")
            for half in halves:
                for index in np.flatnonzero(view == half):
                    at = int(index) * 2 + shift - 2
                    if at < 1 or not (piece[at - 1] & _MOVE_MASK == _MOVE or piece[at - 1] == _PUSH):
                        continue
                    target = half << 16 | int(piece[at + 1]) << 8 | int(piece[at])
                    if any(low <= target < high for low, high in ranges):
                        yield start + at, target

    @cached_property
    def _calls(self) -> tuple[Numbers, Numbers]:
        return self._jumps(_CALL)

    @cached_property
    def _tail_calls(self) -> tuple[Numbers, Numbers]:
        return self._jumps(_JUMP)

    def _jumps(self, operation: int) -> tuple[Numbers, Numbers]:
        """(places, targets) of every byte that may be this operation with an address of code, sorted by target."""
        import numpy as np

        places: list[Numbers] = [np.zeros(0, dtype=np.int64)]
        targets: list[Numbers] = [np.zeros(0, dtype=np.int64)]
        count = 0
        for start, piece in self._pieces():
            end = len(piece) - 4
            if end <= 0 or count > _JUMPS_MOST:
                continue
            at = np.flatnonzero(piece[:end] == operation) + 1
            to = start + at + 4 + _signed(piece, at)
            inside = _inside(to, self.image.code)
            places.append(start + at[inside] - 1)
            targets.append(to[inside])
            count += int(inside.sum())
        all_places, all_targets = np.concatenate(places), np.concatenate(targets)
        order = np.argsort(all_targets, kind="stable")
        return all_places[order], all_targets[order]

    def has_callers(self, address: int) -> bool:
        """Whether there seems to be a call or a tail call to this address."""
        return any(len(_between(jumps, address, address + 1)) for jumps in (self._calls, self._tail_calls))

    def called_between(self, low: int, high: int) -> list[int]:
        """The addresses in [low, high) that seem to be called, in order."""
        import numpy as np

        return [int(target) for target in np.unique(_between(self._calls, low, high))]

    def _pieces(self) -> Iterator[tuple[int, Bytes]]:
        """(address, bytes) of the code; the pieces overlap so that no instruction is cut."""
        import numpy as np

        left = _CODE_MOST
        for load in self.image.code:
            size = min(load.size, left)
            left -= size
            for at in range(0, size, _PIECE - 16):
                self._check()
                yield load.address + at, np.frombuffer(self._bytes(load, at, min(_PIECE, size - at)), dtype=np.uint8)

    def _bytes(self, load: Segment, at: int, size: int) -> bytes:
        return self.image.read(load.offset + at, size)


def _inside(addresses: Numbers, loads: Iterable[Segment]) -> NDArray[np.bool_]:
    """Which of the addresses are in one of the segments."""
    import numpy as np

    inside = np.zeros(len(addresses), dtype=bool)
    for load in loads:
        inside |= (addresses >= load.address) & (addresses < load.end)
    return inside


def _between(jumps: tuple[Numbers, Numbers], low: int, high: int) -> Numbers:
    import numpy as np

    first, last = np.searchsorted(jumps[1], [low, high])
    return jumps[1][first:last]


def _signed(piece: Bytes, at: Numbers) -> Numbers:
    """The signed 32-bit numbers at these places."""
    import numpy as np

    number = piece[at].astype(np.int64)
    for index in (1, 2):
        number |= piece[at + index].astype(np.int64) << (8 * index)
    return number | piece[at + 3].astype(np.int8).astype(np.int64) << 24
