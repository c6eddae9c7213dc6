"""
A recording, opened to read: its rows as typed iterators, whole calls, events, Arrow tables; and the file of own prices.

`opened` has the rows, calls, events and tables of a recording, and `price_file` the user's prices.
`reports` has the reports as values; `search_base` and `search_words` find words.
`guard_file` has the rules of a guard and the hosts of earlier recordings, `judged` a recording judged by rules.
`deciding` says which alerts wait for a person; `seen_file` lists the alerts that the person has seen.
"""

from typing import TYPE_CHECKING

from ...core.start import deferred

if TYPE_CHECKING:
    from ...store.log.reading import read_events_of_now
    from ...view.exports.tables import arrow_table
    from ...view.queries.alerts import read_alerts
    from ...view.queries.calls.call import find_calls, read_call, read_calls
    from ...view.queries.calls.mcp import read_tools
    from ...view.queries.context.report import read_context_reports
    from ...view.queries.effects.files import read_file_uses
    from ...view.queries.effects.network import read_network
    from ...view.queries.records import read_connections, read_files, read_http, read_processes
    from ...view.queries.sessions.files import read_sessions
    from ...view.queries.sessions.health import read_health
    from ...view.queries.sessions.summary import read_summary
    from .reports import Rows, as_html, costs, losses, lost_caches, search

__all__ = [
    "Rows",
    "arrow_table",
    "as_html",
    "costs",
    "find_calls",
    "losses",
    "lost_caches",
    "read_alerts",
    "read_call",
    "read_calls",
    "read_connections",
    "read_context_reports",
    "read_events_of_now",
    "read_file_uses",
    "read_files",
    "read_health",
    "read_http",
    "read_network",
    "read_processes",
    "read_sessions",
    "read_summary",
    "read_tools",
    "search",
]

if not TYPE_CHECKING:
    __getattr__ = deferred(
        __name__,
        {
            "...store.log.reading": ("read_events_of_now",),
            "...view.queries.alerts": ("read_alerts",),
            "...view.queries.calls.call": (
                "find_calls",
                "read_call",
                "read_calls",
            ),
            "...view.queries.calls.mcp": ("read_tools",),
            "...view.queries.records": (
                "read_connections",
                "read_files",
                "read_http",
                "read_processes",
            ),
            "...view.queries.sessions.files": ("read_sessions",),
            "...view.exports.tables": ("arrow_table",),
            "...view.queries.context.report": ("read_context_reports",),
            "...view.queries.effects.files": ("read_file_uses",),
            "...view.queries.effects.network": ("read_network",),
            "...view.queries.sessions.health": ("read_health",),
            "...view.queries.sessions.summary": ("read_summary",),
            ".reports": ("Rows", "as_html", "costs", "losses", "lost_caches", "search"),
        },
        {},
    )
