"""What a search for a TLS implementation in a file found: the functions to probe, and the evidence."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

Placement: TypeAlias = Literal["cheap", "entry"]  # where a probe costs least, or where each function begins


class Hook(Struct, frozen=True):
    """
    A function to probe. `shape` is a name in SHAPES of records.py: where the arguments and the result are. `offset` is the
    file offset of its first instruction that may be probed. Go: `returns` are the file offsets of its ret instructions, since a
    return probe would break a stack that the runtime moves. rustls with ring: `layout` is the place of the plaintext, as in
    bpf/tls_ring.c, where the type of a record is, its value for application data, and the first byte of a result (-1: none).

    `stepped`: the kernel steps through the instruction there, which takes 10 µs a hit on a virtual machine. `instead`, if there
    is one, sees the same calls for less.
    """

    shape: str
    offset: int
    returns: tuple[int, ...] = ()
    layout: tuple[int, ...] = ()
    stepped: bool = False
    instead: Hook | None = None


class Finding(Struct, frozen=True):
    """
    One TLS implementation in one file. Without hooks, `failure` says why its functions were not found. `evidence` is what in
    the file led to each function, one sentence each, for `doctor --probe`. `candidates` are file offsets of functions of which
    only a run can say which ones carry plaintext. `exact`: these are the functions by their names; else the bytes that they
    give must prove it.
    """

    stack: str
    method: str
    hooks: tuple[Hook, ...] = ()
    evidence: tuple[str, ...] = ()
    failure: str = ""
    candidates: tuple[int, ...] = ()
    exact: bool = False

    def placed(self, placement: Placement) -> tuple[Hook, ...]:
        """The hooks to probe, each once."""
        if placement == "entry":
            return self.hooks
        return tuple(dict.fromkeys(hook.instead or hook for hook in self.hooks))
