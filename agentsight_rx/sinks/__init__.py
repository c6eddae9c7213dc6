"""Destinations: each a noun, made with its options, given to `run`."""

from .console import console
from .jsonl import jsonl
from .otel.sink import OtelOptions, otel
from .store import redaction_key, store

__all__ = ["OtelOptions", "console", "jsonl", "otel", "redaction_key", "store"]
