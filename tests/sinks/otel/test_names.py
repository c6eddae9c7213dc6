"""The table of names: what the conventions ask for is in it, and what is sent is as it says."""

from __future__ import annotations

from pathlib import Path

from agentsight_rx.sinks.otel.names import METRICS, SPANS, attributes_of
from tests.otlp_conformance import missing_recommended, problems, registered, values
from tests.sinks.otel.recordings import everything, items
from tests.sinks.test_otel import sent

# What the repository of the GenAI conventions has added since: no package has these names
NEWER = {
    *("gen_ai.conversation.compacted", "gen_ai.usage.cache_write.input_tokens"),
    *("gen_ai.request.previous_response.id", "gen_ai.request.reasoning.level"),
}
# Semantic conventions v1.41.1: what each span must have, and should have where it is known
REQUIRED = {
    "chat": {"gen_ai.operation.name", "gen_ai.provider.name"},
    "invoke_agent": {"gen_ai.operation.name", "gen_ai.provider.name"},
    "execute_tool": {"gen_ai.operation.name", "gen_ai.tool.name"},
    "process": {"process.executable.name", "process.exit.code", "process.pid"},
}
USAGE = {
    *("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"),
    *("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_creation.input_tokens"),
    "gen_ai.usage.cache_write.input_tokens",
}
RECOMMENDED = {
    "chat": {
        *("gen_ai.request.max_tokens", "gen_ai.request.temperature", "gen_ai.request.top_p", "gen_ai.request.top_k"),
        *("gen_ai.request.frequency_penalty", "gen_ai.request.presence_penalty", "gen_ai.request.stop_sequences"),
        *("gen_ai.response.id", "gen_ai.response.model", "gen_ai.response.finish_reasons"),
        *("gen_ai.response.time_to_first_chunk", "server.address", "openai.api.type"),
        *(USAGE | {"gen_ai.usage.reasoning.output_tokens"}),
    },
    "invoke_agent": USAGE,
    "execute_tool": {"gen_ai.tool.call.id", "gen_ai.tool.type"},
    "process": {"process.command_args", "process.executable.path"},
}
CONDITIONAL = {
    "chat": {
        *("error.type", "gen_ai.conversation.id", "gen_ai.output.type", "gen_ai.request.choice.count"),
        *("gen_ai.request.model", "gen_ai.request.seed", "gen_ai.request.stream", "server.port"),
    },
    "invoke_agent": {
        *("error.type", "gen_ai.agent.id", "gen_ai.agent.name", "gen_ai.agent.version"),
        *("gen_ai.conversation.id", "gen_ai.request.model"),
    },
}
OPT_IN = {
    "chat": {
        *("gen_ai.system_instructions", "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.tool.definitions"),
    },
    "execute_tool": {"gen_ai.tool.call.arguments", "gen_ai.tool.call.result"},
}


def of_level(kind: str, level: str) -> set[str]:
    return {name.attribute for name in SPANS[kind] if name.level == level}


def test_the_table_has_what_the_conventions_require_and_recommend() -> None:
    for wanted, level in (
        (REQUIRED, "required"),
        (RECOMMENDED, "recommended"),
        (OPT_IN, "content"),
        (CONDITIONAL, "conditional"),
    ):
        missing = {kind: names - of_level(kind, level) for kind, names in wanted.items()}
        assert not any(missing.values()), (level, missing)


def test_every_name_is_registered_or_ours() -> None:
    names = {name.attribute for names in SPANS.values() for name in names}
    names |= {name.attribute for metric in METRICS.values() for name in metric.attributes}
    assert NEWER == {name for name in names if not name.startswith("agentsight.")} - registered()


def test_a_span_has_each_attribute_once() -> None:
    for names in SPANS.values():
        assert len(names) == len({name.attribute for name in names}) == len({name.field for name in names})


def test_content_and_what_is_unknown_are_left_out() -> None:
    fields = {"operation": "chat", "provider": None, "input_messages": "[]"}
    assert {"gen_ai.operation.name": "chat"} == attributes_of(SPANS["chat"], fields, with_content=False)
    assert {"gen_ai.operation.name", "gen_ai.input.messages"} == attributes_of(SPANS["chat"], fields, with_content=True).keys()


def test_every_span_of_a_session_conforms() -> None:
    for with_content in (False, True):
        spans = sent(items(everything()), capture_content=with_content).spans
        assert [] == problems(spans, with_content=with_content)
        for kind in REQUIRED:
            assert set() == missing_recommended(spans, kind)


def test_with_content_every_attribute_of_content_is_sent() -> None:
    seen = {name for span in sent(items(everything()), capture_content=True).spans for name in values(span.attributes)}
    assert set() == of_level("chat", "content") - seen
    assert set() == of_level("execute_tool", "content") - seen


def test_the_document_has_the_table() -> None:
    text = (Path(__file__).parents[3] / "docs" / "opentelemetry.md").read_text()
    for kind, names in SPANS.items():
        rows = "".join(f"| `{name.attribute}` | {name.level} |\n" for name in names)
        assert f"### `{kind}`\n\n| attribute | level |\n| --- | --- |\n{rows}" in text
    assert all(metric.name in text for metric in METRICS.values())
