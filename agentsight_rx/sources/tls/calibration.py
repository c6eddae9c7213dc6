"""Records of functions that are on trial -> which of them carries plaintext, and where: the layout of rustls with ring."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, NamedTuple

from msgspec import Struct

from .stacks.finding import Finding, Hook

# What bpf/tls_ring.c sends of a struct, and of the plaintext
_STRUCT = 64
_PAIR = 16
_SAMPLES_MOST = 64  # of one place; a connection that works has shown its first request by then
_BANNED_MOST = 4
_LEARNING, _TYPED, _UNTYPED = 0, 1, 2
_APPLICATION, _HANDSHAKE = 23, 22  # RFC 8446 section 5.1
_SHAPES = ("ring_decrypt", "ring_encrypt")  # by direction
LEARNT = "its layout was learnt from a connection"


class Sample(NamedTuple):
    """A record: the place of its pair (pointer, length), the struct around it, its first bytes, its length."""

    place: int
    struct: bytes
    first: bytes
    size: int


class Layout(NamedTuple):
    """
    Where the type of a record is in the struct, and its value for application data. `tag` is the first byte of each result,
    which differs in an error of Rust; -1 where there is none.
    """

    type_at: int
    type: int
    tag: int = -1


def type_of(sample: Sample) -> int:
    """23 for the begin of HTTP, 22 for a message of the handshake, 0 where the bytes do not say it."""
    first, size = sample.first, sample.size
    if first.startswith((b"PRI * HTTP/2.0\r\n", b"HTTP/1.")) or _is_request(first):
        return _APPLICATION
    if size >= 9 and first[:1] == b"\0" and first[3:4] == b"\4" and first[5:9] == bytes(4):  # SETTINGS
        return _APPLICATION
    length = int.from_bytes(first[1:4], "big")
    if size > length >= 2 and (
        (first[0] == 20 and size == length + 4 and length in (32, 48))
        or (first[0] == 8 and int.from_bytes(first[4:6], "big") == length - 2)
        or (first[0] == 11 and first[4] == 0 and int.from_bytes(first[5:8], "big") == length - 4)
    ):
        return _HANDSHAKE
    return 0


def _is_request(first: bytes) -> bool:
    method, space, target = first.partition(b" ")
    return bool(space) and 3 <= len(method) <= 7 and method.isalpha() and method.isupper() and target[:1] in (b"/", b"*", b"h")


def layout_of(samples: Sequence[Sample]) -> Layout | None:
    """
    The layout that all samples of one place agree on. The types of records have their order: application data is one more
    than a handshake message, as a number on the wire (23, 22) and as an enumeration of the compiler (3, 2). None until both
    have been seen, and while more than one byte can be the type.
    """
    kinds = [(type_of(sample), sample) for sample in samples]
    applications = [sample for kind, sample in kinds if kind == _APPLICATION]
    handshakes = [sample for kind, sample in kinds if kind == _HANDSHAKE]
    if not applications or not handshakes:
        return None
    pair = (samples[0].place >> 8 & 0xFF) * 8
    tags = {sample.struct[0] for sample in samples}
    tag = tags.pop() if pair and len(tags) == 1 else -1
    fits: list[Layout] = []
    for at in (at for at in range(_STRUCT) if not pair <= at < pair + _PAIR):
        values = {sample.struct[at] for sample in applications}
        others = {sample.struct[at] for sample in handshakes}
        value = applications[0].struct[at]
        if values == {value} and others == {value - 1}:
            fits.append(Layout(at, value, tag))
    known = [fit for fit in fits if fit.type in (3, _APPLICATION)]
    return known[0] if len(known) == 1 else fits[0] if len(fits) == 1 else None


class Trial(Struct):
    """One direction of one library. `done` once its layout is known, or no more samples are wanted."""

    place: int = 0
    samples: list[Sample] = []
    banned: list[int] = []
    http: bool = False  # the place has shown HTTP
    layout: Layout | None = None
    done: bool = False

    def take(self, sample: Sample) -> bool:
        """Whether the kernel's side has to learn something."""
        if self.done or sample.place in self.banned:
            return False
        if sample.place != self.place:
            self.place, self.samples, self.http = sample.place, [], False
        self.samples.append(sample)
        self.http = self.http or type_of(sample) == _APPLICATION
        self.layout = layout_of(self.samples)
        if self.layout is not None:
            self.done = True
        elif len(self.samples) >= _SAMPLES_MOST:
            if self.http or len(self.banned) >= _BANNED_MOST:
                self.done = True
            else:
                self.banned.append(self.place)
                self.place = 0
        else:
            return False
        return True

    @property
    def state(self) -> int:
        return _TYPED if self.layout else _UNTYPED if self.done else _LEARNING

    def hook(self, direction: int) -> Hook | None:
        if self.layout is None:
            return None
        return Hook(_SHAPES[direction], self.place >> 24, layout=(self.place & 0xFFFFFF, *self.layout))


class Calibration:
    """The trials of all libraries, and the table of the kernel's side that holds what they found."""

    def __init__(self, table: Any) -> None:
        self._table = table
        self._trials: dict[tuple[int, int], Trial] = {}

    def begin(self, number: int, finding: Finding) -> None:
        """The knowledge about the library with this number: its layout, or nothing yet."""
        known = {hook.shape: hook for hook in finding.hooks}
        for direction, shape in enumerate(_SHAPES):
            hook = known.get(shape)
            trial = self._trials[number, direction] = Trial()
            if hook is not None:
                pair, at, value, tag = hook.layout
                trial.place, trial.layout, trial.done = hook.offset << 24 | pair, Layout(at, value, tag), True
            self._put(number, direction)

    def trusts(self, number: int, direction: int) -> bool:
        """Whether what the library gives in this direction is plaintext, as far as it is known."""
        trial = self._trials.get((number, direction))
        return trial is None or trial.http or trial.done

    def take(self, number: int, direction: int, sample: Sample) -> tuple[Hook, Hook] | None:
        """The two functions, once the layout of both is known."""
        trial = self._trials.get((number, direction))
        if trial is None or not trial.take(sample):
            return None
        self._put(number, direction)
        hooks = [self._trials[number, each].hook(each) for each in range(2)]
        return (hooks[0], hooks[1]) if hooks[0] and hooks[1] else None

    def _put(self, number: int, direction: int) -> None:
        trial = self._trials[number, direction]
        leaf = self._table.Leaf(place=trial.place, state=trial.state)
        for index, place in enumerate(trial.banned):
            leaf.banned[index] = place
        if trial.layout is not None:
            leaf.type_at, leaf.type = trial.layout.type_at, trial.layout.type
            leaf.tag = trial.layout.tag + 1
        self._table[ctypes.c_uint32(number << 1 | direction)] = leaf
