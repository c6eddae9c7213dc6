"""The rows of a capture, how events become rows, and what is read from the rows: reports and snapshots."""

from .fold import Fold
from .rows import AnyRow, AuditRow, CallRow, NetworkRow, Output, ProcessRow, ResourceRow, Row, TokenRow, ToolRow

__all__ = [
    "AnyRow",
    "AuditRow",
    "CallRow",
    "Fold",
    "NetworkRow",
    "Output",
    "ProcessRow",
    "ResourceRow",
    "Row",
    "TokenRow",
    "ToolRow",
]
