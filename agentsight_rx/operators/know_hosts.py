"""Event -> the event and, before the first, a HostsKnown: the guard behind it takes these hosts as known."""

from __future__ import annotations

from collections.abc import Iterable

from ..core.kernels import each
from ..core.machine import Checkpointed, Machine
from ..core.stream import Operator
from ..events import Event, HostsKnown, Origin

_BEFORE_NS = 5_000_000_000  # what comes late is not from before it


def know_hosts(*pairs: tuple[str, str], homes: tuple[str, ...] = ()) -> Operator[Event, Event]:
    """
    `pairs` of a workspace and a host that a session there has spoken to, and `homes` of users of this machine. So they are in
    the recording, and a replay knows them.

        --a---------------b--|
        [ know_hosts(pair)   ]
        --HostsKnown a----b--|
    """
    return each(lambda: _Knowing(pairs, homes), name="know_hosts", options=f"{len(pairs)} hosts")


class _Knowing(Machine[Event, Event], Checkpointed[bool]):
    def __init__(self, pairs: tuple[tuple[str, str], ...], homes: tuple[str, ...]) -> None:
        self._pairs, self._homes = pairs, homes
        self.state = False  # whether they were said

    def feed(self, event: Event, /) -> Iterable[Event]:
        if self.state:
            return (event,)
        self.state = True
        origin = event.origin
        time_ns = max(1, origin.time_ns - _BEFORE_NS)
        wall_ns = max(0, origin.wall_ns - (origin.time_ns - time_ns))
        return (HostsKnown(Origin(time_ns, 0, comm="guard", wall_ns=wall_ns), self._pairs, self._homes), event)
