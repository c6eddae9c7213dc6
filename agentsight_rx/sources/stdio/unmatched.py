"""Chunks that come before their other end is known -> events: held back until it is, or until that no longer matters."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

from msgspec.structs import replace

from ...events import Channel, StdioChunk, StdioClose, StdioEvent

HOLD_NS = 10_000_000  # how long a first write waits for the first read: a process that wakes itself up reads at once

_EARLY_MOST = 256  # chunks written to sockets that are not accepted yet
_KNOWN_MOST = 65_536  # channels; more inodes than a program may have open files


class NoReader(NamedTuple):
    """A chunk whose reading end was not seen: there was no read yet, or the socket is not accepted."""

    chunk: StdioChunk
    writing_end: int  # its inode, where the socket is not accepted; else 0


class Pair(NamedTuple):
    """A chunk on a socket of which both ends are known."""

    chunk: StdioChunk
    writing_end: int  # its inode; that of the reading end names the channel


class OwnChannel(NamedTuple):
    """The same process writes and reads this channel."""

    channel: Channel


Seen: TypeAlias = StdioEvent | NoReader | Pair | OwnChannel


class Unmatched:
    """
    The chunks that are held back.

    A first write waits for a first read, for `HOLD_NS` at most: where the writer itself reads, the channel is left out. Data
    that is written to a socket before it is accepted waits for the inode of the accepting end, which names its channel.
    """

    def __init__(self) -> None:
        self._held: dict[Channel, list[StdioChunk]] = {}
        self._known: dict[Channel, None] = {}  # channels of which nothing is held back any more
        self._early: OrderedDict[int, list[StdioChunk]] = OrderedDict()  # by the inode of the end that wrote
        self._lost: list[StdioChunk] = []

    @property
    def waits(self) -> bool:
        """A first write waits for its reader."""
        return bool(self._held)

    @property
    def wants_pairs(self) -> bool:
        """Something was written to a socket that is not accepted yet."""
        return bool(self._early)

    def knows(self, channel: Channel) -> bool:
        return channel in self._known

    def settle(self, seen: Iterable[Seen]) -> list[StdioEvent]:
        """The events that are certain now, in order."""
        out: list[StdioEvent] = []
        for item in seen:
            match item:
                case NoReader():
                    self._hold(item)
                case OwnChannel():
                    self._held.pop(item.channel, None)
                case Pair():
                    self._accepted(item, out)
                    self._release(item.chunk.channel, out)
                    out.append(item.chunk)
                case StdioChunk():
                    if self._held:
                        self._release(item.channel, out)
                    out.append(item)
                case _:
                    if self._held and isinstance(item, StdioClose):
                        for channel in list(self._held):
                            self._release(channel, out)
                    out.append(item)
        return out

    def _hold(self, item: NoReader) -> None:
        chunk = item.chunk
        if not item.writing_end:
            self._held.setdefault(chunk.channel, []).append(chunk)
            return
        self._early.setdefault(item.writing_end, []).append(chunk)
        while sum(map(len, self._early.values())) > _EARLY_MOST:
            self._lost += self._early.popitem(last=False)[1]

    def _accepted(self, pair: Pair, out: list[StdioEvent]) -> None:
        """Both ends of a socket are known, so what either wrote before has a channel."""
        one, other = pair.chunk.channel.inode, pair.writing_end
        for writing_end, reading_end in ((one, other), (other, one)):
            channel = Channel("unix", reading_end)
            out += [replace(chunk, channel=channel) for chunk in self._early.pop(writing_end, ())]

    def _release(self, channel: Channel, out: list[StdioEvent]) -> None:
        held = self._held.pop(channel, None)
        if held is not None:
            out += held
            if len(self._known) >= _KNOWN_MOST:
                self._known.clear()
            self._known[channel] = None

    def overdue(self, now_ns: int) -> list[StdioEvent]:
        """First writes that were not read for so long that the writer will not read them."""
        out: list[StdioEvent] = []
        for channel, chunks in list(self._held.items()):
            first = chunks[0]
            if first.origin.time_ns + first.latency_ns <= now_ns - HOLD_NS:
                self._release(channel, out)
        return out

    def finish(self) -> list[StdioEvent]:
        """No more comes: first writes are events; data in sockets that were not accepted is lost."""
        rest: list[StdioEvent] = [chunk for chunks in self._held.values() for chunk in chunks]
        self._held.clear()
        for chunks in self._early.values():
            self._lost += chunks
        self._early.clear()
        return rest

    def take_lost(self) -> list[StdioChunk]:
        """Chunks of which the channel will never be known, since this was called last."""
        lost, self._lost = self._lost, []
        return lost
