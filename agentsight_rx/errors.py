"""The errors that a user's program can catch: the public name of `core/errors.py`."""

from .core.errors import (
    AgentsightError,
    CaptureError,
    GraphError,
    SinkError,
    SpoolError,
    StoreError,
    Unavailable,
    UnwritableError,
    UsageError,
)

__all__ = [
    "AgentsightError",
    "CaptureError",
    "GraphError",
    "SinkError",
    "SpoolError",
    "StoreError",
    "Unavailable",
    "UnwritableError",
    "UsageError",
]
