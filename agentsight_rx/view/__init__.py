"""The rows of a capture, how events become rows, and how rows are read: reports and snapshots."""

from typing import TYPE_CHECKING

from ..deferred import deferred
from .rows.kinds import (
    AnyRow,
    AuditRow,
    BlindSpotRow,
    CallRow,
    HttpRow,
    KeptRow,
    NetworkRow,
    Output,
    ProcessRow,
    ResourceRow,
    Row,
    RowGone,
    SessionRow,
    TlsUseRow,
    TokenRow,
    ToolRow,
    UnknownRow,
)

if TYPE_CHECKING:
    from .fold.fold import Fold

__all__ = [
    "AnyRow",
    "AuditRow",
    "BlindSpotRow",
    "CallRow",
    "Fold",
    "HttpRow",
    "KeptRow",
    "NetworkRow",
    "Output",
    "ProcessRow",
    "ResourceRow",
    "Row",
    "RowGone",
    "SessionRow",
    "TlsUseRow",
    "TokenRow",
    "ToolRow",
    "UnknownRow",
]

if not TYPE_CHECKING:
    __getattr__ = deferred(__name__, {".fold.fold": ("Fold",)}, {})  # with it come all providers, which a report does not need
