"""agentsight-rx: what AI agents really do, from outside. Sources are Observables, analyses are operators, sinks subscribe."""

from typing import TYPE_CHECKING

from .lazy_names import deferred

if TYPE_CHECKING:
    from . import events, operators, sinks, sources
    from . import operators as op
    from .aio import EventStream, stream
    from .core.machine import Bounded, Checkpointed, Kernel, Machine, Malformed
    from .core.merge import merge
    from .core.sink import Sink, Writer
    from .core.stream import Operator, Stream
    from .errors import GraphError
    from .graphs import TraceOptions, explain, replay, trace
    from .loss import Ledger, Reason
    from .recording.opened import Part, Recording, open_recording
    from .runtime import Run, Summary, run

__all__ = [
    "Bounded",
    "Checkpointed",
    "EventStream",
    "GraphError",
    "Kernel",
    "Ledger",
    "Machine",
    "Malformed",
    "Operator",
    "Part",
    "Reason",
    "Recording",
    "Run",
    "Sink",
    "Stream",
    "Summary",
    "TraceOptions",
    "Writer",
    "events",
    "explain",
    "merge",
    "op",
    "open_recording",
    "operators",
    "replay",
    "run",
    "sinks",
    "sources",
    "stream",
    "trace",
]

if not TYPE_CHECKING:
    __getattr__ = deferred(
        __name__,
        {
            ".aio": ("EventStream", "stream"),
            ".core.machine": ("Bounded", "Checkpointed", "Kernel", "Machine", "Malformed"),
            ".core.merge": ("merge",),
            ".core.sink": ("Sink", "Writer"),
            ".core.stream": ("Operator", "Stream"),
            ".errors": ("GraphError",),
            ".graphs": ("TraceOptions", "explain", "replay", "trace"),
            ".loss": ("Ledger", "Reason"),
            ".recording.opened": ("Part", "Recording", "open_recording"),
            ".runtime": ("Run", "Summary", "run"),
        },
        {"events": ".events", "op": ".operators", "operators": ".operators", "sinks": ".sinks", "sources": ".sources"},
    )
