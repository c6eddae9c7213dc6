"""
Where events go: each sink is a noun, a function of its options; `run` gets the result.

`console` prints JSON, files of lines, or lines for a person, which `event_lines` makes one by one. `spool` writes segments.
`store` writes an LMDB store. `label_key` finds the key of its labels, and gives the store to readers of the same process.
`web` has the rows that the page requests, and the texts of answers that go on.
`alerts` delivers alerts behind bounded queues, and `otel` sends spans and metrics.
"""

from typing import TYPE_CHECKING

from ..core.start import deferred
from .console import console, jsonl, readable
from .label_key import Lent, redaction_key, redaction_key_in, stored_key
from .otel.destination import OtelOptions
from .otel.sink import otel
from .spool import spool
from .store import memory, store

if TYPE_CHECKING:
    from .otel.replayed import send_recorded, write_recorded

__all__ = [
    "Lent",
    "OtelOptions",
    "console",
    "jsonl",
    "memory",
    "otel",
    "readable",
    "redaction_key",
    "redaction_key_in",
    "send_recorded",
    "spool",
    "store",
    "stored_key",
    "write_recorded",
]

__getattr__ = deferred(__name__, {".otel.replayed": ("send_recorded", "write_recorded")}, {})
