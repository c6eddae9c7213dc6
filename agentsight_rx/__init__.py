"""agentsight-rx: what AI agents really do, from outside. Sources are Observables, analyses are operators, sinks subscribe."""

from . import events, operators, sinks, sources
from . import operators as op
from .graphs import TraceOptions, explain, replay, trace
from .loss import Ledger, Reason
from .merge import merge
from .runtime import Run, Summary, run
from .sink import Sink, Writer
from .stream import Kernel, Machine, Malformed, Operator, Stream

__all__ = [
    "Kernel",
    "Ledger",
    "Machine",
    "Malformed",
    "Operator",
    "Reason",
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
    "operators",
    "replay",
    "run",
    "sinks",
    "sources",
    "trace",
]
