"""The table of fuzz targets: name -> a function of bytes that raises if an invariant does not hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from property_tests.fuzz import agents, files, operators, recorded, rules, streams, wire
from property_tests.fuzz.llm import llm_targets

__all__ = ["TARGETS", "Target"]

Target: TypeAlias = Callable[[bytes], None]

TARGETS: dict[str, Target] = {
    "http1": wire.http1,
    "http2": wire.http2,
    "websocket": wire.websocket,
    "sse": streams.sse,
    "json_stream": streams.json_stream,
    "aws_event_stream": streams.aws_event_stream,
    "coding": streams.coding,
    "jsonrpc": streams.jsonrpc,
    "secrets": streams.secrets,
    "commands": streams.commands,
    "connection": operators.connection,
    "pipes": operators.pipes,
    "redaction": operators.redaction,
    "rules": rules.rules,
    "envelope": recorded.envelope,
    "foreign_lines": recorded.foreign_lines,
    "recording": recorded.recording,
    "cgroup": files.cgroup,
    "reference": files.reference,
    "script": files.script,
    "library": files.library,
    "btf": files.btf,
    "transcripts": agents.transcripts,
    "prices": agents.prices,
    **llm_targets(),
}
