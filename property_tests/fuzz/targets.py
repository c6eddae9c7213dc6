"""The table of fuzz targets: name -> a function of bytes that raises where an invariant does not hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from . import operators, texts, wire
from .llm import llm_targets

__all__ = ["TARGETS", "Target"]

Target: TypeAlias = Callable[[bytes], None]

TARGETS: dict[str, Target] = {
    "http1": wire.http1,
    "http2": wire.http2,
    "websocket": wire.websocket,
    "sse": wire.sse,
    "json_stream": wire.json_stream,
    "coding": wire.coding,
    "jsonrpc": wire.jsonrpc,
    "secrets": wire.secrets,
    "connection": operators.connection,
    "pipes": operators.pipes,
    "redaction": operators.redaction,
    "rules": texts.rules,
    "envelope": texts.envelope,
    "foreign_lines": texts.foreign_lines,
    "recording": texts.recording,
    "cgroup": texts.cgroup,
    "reference": texts.reference,
    "script": texts.script,
    "library": texts.library,
    "btf": texts.btf,
    **llm_targets(),
}
