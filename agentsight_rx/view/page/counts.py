"""A session -> how many rows each tab has, and of which tabs there are more."""

from __future__ import annotations

from ...store.log.reading import read_event_count
from ...store.rows.tables import HTTP, PROCESSES
from ..queries.http import is_counted
from ..queries.network import named_peers
from .picture import WHOLE, Picture

__all__ = ["counts_of"]


def counts_of(picture: Picture, session: str, /) -> tuple[dict[str, int], tuple[str, ...]]:
    """By tab, and the tabs of which only the newest rows were counted."""
    known = picture.counted.use(session)
    if known is None:
        known = _counted(picture, session)
        picture.counted.put(session, known)
    return known


def _counted(picture: Picture, session: str) -> tuple[dict[str, int], tuple[str, ...]]:
    work = picture.work(session)
    processes, all_processes = picture.newest_rows(PROCESSES, session)
    started = sum(bool(row.command) for row in processes)
    del processes  # 8 MB, and the next one as well
    exchanges, all_exchanges = picture.newest_rows(HTTP, session)
    asked = sum(is_counted(row, picture.causes) for row in exchanges)
    del exchanges
    mcp, all_mcp = picture.audits(session, "mcp")
    network, all_network = picture.audits(session, "network")
    files, all_files = picture.audits(session, "file")  # the last, since turns need them too
    counts = {
        "context": sum(call.messages > 0 and not call.aside for call in work.calls),
        "processes": started,
        "mcp": len(mcp),
        "network": len({name for name, _ in named_peers(network)}),
        "files": len({row.target for row in files}),
        "http": asked,
        "alerts": len(picture.alerts_of(session)),
        "log": read_event_count(picture.store) if session == WHOLE or len(picture.sessions) == 1 else 0,
    }
    whole = {
        "context": not work.cut,
        "processes": all_processes,
        "mcp": all_mcp,
        "network": all_network,
        "files": all_files,
        "http": all_exchanges,
    }
    return counts, tuple(name for name, has_all in whole.items() if not has_all)
