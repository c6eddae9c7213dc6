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
    from ...view.exports.tables import arrow_table
    from ...view.queries.context.report import read_context_reports
    from ...view.queries.effects.files import read_file_uses
    from ...view.queries.effects.network import read_network
    from ...view.queries.sessions.health import read_health
    from ...view.queries.sessions.summary import read_summary
    from .reports import Rows, as_html, costs, losses, lost_caches, search

__all__ = [
    "Rows",
    "arrow_table",
    "as_html",
    "costs",
    "losses",
    "lost_caches",
    "read_context_reports",
    "read_file_uses",
    "read_health",
    "read_network",
    "read_summary",
    "search",
]

if not TYPE_CHECKING:
    __getattr__ = deferred(
        __name__,
        {
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
