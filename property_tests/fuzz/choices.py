"""Fuzz input -> a payload, and small choices about it: how it is cut, where it has gaps, which options there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

import msgspec

__all__ = ["Input", "Step", "again", "spelled", "walked"]

T = TypeVar("T")

Step = bytes | int  # a piece of the payload, or a gap of so many bytes

_CHOICES_MOST = 32
_PIECES_MOST = 256  # the rest is one piece, so that a run stays short
_CHECKPOINTS_MOST = 32


class Input:
    """
    The last byte is the number of choices, the bytes before it are the choices, and the bytes before these the payload. So a
    mutation of one leaves the other unchanged. A missing choice is 0.
    """

    def __init__(self, data: bytes) -> None:
        end = max(0, len(data) - 1)
        start = end - min(end, data[-1] % (_CHOICES_MOST + 1)) if data else 0
        self.payload = data[:start]
        self._choices = data[start:end]
        self._at = 0

    def byte(self) -> int:
        at, self._at = self._at, self._at + 1
        return self._choices[at] if at < len(self._choices) else 0

    def pick(self, options: Sequence[T]) -> T:
        return options[self.byte() % len(options)]

    def pieces(self, whole: bytes) -> list[bytes]:
        """`whole` cut into pieces of up to seven repeating sizes; some may be empty. By default it is one piece."""
        sizes = [self.byte() for _ in range(self.byte() % 8)]
        made: list[bytes] = []
        at = 0
        while any(sizes) and at < len(whole) and len(made) < _PIECES_MOST:
            size = sizes[len(made) % len(sizes)]
            made.append(whole[at : at + size])
            at += size
        return [*made, whole[at:]] if at < len(whole) or not made else made

    def steps(self, whole: bytes) -> list[Step]:
        """The same, with gaps instead of some pieces."""
        pieces = self.pieces(whole)
        gaps = self.byte() | self.byte() << 8
        return [len(piece) if piece and gaps >> place % 16 & 1 else piece for place, piece in enumerate(pieces)]


def spelled(payload: bytes, *choices: int) -> bytes:
    """The fuzz input with this payload and these choices."""
    return payload + bytes([*choices, len(choices)])


class _Decoder(Protocol):
    def feed(self, data: bytes, /) -> list[Any]: ...
    def held(self) -> int: ...
    def snapshot(self) -> Any: ...
    def restore(self, state: Any, /) -> None: ...


D = TypeVar("D", bound=_Decoder)


def again(decoder: D, fresh: D) -> D:
    """`fresh` in the state of `decoder`: its snapshot goes over msgpack, as into a store."""
    fresh.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(decoder.snapshot())))
    return fresh


def walked(
    make: Callable[[], D],
    steps: Sequence[Step],
    weigh: Callable[[Any], int],
    *,
    gap: Callable[[D, int], list[Any]],
    finish: Callable[[D], list[Any]],
) -> list[Any]:
    """
    The items of the decoder for these steps and its end. Checked at each step: every byte is in an item or held, and a decoder
    that is restored from a snapshot each time returns the same.
    """
    one, other = make(), make()
    items: list[Any] = []
    fed = given = 0
    for step, checkpoint in _with_checkpoints(steps):
        if checkpoint:
            other = again(other, make())
            assert other.held() == one.held(), "what it holds after a restore"
        if isinstance(step, bytes):
            fed += len(step)
            made, same = one.feed(step), other.feed(step)
        else:
            made, same = gap(one, step), gap(other, step)
        assert made == same, "a checkpoint changes nothing"
        items += made
        given += sum(map(weigh, made))
        assert given + one.held() == fed, "every byte is given out or held"
    other = again(other, make())
    made = finish(one)
    assert made == finish(other), "a checkpoint before the end changes nothing"
    assert given + sum(map(weigh, made)) == fed, "every byte is given out at the end"
    assert one.held() == 0, "nothing is held after the end"
    return items + made


def _with_checkpoints(steps: Sequence[T]) -> Iterator[tuple[T, bool]]:
    every = len(steps) // _CHECKPOINTS_MOST + 1
    return ((step, place % every == 0) for place, step in enumerate(steps))
