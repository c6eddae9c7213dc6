"""The picture of a capture: its rows, how events become rows, and the questions asked of them."""

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
