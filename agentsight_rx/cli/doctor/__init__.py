"""
This machine -> what can be captured here, what cannot, and what to do about that.

`checks` looks at the machine and at each way to see agents. `trial` captures a small `program` of our own; `report` makes the
lines that people read.
"""

from .checks import Check, can_record_at_all, can_try, machine_checks, ways
from .report import render
from .trial import Outcome, can_record, try_sources

__all__ = [
    "Check",
    "Outcome",
    "can_record",
    "can_record_at_all",
    "can_try",
    "machine_checks",
    "render",
    "try_sources",
    "ways",
]
