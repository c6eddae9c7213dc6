"""What a span will be: its place in the tree, its times, its attributes. Ids are hashes of the ids of rows."""

from __future__ import annotations

from hashlib import blake2b
from typing import Literal

from msgspec import Struct

from .names import Attributes

__all__ = ["Planned", "PlannedEvent", "span_id", "trace_id"]


class PlannedEvent(Struct, frozen=True):
    """Something that happened within a span."""

    name: str
    time_ns: int
    attributes: Attributes


class Planned(Struct, frozen=True):
    """A span that has ended. `parent` 0: the root of its trace. `failure`: the description where it failed."""

    name: str
    kind: Literal["client", "internal"]
    trace: int
    id: int
    parent: int
    start_ns: int = 0
    end_ns: int = 0
    attributes: Attributes = {}
    failure: str | None = None
    events: tuple[PlannedEvent, ...] = ()


def trace_id(of: str) -> int:
    """The same in every replay and export. Never 0, which is not an id."""
    return int.from_bytes(blake2b(of.encode(), digest_size=16).digest()) or 1


def span_id(of: str) -> int:
    return int.from_bytes(blake2b(of.encode(), digest_size=8).digest()) or 1
