"""Several operators -> one, under a name of its own. It costs nothing at run time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar, overload

import msgspec

from .machine import Kernel, encode_state
from .stream import Operator

__all__ = ["compose"]

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
E = TypeVar("E")
F = TypeVar("F")
A_contra = TypeVar("A_contra", contravariant=True)
B_co = TypeVar("B_co", covariant=True)


@overload
def compose(name: str, o1: Operator[A, B], o2: Operator[B, C], /) -> Operator[A, C]: ...
@overload
def compose(name: str, o1: Operator[A, B], o2: Operator[B, C], o3: Operator[C, D], /) -> Operator[A, D]: ...
@overload
def compose(name: str, o1: Operator[A, B], o2: Operator[B, C], o3: Operator[C, D], o4: Operator[D, E], /) -> Operator[A, E]: ...
@overload
def compose(
    name: str, o1: Operator[A, B], o2: Operator[B, C], o3: Operator[C, D], o4: Operator[D, E], o5: Operator[E, F], /
) -> Operator[A, F]: ...
def compose(name: str, *operators: Operator[Any, Any]) -> Operator[Any, Any]:
    """
    One operator that applies `operators` in order. In a run, in the ledger and in --explain each of them has its own line.
    """
    return _Composed(name, operators)


class _Composed(Operator[A_contra, B_co]):
    def __init__(self, name: str, operators: Sequence[Operator[Any, Any]]) -> None:
        super().__init__(name, lambda site: _Sequence([each.kernel(site) for each in operators]))
        self._operators = operators

    @property
    def stages(self) -> tuple[Operator[Any, Any], ...]:
        return tuple(stage for operator in self._operators for stage in operator.stages)


class _Sequence(Kernel[A_contra, B_co]):
    """Several kernels as one. A `Stream` runs them apart; this is for other ways to run an operator."""

    def __init__(self, kernels: Sequence[Kernel[Any, Any]]) -> None:
        self._kernels = kernels

    def feed(self, batch: Sequence[A_contra], /) -> Sequence[B_co]:
        return self._through(0, batch)

    def _through(self, first: int, batch: Sequence[Any]) -> Sequence[Any]:
        for kernel in self._kernels[first:]:
            if not batch:
                break
            batch = kernel.feed(batch)
        return batch

    @property
    def ticks(self) -> bool:
        return any(kernel.ticks for kernel in self._kernels)

    def tick(self, now_ns: int, /) -> Sequence[B_co]:
        out: list[B_co] = []
        for place, kernel in enumerate(self._kernels, 1):
            out += self._through(place, kernel.tick(now_ns))
        return out

    def finish(self) -> Sequence[B_co]:
        out: list[B_co] = []
        for place, kernel in enumerate(self._kernels, 1):
            out += self._through(place, kernel.finish())
        return out

    def snapshot(self) -> bytes:
        return encode_state([kernel.snapshot() for kernel in self._kernels])

    def restore(self, state: bytes, /) -> None:
        for kernel, saved in zip(self._kernels, msgspec.msgpack.decode(state, type=list[bytes]), strict=True):
            kernel.restore(saved)

    def held(self) -> int:
        return sum(kernel.held() for kernel in self._kernels)
