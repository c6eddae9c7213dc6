"""agentsight-rx report: the first screen of a store, and whether anything is missing from it."""

from __future__ import annotations

from ...view.report import read_report
from ..text import report_lines
from .ask import Ask

__all__ = ["summary"]

_NEWEST = 20


def summary(ask: Ask) -> None:
    """What it did, what it cost, and whether anything is missing."""
    report = read_report(ask.store, newest=None if ask.flags.show_all else ask.flags.limit or _NEWEST)
    if ask.as_json:
        ask.write([report])
        return
    ask.write_lines(report_lines(report, str(ask.path)))
