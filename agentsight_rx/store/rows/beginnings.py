"""SessionRow, TlsUseRow -> Beginning: agents and connections that are older than the capture, in the words of a report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from ..words import plural
from .kinds import SessionRow, TlsUseRow

__all__ = ["Beginning", "beginnings_of"]


class Beginning(Struct, frozen=True):
    """Which process or connections began before, and what of them is therefore missing."""

    what: str
    why: str
    pid: int

    @property
    def said(self) -> str:
        return f"{self.what}, {self.why}"


def beginnings_of(sessions: Iterable[SessionRow], uses: Iterable[TlsUseRow], /) -> Iterator[Beginning]:
    """Agents that ran before the capture began, and connections of other programs that had begun before they were read."""
    agents: set[str] = set()
    for row in sessions:
        if row.view_source == "seed" and row.calls and row.process_id is not None and row.process_id not in agents:
            agents.add(row.process_id)
            yield Beginning(
                f"{row.who} {row.pid} ran before the capture began", "any earlier calls were not seen", row.pid or 0
            )
    midway: dict[str, tuple[TlsUseRow, int]] = {}
    for use in uses:
        if use.midway and use.process_id not in agents:
            midway[use.process_id] = use, midway.get(use.process_id, (use, 0))[1] + use.midway
    for use, connections in midway.values():
        what = f"{plural(connections, 'connection')} of {use.comm} {use.pid} had begun before"
        yield Beginning(what, "what was sent there until then was not seen", use.pid)
