"""The picture of a capture: its rows, how events become rows, and the questions asked of them."""

from .fold import Fold
from .rows import AuditRow, CallRow, ProcessRow, Row, TokenRow, ToolRow

__all__ = ["AuditRow", "CallRow", "Fold", "ProcessRow", "Row", "TokenRow", "ToolRow"]
