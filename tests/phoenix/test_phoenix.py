"""Arize Phoenix shows a recording as it was: agents, calls of models and tools, their tokens, cost and session, as one tree."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from agentsight_rx.store.rows.kinds import CallRow, ToolRow
from agentsight_rx.store.rows.tables import CALLS, TOOLS
from agentsight_rx.store.state import LmdbStore
from agentsight_rx.view.queries.reading import rows_of
from tests.live.capture import PROGRAM, until
from tests.phoenix.server import Phoenix, phoenix
from tests.view.page.story import SESSION, parcel, recorded

pytestmark = pytest.mark.phoenix

CONTENT = "Invoice totals are off by one cent"


class Sent:
    """A recording, and what Phoenix has of it."""

    def __init__(self, server: Phoenix, store: Path) -> None:
        self.server = server
        self.spans = server.spans()
        opened = LmdbStore.open(store, readonly=True)
        try:
            self.calls: list[CallRow] = list(rows_of(opened, CALLS))
            self.tools: list[ToolRow] = list(rows_of(opened, TOOLS))
        finally:
            opened.close()

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [span for span in self.spans if span["span_kind"] == kind]


def export(store: Path, *more: str) -> None:
    words = [*PROGRAM, "report", "export", "--db", str(store), "--format", "otlp", *more]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stderr


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Generator[Sent]:
    store = recorded(tmp_path_factory.mktemp("store") / "parcel.lmdb", parcel())
    with phoenix(tmp_path_factory.mktemp("phoenix")) as server:
        export(store, "--otel-endpoint", server.url, "--otel-capture-content")
        until(lambda: len([span for span in server.spans() if span["span_kind"] == "LLM"]) >= 14)
        yield Sent(server, store)


def test_agents_calls_and_tools_have_their_kinds(sent: Sent) -> None:
    kinds = Counter(span["span_kind"] for span in sent.spans)
    assert (2, len(sent.calls), len(sent.tools)) == (kinds["AGENT"], kinds["LLM"], kinds["TOOL"])


def test_each_call_has_its_tokens_model_and_session(sent: Sent) -> None:
    by_id = {span["attributes"]["agentsight.call.id"]: span["attributes"] for span in sent.of("LLM")}
    for call in sent.calls:
        known = by_id[call.id]
        asked = call.input_tokens + call.cache_read_tokens + call.cache_creation_tokens
        if call.total_tokens:
            assert asked == known["llm.token_count.prompt"]
            assert call.output_tokens == known["llm.token_count.completion"]
        assert call.model == known["llm.model_name"]
        assert SESSION == known["session.id"]


def test_each_tool_has_its_name_input_result_and_session(sent: Sent) -> None:
    by_id = {span["attributes"]["agentsight.tool.id"]: span["attributes"] for span in sent.of("TOOL")}
    for tool in sent.tools:
        known = by_id[tool.id]
        assert (tool.tool_name, SESSION) == (known["tool.name"], known["session.id"])
    assert "pytest -q" in {known.get("tool.parameters.command") for known in by_id.values()}
    assert "214 passed in 41.2 s" in {known.get("output.value") for known in by_id.values()}


def test_the_tree_leads_from_the_agent_to_its_calls_to_their_tools_and_processes(sent: Sent) -> None:
    kinds = {span["context"]["span_id"]: span["span_kind"] for span in sent.spans}
    above = {(span["span_kind"], kinds.get(span.get("parent_id"), "")) for span in sent.spans}
    links = {("AGENT", ""), ("AGENT", "AGENT"), ("LLM", "AGENT"), ("TOOL", "LLM"), ("UNKNOWN", "TOOL")}  # a process has no kind
    assert links <= above
    assert 1 == len({span["context"]["trace_id"] for span in sent.spans if span["span_kind"] != "UNKNOWN"})


def test_the_session_counts_each_token_once(sent: Sent) -> None:
    """Phoenix does not add those of an agent to those of its calls."""
    asked = "{projects{edges{node{sessions(first:9){edges{node{sessionId tokenUsage{prompt completion}}}}}}}}"
    (project,) = sent.server.ask(asked)["projects"]["edges"]
    (session,) = project["node"]["sessions"]["edges"]
    prompt = sum(call.input_tokens + call.cache_read_tokens + call.cache_creation_tokens for call in sent.calls)
    assert {
        "sessionId": SESSION, "tokenUsage": {"prompt": prompt, "completion": sum(call.output_tokens for call in sent.calls)}
    } == session["node"]  # fmt: skip


def test_prompts_and_answers_are_shown_where_they_are_sent(sent: Sent) -> None:
    first = min(sent.of("LLM"), key=lambda span: span["start_time"])
    assert CONTENT in str({name: value for name, value in first["attributes"].items() if not name.startswith("gen_ai.")})
