"""
The names of the GenAI conventions, in one table: each attribute of each span, its level, and the field that it is made of.

OpenTelemetry semantic conventions v1.41.1 ("Generative AI", "OpenAI", "CLI programs"), the last version that holds them, and
what their own repository (semantic-conventions-genai) has added since. It renames `cache_creation` to `cache_write`: both are
sent for a release. An attribute of the conventions that a capture cannot know is not in the table. An unknown value is left out
of its span: zero would be a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from ...view.queries.context.words import ORIGINS

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue


SCHEMA = "https://opentelemetry.io/schemas/1.41.1"

# `content` is sent only where content is captured: what the conventions call opt-in, and whatever else a user or model wrote
Level = Literal["required", "conditional", "recommended", "content", "ours"]
Attributes = dict[str, "AttributeValue"]
Fields = Mapping[str, "AttributeValue | None"]


class Name(Struct, frozen=True):
    """An attribute, and the field of the span's source that it is made of."""

    attribute: str
    level: Level
    field: str


class Metric(Struct, frozen=True):
    """A histogram. `attributes` as in a chat span."""

    name: str
    unit: str
    description: str
    buckets: tuple[float, ...]
    attributes: tuple[Name, ...]


def context_field(origin: str, /) -> str:
    """The field of the tokens of an origin."""
    return f"context_{origin}"


_OPERATION = Name("gen_ai.operation.name", "required", "operation")
_PROVIDER = Name("gen_ai.provider.name", "required", "provider")
_ERROR = Name("error.type", "conditional", "error")
_CONVERSATION = Name("gen_ai.conversation.id", "conditional", "conversation")
_MODEL = Name("gen_ai.request.model", "conditional", "model")
_RESPONSE_MODEL = Name("gen_ai.response.model", "recommended", "response_model")
_ADDRESS = Name("server.address", "recommended", "address")
_PORT = Name("server.port", "conditional", "port")
_SESSION = Name("agentsight.session.id", "ours", "session")
_PID = Name("agentsight.pid", "ours", "pid")
_COMM = Name("agentsight.comm", "ours", "comm")
_COMPLETE = Name("agentsight.complete", "ours", "complete")
_REASON = Name("agentsight.reason", "ours", "reason")
_SOURCE = Name("agentsight.view_source", "ours", "view_source")  # how it is known: view, hooked, said

_USAGE = (
    Name("gen_ai.usage.input_tokens", "recommended", "input_tokens"),  # cached ones too, as the conventions count
    Name("gen_ai.usage.output_tokens", "recommended", "output_tokens"),
    Name("gen_ai.usage.cache_read.input_tokens", "recommended", "cache_read_tokens"),
    Name("gen_ai.usage.cache_write.input_tokens", "recommended", "cache_write_tokens"),
    Name("gen_ai.usage.cache_creation.input_tokens", "recommended", "cache_creation_tokens"),  # the older name
)

# Of the input, by what it is: the keys of `sums` of `report context --json`
_CONTEXT = tuple(Name(f"agentsight.context.{origin}.tokens", "ours", context_field(origin)) for origin in ORIGINS)

_CHAT = (
    _OPERATION,
    _PROVIDER,
    _ERROR,
    _CONVERSATION,
    _MODEL,
    Name("gen_ai.output.type", "conditional", "output_type"),
    Name("gen_ai.request.choice.count", "conditional", "choices"),
    Name("gen_ai.request.seed", "conditional", "seed"),
    Name("gen_ai.request.stream", "conditional", "stream"),
    _PORT,
    Name("gen_ai.conversation.compacted", "conditional", "compacted"),  # only ever true
    Name("gen_ai.request.previous_response.id", "conditional", "previous_response"),
    Name("gen_ai.request.reasoning.level", "conditional", "reasoning_level"),
    Name("gen_ai.request.max_tokens", "recommended", "max_tokens"),
    Name("gen_ai.request.temperature", "recommended", "temperature"),
    Name("gen_ai.request.top_p", "recommended", "top_p"),
    Name("gen_ai.request.top_k", "recommended", "top_k"),
    Name("gen_ai.request.frequency_penalty", "recommended", "frequency_penalty"),
    Name("gen_ai.request.presence_penalty", "recommended", "presence_penalty"),
    Name("gen_ai.request.stop_sequences", "recommended", "stop"),
    Name("gen_ai.response.id", "recommended", "response_id"),
    _RESPONSE_MODEL,
    Name("gen_ai.response.finish_reasons", "recommended", "finish_reasons"),
    Name("gen_ai.response.time_to_first_chunk", "recommended", "first_chunk_s"),
    *_USAGE,
    Name("gen_ai.usage.reasoning.output_tokens", "recommended", "reasoning_tokens"),
    _ADDRESS,
    Name("openai.api.type", "recommended", "api"),
    Name("gen_ai.system_instructions", "content", "system_instructions"),
    Name("gen_ai.input.messages", "content", "input_messages"),
    Name("gen_ai.output.messages", "content", "output_messages"),
    Name("gen_ai.tool.definitions", "content", "tool_definitions"),
    Name("url.scheme", "ours", "scheme"),
    Name("http.response.status_code", "ours", "status_code"),
    Name("agentsight.call.id", "ours", "call"),
    _SESSION,
    Name("agentsight.turn", "ours", "turn"),
    *_CONTEXT,
    Name("agentsight.context.estimated", "ours", "context_estimated"),  # only ever true
    Name("agentsight.context.dropped.tokens", "ours", "context_dropped"),
    Name("agentsight.cache.lost.tokens", "ours", "cache_lost_tokens"),
    Name("agentsight.cache.lost.reason", "ours", "cache_lost_reason"),
    _PID,
    _COMM,
    _COMPLETE,
    _REASON,
    _SOURCE,
)

_INVOKE_AGENT = (
    _OPERATION,
    _PROVIDER,
    _ERROR,
    Name("gen_ai.agent.name", "conditional", "agent"),
    Name("gen_ai.agent.id", "conditional", "agent_id"),
    Name("gen_ai.agent.version", "conditional", "agent_version"),
    _CONVERSATION,
    _MODEL,
    *_USAGE,
    _SESSION,
    Name("agentsight.calls", "ours", "calls"),
    Name("agentsight.tools", "ours", "tools"),
    *_CONTEXT,
    Name("agentsight.cache.lost.tokens", "ours", "cache_lost_tokens"),
    _PID,
    _COMM,
    _COMPLETE,
    _REASON,
    _SOURCE,
)

_EXECUTE_TOOL = (
    _OPERATION,
    Name("gen_ai.tool.name", "required", "tool"),
    _ERROR,
    Name("gen_ai.tool.call.id", "recommended", "tool_call"),
    Name("gen_ai.tool.type", "recommended", "type"),
    Name("gen_ai.tool.description", "content", "description"),  # recommended; it is a part of the request
    Name("gen_ai.tool.call.arguments", "content", "arguments"),
    Name("gen_ai.tool.call.result", "content", "result"),
    _CONVERSATION,
    Name("agentsight.tool.id", "ours", "id"),
    Name("agentsight.tool.outcome", "ours", "outcome"),
    Name("agentsight.call.id", "ours", "call"),
    _SESSION,
    Name("agentsight.tool.link", "ours", "link"),
    Name("agentsight.tool.confidence", "ours", "confidence"),
    Name("agentsight.tool.repeat", "ours", "repeat"),
    Name("agentsight.tool.loop", "ours", "loop"),
    Name("agentsight.processes.dropped", "ours", "processes_dropped"),
    Name("agentsight.events.dropped", "ours", "events_dropped"),
    _PID,
    _COMPLETE,
    _REASON,
    _SOURCE,
)

_PROCESS = (
    Name("process.executable.name", "required", "name"),
    Name("process.exit.code", "required", "exit_code"),
    Name("process.pid", "required", "pid"),
    _ERROR,
    Name("process.command_args", "recommended", "argv"),  # as the kernel saw them
    Name("process.executable.path", "recommended", "path"),
    Name("process.parent_pid", "ours", "ppid"),
    Name("process.working_directory", "ours", "cwd"),
    Name("agentsight.process.id", "ours", "id"),
    Name("agentsight.process.signal", "ours", "signal"),
    Name("agentsight.process.argv_lost", "ours", "argv_lost"),
    Name("agentsight.tool.id", "ours", "tool"),
    Name("agentsight.events.dropped", "ours", "events_dropped"),
    _COMPLETE,
    _REASON,
)

_BLIND_SPOT = (
    _ERROR,
    _PID,
    _COMM,
    Name("agentsight.connections", "ours", "connections"),
    Name("agentsight.among", "ours", "among"),
    Name("agentsight.bytes", "ours", "size"),
    Name("agentsight.peers", "ours", "peers"),
    Name("agentsight.files", "ours", "files"),
    Name("agentsight.looks_like", "ours", "looks_like"),
    _COMPLETE,
)

_ALERT = (
    _ERROR,
    Name("agentsight.alert.rule", "ours", "rule"),
    Name("agentsight.alert.level", "ours", "level"),
    Name("agentsight.alert.sentence", "ours", "sentence"),
    Name("agentsight.alert.target", "ours", "target"),
    Name("agentsight.alert.count", "ours", "count"),
    Name("agentsight.alert.proven", "ours", "proven"),
    Name("agentsight.alert.links", "ours", "links"),
    Name("agentsight.alert.evidence", "ours", "evidence"),
    _SESSION,
    _PID,
    _COMPLETE,
    Name("agentsight.alert.prompt", "content", "prompt"),
    Name("agentsight.alert.tool", "content", "tool"),
    Name("agentsight.alert.command", "content", "command"),
)

_FILE = (
    Name("file.path", "ours", "path"),
    Name("agentsight.action", "ours", "action"),
    Name("agentsight.status", "ours", "status"),
    Name("agentsight.file.target", "ours", "target"),
    Name("agentsight.file.read_bytes", "ours", "read_bytes"),
    Name("agentsight.file.written_bytes", "ours", "written_bytes"),
    Name("process.pid", "ours", "pid"),
)

_NETWORK = (
    Name("network.peer.address", "ours", "address"),
    Name("network.peer.port", "ours", "port"),
    Name("network.transport", "ours", "transport"),
    Name("agentsight.action", "ours", "action"),
    Name("agentsight.status", "ours", "status"),
    Name("process.pid", "ours", "pid"),
)

# Kind of span, or of event of a span -> its attributes
SPANS: dict[str, tuple[Name, ...]] = {
    "chat": _CHAT,
    "invoke_agent": _INVOKE_AGENT,
    "execute_tool": _EXECUTE_TOOL,
    "process": _PROCESS,
    "agentsight.blind_spot": _BLIND_SPOT,
    "agentsight.alert": _ALERT,
    "agentsight.file": _FILE,
    "agentsight.network": _NETWORK,
}

# Attributes of every metric; each has at most one more, which is the last
MEASURED = (_OPERATION, _PROVIDER, _MODEL, _PORT, _RESPONSE_MODEL, _ADDRESS)
_SECONDS = tuple(0.01 * 2**step for step in range(14))

# Field of a chat span, or of its two ends -> the histogram of it
METRICS = {
    "tokens": Metric(
        "gen_ai.client.token.usage",
        "{token}",
        "Number of input and output tokens used.",
        tuple(4.0**step for step in range(14)),
        (*MEASURED, Name("gen_ai.token.type", "required", "token_type")),
    ),
    "duration": Metric("gen_ai.client.operation.duration", "s", "GenAI operation duration.", _SECONDS, (*MEASURED, _ERROR)),
    "first_chunk": Metric(
        "gen_ai.client.operation.time_to_first_chunk",
        "s",
        "Time to receive the first chunk of a streamed answer.",
        _SECONDS,
        MEASURED,
    ),
}


def attributes_of(names: tuple[Name, ...], fields: Fields, *, with_content: bool) -> Attributes:
    """The known fields under their names; content only where it is asked for."""
    found: Attributes = {}
    for name in names:
        value = fields.get(name.field)
        if value is not None and (with_content or name.level != "content"):
            found[name.attribute] = value
    return found
