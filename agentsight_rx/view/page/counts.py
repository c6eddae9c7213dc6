"""A session -> how many rows each tab has."""

from __future__ import annotations

from ..log.reading import read_event_count
from ..queries.http import is_counted
from ..queries.network import named_peers
from ..rows.tables import HTTP, PROCESSES
from .picture import WHOLE, Picture

__all__ = ["counts_of"]


def counts_of(picture: Picture, session: str, /) -> dict[str, int]:
    """By tab. Files and MCP requests come from the newest 50,000 lines of the audit trail."""
    known = picture.counted.get(session)
    if known is None:
        known = picture.counted[session] = {
            "context": sum(call.messages > 0 and not call.aside for call in picture.work(session).calls),
            "processes": sum(bool(row.command) for row in picture.rows(PROCESSES, session)),
            "mcp": len(picture.audits(session, "mcp")[0]),
            "network": len({name for name, _ in named_peers(picture.audits(session, "network")[0])}),
            "files": len({row.target for row in picture.audits(session, "file")[0]}),  # the last, since turns need them too
            "http": sum(is_counted(row, picture.causes) for row in picture.rows(HTTP, session)),
            "alerts": len(picture.alerts_of(session)),
            "log": read_event_count(picture.store) if session == WHOLE or len(picture.sessions) == 1 else 0,
        }
    return known
