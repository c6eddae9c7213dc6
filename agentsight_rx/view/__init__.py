"""The rows of a capture, how events become rows, and what is read from the rows: reports and snapshots."""

from .fold import Fold
from .rows import (
    AnyRow,
    AuditRow,
    BlindSpotRow,
    CallRow,
    NetworkRow,
    Output,
    ProcessRow,
    ResourceRow,
    Row,
    TlsUseRow,
    TokenRow,
    ToolRow,
)

__all__ = [
    "AnyRow",
    "AuditRow",
    "BlindSpotRow",
    "CallRow",
    "Fold",
    "NetworkRow",
    "Output",
    "ProcessRow",
    "ResourceRow",
    "Row",
    "TlsUseRow",
    "TokenRow",
    "ToolRow",
]
