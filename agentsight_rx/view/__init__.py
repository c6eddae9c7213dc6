"""The rows of a capture, how events become rows, and what is read from the rows: reports and snapshots."""

from .fold import Fold
from .rows import (
    AnyRow,
    AuditRow,
    BlindSpotRow,
    CallRow,
    HttpRow,
    NetworkRow,
    Output,
    ProcessRow,
    ResourceRow,
    Row,
    SessionRow,
    TlsUseRow,
    TokenRow,
    ToolRow,
    UnknownRow,
)

__all__ = [
    "AnyRow",
    "AuditRow",
    "BlindSpotRow",
    "CallRow",
    "Fold",
    "HttpRow",
    "NetworkRow",
    "Output",
    "ProcessRow",
    "ResourceRow",
    "Row",
    "SessionRow",
    "TlsUseRow",
    "TokenRow",
    "ToolRow",
    "UnknownRow",
]
