"""A ring into which one source writes, whatever its records say of that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from agentsight_rx.sources.kernel.ring import Decode, Growth, Ring, Taker, Takers

E = TypeVar("E")


class _One(Takers):
    def __init__(self, taker: Taker) -> None:
        super().__init__()
        self._taker = taker

    def __missing__(self, source: int) -> Taker:
        return self._taker


class Alone(Ring, Generic[E]):
    """Its records, decoded. What `decode` raises is raised."""

    def __init__(self, fd: int, size: int, decode: Decode[E], growth: Growth | None = None) -> None:
        super().__init__(fd, size)
        if growth is not None:
            self.may_grow(growth)
        self._decode = decode

    def events(self, most: int = 8192) -> list[E]:
        return self._taken(lambda: self.read(most))

    def rest_of_events(self) -> list[E]:
        return self._taken(self.rest)

    def _taken(self, read: Callable[[], None]) -> list[E]:
        found: list[E] = []
        self.takers = _One((self._decode, found, _raised))
        read()
        return found


def _raised(error: Exception) -> None:
    raise error
