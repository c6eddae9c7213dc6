"""agentsight-rx: what AI agents really do, from outside. Sources are Observables, analyses are operators, sinks subscribe."""

from typing import TYPE_CHECKING

from .core.start import deferred

if TYPE_CHECKING:
    from . import events, operators, sinks, sources
    from . import operators as op
    from .core.errors import GraphError
    from .core.machine import Bounded, Bug, Checkpointed, Kernel, Machine, Malformed
    from .core.merge import merge
    from .core.sink import Sink, Writer
    from .core.stream import Operator, Stream
    from .events.loss import Ledger, Reason
    from .graphs import TraceOptions, explain, replay, trace
    from .runtime.aio import EventStream, stream
    from .runtime.recording.opened import Part, Recording, Recordings, open_recording, open_recordings
    from .runtime.recording.reports import Rows
    from .runtime.run import Run, Summary, run

__all__ = [
    "Bounded",
    "Bug",
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
    "Recordings",
    "Rows",
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
    "open_recordings",
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
            ".runtime.aio": ("EventStream", "stream"),
            ".core.machine": ("Bounded", "Bug", "Checkpointed", "Kernel", "Machine", "Malformed"),
            ".core.merge": ("merge",),
            ".core.sink": ("Sink", "Writer"),
            ".core.stream": ("Operator", "Stream"),
            ".core.errors": ("GraphError",),
            ".graphs": ("TraceOptions", "explain", "replay", "trace"),
            ".events.loss": ("Ledger", "Reason"),
            ".runtime.recording.opened": ("Part", "Recording", "Recordings", "open_recording", "open_recordings"),
            ".runtime.recording.reports": ("Rows",),
            ".runtime.run": ("Run", "Summary", "run"),
        },
        {"events": ".events", "op": ".operators", "operators": ".operators", "sinks": ".sinks", "sources": ".sources"},
    )
