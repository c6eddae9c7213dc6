"""An address in code -> the function around it, in three ways: unwind tables, targets of calls, reading instructions."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from struct import Struct as Layout

from msgspec import Struct

from .elf import EXECUTE, occurrences
from .finding import Finding
from .instructions import ARGUMENTS, ENDS, PADDING, Body, Instruction, decode
from .scan import Scan, Stack

Function = tuple[int, int]  # [start, end)
FunctionOf = Callable[[int], Function | None]

_FRAMES_HEADER = Layout("<4BiI")  # .eh_frame_hdr: version, three encodings, the address of .eh_frame, the count
_SORTED_TABLE = (1, 0x03, 0x3B)  # version, count as udata4, a table of sdata4 relative to the header
_ENTRY = Layout("<IIiI")  # an FDE: length, CIE, where its function begins (relative to the field), and its size
_LONGEST = 1 << 16  # bytes of a function of TLS code; 20 kB is the longest seen
_NEIGHBOURS = 8  # functions before and behind that are read to see which of their starts are real


def from_frames(scan: Scan) -> FunctionOf:
    """By .eh_frame_hdr, where it covers the address."""
    return Frames(scan).function_of


class Frames:
    """The functions of .eh_frame_hdr."""

    def __init__(self, scan: Scan) -> None:
        self._image = scan.image

    @cached_property
    def _table(self) -> tuple[memoryview[int], memoryview[int]]:
        """Where functions begin, in order, and where the FDE of each is, both from the address of .eh_frame_hdr."""
        segment = self._image.frames
        empty = memoryview(b"").cast("i"), memoryview(b"").cast("i")
        if segment is None or segment.size < _FRAMES_HEADER.size:
            return empty
        version, _, count_as, table_as, _, count = _FRAMES_HEADER.unpack(self._image.read(segment.offset, _FRAMES_HEADER.size))
        if (version, count_as, table_as) != _SORTED_TABLE:
            return empty
        raw = self._image.read(segment.offset + _FRAMES_HEADER.size, min(count * 8, segment.size - _FRAMES_HEADER.size))
        numbers = memoryview(raw)[: len(raw) // 8 * 8].cast("i")
        return numbers[::2], numbers[1::2]

    @property
    def _from(self) -> int:
        return self._image.frames.address if self._image.frames else 0

    def starts_around(self, first: int, last: int, *, more: int) -> list[int]:
        """Where the functions begin in [first, last], and the places of some `more` on both sides."""
        starts, _ = self._table
        low, high = (bisect_left(starts, each - self._from) for each in (first, last + 1))
        return [self._from + start for start in starts[max(0, low - more) : high + more]]

    def function_of(self, address: int) -> Function | None:
        """The function around this address."""
        starts, entries = self._table
        row = bisect_right(starts, address - self._from) - 1
        if row < 0:
            return None
        start, entry = self._from + starts[row], self._from + entries[row]
        raw = self._image.at(entry, _ENTRY.size)
        if len(raw) < _ENTRY.size:
            return None
        _, _, begin, size = _ENTRY.unpack(raw)
        if entry + 8 + begin != start or not start <= address < start + size:
            return None
        return start, start + size


def from_calls(scan: Scan) -> FunctionOf:
    """From one aligned target of calls that stands behind padding or the end of other code, to the next one."""

    def function_of(address: int) -> Function | None:
        scan.check()
        starts = [
            each for each in scan.code.called_between(address - _LONGEST, address + _LONGEST) if scan.code.may_begin(each)
        ]
        at = bisect_right(starts, address)
        if not at:
            return None
        near = starts[max(0, at - _NEIGHBOURS) : at + _NEIGHBOURS]
        end = near[-1] if near[-1] > address else near[-1] + _LONGEST
        starts = _uncrossed(near, list(decode(scan.image.at(near[0], end - near[0]), near[0])), set(starts))
        at = bisect_right(starts, address)
        return (starts[at - 1], starts[at] if at < len(starts) else end) if at else None

    return function_of


def from_reading(scan: Scan) -> FunctionOf:
    """
    For code that is packed without alignment: a function begins behind a return or a jump where no jump leads across. Reading
    begins a bit before the address; x86 code that is read from a wrong place is soon read rightly.
    """

    def function_of(address: int) -> Function | None:
        scan.check()
        first = max(
            address - _LONGEST // 4, next((each.address for each in scan.image.code if each.address <= address < each.end), 0)
        )
        code = scan.image.at(first, _LONGEST // 2)
        called = set(scan.code.called_between(first, first + len(code)))
        instructions = list(decode(code, first))
        starts = _uncrossed(_starts(instructions), instructions, called)
        at = bisect_right(starts, address)
        return (starts[at - 1], starts[at]) if 0 < at < len(starts) else None

    return function_of


def _starts(instructions: list[Instruction]) -> list[int]:
    """What stands behind the end of other code and its padding."""
    starts: list[int] = []
    ended = False
    for at, _, name, _ in instructions:
        if ended and name not in PADDING:
            starts.append(at)
        ended = name in ENDS or (ended and name in PADDING)
    return starts


def _uncrossed(starts: list[int], instructions: list[Instruction], called: set[int]) -> list[int]:
    """
    The starts that no jump leads across. A jump to a function that is also called is a tail call, which leads out of its own
    function.
    """
    jumps: list[Function] = []
    for at, _, name, operands in instructions:
        if name.startswith("j") and operands.startswith("0x"):
            target = int(operands, 16)
            if abs(target - at) < _LONGEST // 8 and (name != "jmp" or target not in called):
                jumps.append((min(at, target), max(at, target)))
    jumps.sort()
    out: list[int] = []
    reach, index = 0, 0
    for start in starts:
        while index < len(jumps) and jumps[index][0] < start:
            reach = max(reach, jumps[index][1])
            index += 1
        if reach < start:
            out.append(start)
    return out


WAYS: dict[str, Callable[[Scan], FunctionOf]] = {
    "unwind tables": from_frames,
    "targets of calls": from_calls,
    "reading of instructions": from_reading,
}


# -- reasons -------------------------------------------------------------------------------------------------------
# A source file's name in error messages -> the functions that refer to it, each with its error reasons.
#
# BoringSSL and aws-lc report an error by a call with (library, 0, reason, file, line) as constants. The reasons are numbers of
# their public headers, so the set of reasons of a function identifies it, in each version and each way to compile it.


_REASON_MOST = 65_535
_BODY_MOST = 1 << 16


class Reporter(Struct, frozen=True):
    """A function that reports errors, with their reasons and the functions that it calls or jumps to."""

    address: int
    reasons: frozenset[int]
    called: frozenset[int]


def references_to(scan: Scan, places: Iterable[int]) -> list[tuple[int, int]]:
    """(place in code, target) of what refers to the texts around these places."""
    ranges = [(scan.text_at(place)[0], place + 1) for place in places]  # whichever part of it is the text of the code
    return scan.code.references(ranges) if ranges else []


def reporters(scan: Scan, references: Iterable[tuple[int, int]], function_of: FunctionOf) -> list[Reporter]:
    """The functions around the references. A reference in no known function does not count."""
    by_function: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for place, _ in references:
        function = function_of(place)
        if function is not None:
            by_function[function].append(place)
    found: list[Reporter] = []
    for (start, end), places in sorted(by_function.items()):
        scan.check()
        body = Body(scan.image.at(start, min(end - start, _BODY_MOST)), start)
        reasons = frozenset(reason for place in places for reason in _reasons(body, place))
        found.append(Reporter(start, reasons, called=frozenset(to for to in body.called() if not start < to < end)))
    return found


def _reasons(body: Body, place: int) -> set[int]:
    """
    The reason is the argument before the file. It is the third of five, or the second of four where the compiler left out the
    unused one.
    """
    index = body.around(place)
    if index is None:
        return set()
    register, call = body.argument(index), body.next_call(index)
    if call is None or register not in ARGUMENTS[2:4]:
        return set()
    reasons = body.constants(ARGUMENTS[ARGUMENTS.index(register) - 1], call)
    return {reason for reason in reasons if 0 < reason <= _REASON_MOST}


# -- ring ----------------------------------------------------------------------------------------------------------
# rustls with ring: no C function takes plaintext there, so the candidates are the functions of rustls that call ring.
#
# Rust keeps the source position of each possible panic: a pointer to the name of the file, its length, line and column. The
# code that refers to a position in rustls' `crypto/ring/tls13.rs` was compiled from that file, and the compiler puts the
# functions of a unit next to each other. rustls calls the two that take and give plaintext through a table of methods (`dyn
# MessageEncrypter`, `dyn MessageDecrypter`), so the data hold their addresses. Which two these are, and in which argument the
# plaintext is, only a run can say.


_FILE = b"crypto/ring/tls13.rs"
_METHOD = "source positions of panics"
_PATH_MOST = 512
_RELOCATION, _ADDEND = 24, 16  # bytes of an Elf64_Rela (address, kind, addend), and where its addend is
_DATA_MOST = 64 << 20
_MORE = 8  # functions before the first and behind the last one: those of the unit that cannot panic
_CANDIDATES_MOST = 128  # uv 0.5.0 has 20


def _search(scan: Scan) -> Finding:
    positions = sorted({at for place in scan.places[_FILE] for at in _positions(scan, place)})
    references = scan.code.references([(at, at + 1) for at in positions]) if positions else []
    frames = Frames(scan)
    functions = [each for each in map(frames.function_of, (place for place, _ in references)) if each is not None]
    if not functions:
        return Finding(RING.name, _METHOD, failure="the texts of rustls with ring are there, but no code refers to them")
    starts = sorted({start for start, _ in functions})
    around = frames.starts_around(starts[0], starts[-1], more=_MORE)
    if len(around) > _CANDIDATES_MOST:  # a linker may put one of them elsewhere
        around = sorted({each for start in starts for each in frames.starts_around(start, start, more=_MORE)})
    methods = {pointer for _, pointer in _pointers(scan, frozenset(around))}
    chosen = [each for each in around if each in methods] or (around if len(around) <= _CANDIDATES_MOST else starts)
    offsets = (scan.image.offset_of(start) for start in chosen[:_CANDIDATES_MOST])
    candidates = tuple(offset for offset in offsets if offset is not None)
    why = f"{len(starts)} functions refer to {len(positions)} source positions in {_FILE.decode()}"
    return Finding(RING.name, _METHOD, evidence=(why,), failure="waiting for calibration", candidates=candidates)


def _positions(scan: Scan, place: int) -> Iterator[int]:
    """The addresses of source positions whose file name ends here: its pointer and its length fit together."""
    end = place + len(_FILE)
    for at, start in _pointers(scan, frozenset(range(end - _PATH_MOST, place + 1))):
        if int.from_bytes(scan.image.at(at + 8, 8), "little") == end - start:
            yield at


def _pointers(scan: Scan, wanted: frozenset[int]) -> Iterator[tuple[int, int]]:
    """(address, pointer) of these in the data, and in the table from which the dynamic linker fills them in (Elf64_Rela)."""
    table = scan.image.relocations()
    for at, pointer in _words(table, wanted):
        if at % _RELOCATION == _ADDEND:
            yield int.from_bytes(table[at - _ADDEND :][:8], "little"), pointer
    for load in scan.image.loads:
        scan.check()
        if not load.flags & EXECUTE:
            skip = -load.address % 8
            raw = scan.image.read(load.offset + skip, min(load.size - skip, _DATA_MOST))
            yield from ((load.address + skip + at, pointer) for at, pointer in _words(raw, wanted))


def _words(raw: bytes, wanted: frozenset[int]) -> Iterator[tuple[int, int]]:
    """(offset, word) of the aligned words of eight bytes that are among these."""
    held = wanted.intersection(memoryview(raw)[: len(raw) // 8 * 8].cast("q"))
    return ((at, word) for word in held for at in occurrences(word.to_bytes(8, "little", signed=True), raw) if at % 8 == 0)


RING = Stack("rustls with ring", texts=(_FILE,), search=_search)
