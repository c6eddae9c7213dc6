"""
rustls with ring: no C function takes plaintext there, so the candidates are the functions of rustls that call ring.

Rust keeps the source position of each possible panic: a pointer to the name of the file, its length, line and column. The code
that refers to a position in rustls' `crypto/ring/tls13.rs` was compiled from that file, and the compiler puts the functions of
a unit next to each other. Which of them takes or gives plaintext, and in which argument, only a run can say.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct as Layout

from .bounds import Frames
from .elf import EXECUTE, occurrences
from .finding import Finding
from .scan import Scan, Stack

__all__ = ["RING"]

_FILE = b"crypto/ring/tls13.rs"
_METHOD = "source positions of panics"
_PATH_MOST = 512
_RELOCATION, _ADDEND = Layout("<qqq"), 16  # Elf64_Rela: address, kind, addend
_DATA_MOST = 64 << 20
_MORE = 8  # functions before the first and behind the last one: those of the unit that cannot panic
_CANDIDATES_MOST = 128  # uv 0.5.0 has 28


def _search(scan: Scan) -> Finding:
    positions = sorted({at for place in scan.places[_FILE] for at in _positions(scan, place)})
    references = scan.code.references([(at, at + 1) for at in positions]) if positions else []
    frames = Frames(scan)
    functions = [each for each in map(frames.function_of, (place for place, _ in references)) if each is not None]
    if not functions:
        return Finding(RING.name, _METHOD, failure="the texts of rustls with ring are there, but no code refers to them")
    starts = sorted({start for start, _ in functions})
    around = frames.starts_around(starts[0], starts[-1], more=_MORE)
    chosen = around if len(around) <= _CANDIDATES_MOST else starts[:_CANDIDATES_MOST]
    offsets = (scan.image.offset_of(start) for start in chosen)
    candidates = tuple(offset for offset in offsets if offset is not None)
    why = f"{len(starts)} functions refer to {len(positions)} source positions in {_FILE.decode()}"
    return Finding(RING.name, _METHOD, evidence=(why,), failure="waiting for calibration", candidates=candidates)


def _positions(scan: Scan, place: int) -> Iterator[int]:
    """The addresses of source positions whose file name ends here: its pointer and its length fit together."""
    end = place + len(_FILE)
    image = scan.image
    for at, start in (*_relocated(scan, place), *_in_place(scan, place)):
        if int.from_bytes(image.at(at + 8, 8), "little") == end - start:
            yield at


def _relocated(scan: Scan, place: int) -> Iterator[tuple[int, int]]:
    """(address, pointer) of the pointers near the text that the dynamic linker fills in from a table (Elf64_Rela)."""
    table = scan.image.relocations()
    for at, pointer in _pointers(table, place):
        if at % _RELOCATION.size == _ADDEND:
            yield _RELOCATION.unpack_from(table, at - _ADDEND)[0], pointer


def _in_place(scan: Scan, place: int) -> Iterator[tuple[int, int]]:
    """(address, pointer) of the pointers near the text that are in the data themselves."""
    for load in scan.image.loads:
        scan.check()
        if load.flags & EXECUTE:
            continue
        skip = -load.address % 8
        raw = scan.image.read(load.offset + skip, min(load.size - skip, _DATA_MOST))
        yield from ((load.address + skip + at, pointer) for at, pointer in _pointers(raw, place) if at % 8 == 0)


def _pointers(raw: bytes, place: int) -> Iterator[tuple[int, int]]:
    """(offset, pointer) of the pointers to at most _PATH_MOST bytes before this place, by their upper seven bytes."""
    low = max(0, place - _PATH_MOST + 1)
    for upper in range(low >> 8, (place >> 8) + 1):
        for at in occurrences(upper.to_bytes(7, "little"), raw):
            pointer = upper << 8 | raw[at - 1]
            if at and low <= pointer <= place:
                yield at - 1, pointer


RING = Stack("rustls with ring", texts=(_FILE,), search=_search)
