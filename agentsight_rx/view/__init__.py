"""
What is asked of a store, and the answers: reports, the page, snapshots.

`queries`: the questions, in folders by what they are about. `snapshot`: the newest rows as one JSON object.
`page`: the answers to the page. `exports`: files for other tools.
`transcripts`: the session files that agents write, read and compared with the wire.
"""

from typing import TYPE_CHECKING

from ..core.start import deferred
from ..store.rows.kinds import (
    AlertRow,
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
    from ..store.fold.fold import Fold
    from .queries.calls.call import ToolWork, WholeCall
    from .queries.calls.costs import PricedCall
    from .queries.records import ConnectionRecord, FileRecord

__all__ = [
    "AlertRow",
    "AnyRow",
    "AuditRow",
    "BlindSpotRow",
    "CallRow",
    "ConnectionRecord",
    "FileRecord",
    "Fold",
    "HttpRow",
    "KeptRow",
    "NetworkRow",
    "Output",
    "PricedCall",
    "ProcessRow",
    "ResourceRow",
    "Row",
    "RowGone",
    "SessionRow",
    "TlsUseRow",
    "TokenRow",
    "ToolRow",
    "ToolWork",
    "UnknownRow",
    "WholeCall",
]

if not TYPE_CHECKING:
    __getattr__ = deferred(  # with these come all providers, which most reports do not need
        __name__,
        {
            "..store.fold.fold": ("Fold",),
            ".queries.calls.call": ("ToolWork", "WholeCall"),
            ".queries.calls.costs": ("PricedCall",),
            ".queries.records": ("ConnectionRecord", "FileRecord"),
        },
        {},
    )
