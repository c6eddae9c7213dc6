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
    from .queries.calls.tokens import TokenGroup
    from .queries.context.part_tokens import PartGroup
    from .queries.context.report import CacheLoss, ContextReport
    from .queries.effects.files import FileUse
    from .queries.effects.network import Network
    from .queries.records import ConnectionRecord, FileRecord
    from .queries.sessions.findings import Finding
    from .queries.sessions.gaps import Missing
    from .queries.sessions.health import Health
    from .queries.sessions.verdict import Verdict

__all__ = [
    "AlertRow",
    "AnyRow",
    "AuditRow",
    "BlindSpotRow",
    "CacheLoss",
    "CallRow",
    "ConnectionRecord",
    "ContextReport",
    "FileRecord",
    "FileUse",
    "Finding",
    "Fold",
    "Health",
    "HttpRow",
    "KeptRow",
    "Missing",
    "Network",
    "NetworkRow",
    "Output",
    "PartGroup",
    "PricedCall",
    "ProcessRow",
    "ResourceRow",
    "Row",
    "RowGone",
    "SessionRow",
    "TlsUseRow",
    "TokenGroup",
    "TokenRow",
    "ToolRow",
    "ToolWork",
    "UnknownRow",
    "Verdict",
    "WholeCall",
]

if not TYPE_CHECKING:
    __getattr__ = deferred(  # with these come all providers, which most reports do not need
        __name__,
        {
            "..store.fold.fold": ("Fold",),
            ".queries.calls.call": ("ToolWork", "WholeCall"),
            ".queries.calls.costs": ("PricedCall",),
            ".queries.calls.tokens": ("TokenGroup",),
            ".queries.context.part_tokens": ("PartGroup",),
            ".queries.context.report": (
                "CacheLoss",
                "ContextReport",
            ),
            ".queries.effects.files": ("FileUse",),
            ".queries.effects.network": ("Network",),
            ".queries.sessions.findings": ("Finding",),
            ".queries.sessions.gaps": ("Missing",),
            ".queries.sessions.health": ("Health",),
            ".queries.sessions.verdict": ("Verdict",),
            ".queries.records": ("ConnectionRecord", "FileRecord"),
        },
        {},
    )
