"""
An agent that talks to a model with a cache, and a model that counts every word: what is true of their context is known.

The model counts as the demo's does. The agent is scripted: tools of two servers, instructions, files that it reads, and
everything that loses a cache.
"""

from __future__ import annotations

import datetime
import json
import random
from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest

from agentsight_rx.events import Connection, Event, HttpRequest, HttpResponse, Origin, ProcessExec, ProcessFork
from agentsight_rx.llm.prices import Prices
from agentsight_rx.runtime.demo.prompt_cache import MARK, PromptCache, count, text_of, texts_of
from agentsight_rx.view.queries.context.context import AgentContext
from agentsight_rx.view.queries.context.reading import read_contexts
from tests.view.page.story import stored

__all__ = [
    "CLEAR",
    "PRICES",
    "RULES",
    "SESSION",
    "Agent",
    "adds_up",
    "applied",
    "begun",
    "compacted",
    "context_of",
    "edited",
    "is_true",
    "words",
]

SESSION = "context-story"
_BEGIN_MS = 1_795_716_000_000  # 2026-11-26 18:00:00 UTC
_counted = cache(count)  # each text is in all later requests too
_PID, _START = 4242, 50_000_000
_CONNECTION = Connection(_PID, _START, "/usr/bin/claude", 0x7F00)
_WORDS = (
    "order", "total", "price", "split", "rounding", "ledger", "report", "window", "parcel", "invoice", "batch", "worker",
    "table", "entry", "amount", "state",
)  # fmt: skip


def words(count: int, seed: int) -> str:
    """So many words, always the same ones."""
    chosen = random.Random(seed)
    return " ".join(chosen.choice(_WORDS) for _ in range(count))


class Agent:
    """`events` is what was seen; `truth` has for each turn the tokens of each segment, in the order of the model."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.truth: list[list[int]] = []
        self.usage: list[dict[str, int]] = []
        self.tools: list[dict[str, Any]] = []
        self.system = "You are a careful programmer. " + words(120, 1) + " Today is 2026-11-26."
        self.messages: list[dict[str, Any]] = []
        self.model = "claude-sonnet-4-5"
        self.more: dict[str, Any] = {}
        self.says: dict[str, Any] = {}  # members of each answer
        self.cleared = 0  # results of tools that the provider takes out before the model reads them
        self.marks = True
        self.counts = True
        self.now = 0
        self._exchange = self._made = 0
        self._cache = PromptCache()
        for server, size in (("", 5), ("ledger", 3), ("weather", 3)):
            for at in range(size):
                self.add_tool(f"mcp__{server}__tool{at}" if server else f"Tool{at}")
        self.events.append(ProcessFork(self._origin(), 1, _START))
        self.events.append(ProcessExec(self._origin(), 1, _START, filename="/usr/bin/claude", argv=("claude",), cwd="/work"))

    def add_tool(self, name: str) -> None:
        self.tools.append({"name": name, "description": words(90, len(self.tools)), "input_schema": {"type": "object"}})

    def said(self, text: str) -> Agent:
        self.messages.append({"role": "user", "content": [{"type": "text", "text": text}]})
        return self

    def ask_for_title(self) -> None:
        """A call that the agent makes for itself, beside the conversation: with other instructions, and without tools."""
        tools, said, system = self.tools, self.messages, self.system
        self.tools, self.messages, self.system = [], [], "You are a title generator."
        self.said("Fix the totals. " + words(60, 1)).ask("Totals")
        self.tools, self.messages, self.system = tools, said, system

    def ask(self, answer: str = "", *tools: tuple[str, dict[str, Any]], seconds: int = 5) -> list[str]:
        """One call; returns the ids of the tools that the model asks for."""
        body = self._body()
        read = self._read_by_model(body)
        self.truth.append([_counted(text) for text, _ in texts_of(read)])
        counted = self._cache.counted(read, self.now)
        usage = {
            "input_tokens": counted.uncached,
            "cache_creation_input_tokens": counted.written,
            "cache_read_input_tokens": counted.read,
        }
        content: list[dict[str, Any]] = [{"type": "text", "text": answer}] if answer else []
        ids: list[str] = []
        for name, given in tools:
            self._made += 1
            ids.append(f"toolu_{self._made}")
            content.append({"type": "tool_use", "id": ids[-1], "name": name, "input": given})
        usage["output_tokens"] = sum(count(text_of(block)) for block in content)
        self.usage.append(usage)
        self._exchange += 1
        headers = (("host", "api.anthropic.com"), ("x-claude-code-session-id", SESSION))
        self.events.append(
            HttpRequest(
                self._origin(),
                self._exchange,
                "POST",
                "/v1/messages",
                "HTTP/1.1",
                headers=headers,
                body=json.dumps(body).encode(),
                size=1,
            )
        )
        self.now += 1000 * seconds
        reply = {
            "id": f"msg_{self._exchange}",
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": content,
            "stop_reason": "tool_use" if tools else "end_turn",
            **({"usage": usage} if self.counts else {}),
            **self.says,
        }
        self.events.append(
            HttpResponse(
                self._origin(),
                self._exchange,
                200,
                "OK",
                "HTTP/1.1",
                headers=(("content-type", "application/json"),),
                body=json.dumps(reply).encode(),
                size=1,
                host="api.anthropic.com",
                target="/v1/messages",
                method="POST",
            )
        )
        self.messages.append({"role": "assistant", "content": content})
        return ids

    def result(self, id: str, text: str) -> Agent:
        self.messages.append({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": text}]})
        return self

    def turn(self, name: str, given: dict[str, Any], result: str, says: str = "") -> None:
        """A call that asks for a tool, and its result."""
        (id,) = self.ask(says, (name, given))
        self.result(id, result)

    def wait(self, seconds: int) -> None:
        self.now += 1000 * seconds

    def forget(self) -> None:
        """The provider loses its cache."""
        self._cache.forget()

    def _origin(self) -> Origin:
        ns = self.now * 1_000_000
        return Origin(ns, _PID, _PID, 1000, "claude", _BEGIN_MS * 1_000_000 + ns, _CONNECTION)

    def _body(self) -> dict[str, Any]:
        messages = [{**each, "content": [dict(block) for block in each["content"]]} for each in self.messages]
        system: list[dict[str, Any]] = [{"type": "text", "text": self.system}]
        if self.marks:
            last: list[dict[str, Any]] = [system[-1], messages[-1]["content"][-1]]
            for block in last:
                block.update(MARK)
        fixed = {"model": self.model, "max_tokens": 4096, "messages": messages, "system": system, "tools": self.tools}
        return {**fixed, **self.more}

    def _read_by_model(self, body: dict[str, Any]) -> dict[str, Any]:
        """Without the results that the provider takes out."""
        messages = [{**each, "content": [dict(block) for block in each["content"]]} for each in body["messages"]]
        results = [block for each in messages for block in each["content"] if block["type"] == "tool_result"]
        for block in results[: self.cleared]:
            block["content"] = ""
        return {**body, "messages": messages}


PRICES = Prices(today=datetime.date(2026, 11, 27))
RULES = (
    "<system-reminder>\nAs you answer, you can use this:\n# claudeMd\nContents of /work/CLAUDE.md (project instructions, "
    "checked into the codebase):\n\n"
    + words(60, 7)
    + "\n\n      IMPORTANT: this context may not be relevant.\n</system-reminder>"
)


def begun() -> Agent:
    agent = Agent()
    agent.said(RULES).said("Fix the rounding of totals in src/ledger/post.py. " + words(30, 3))
    agent.turn("Tool1", {"file_path": "/work/src/ledger/post.py"}, words(500, 11), "I read it. " + words(30, 4))
    agent.turn("Tool1", {"file_path": "/work/src/ledger/book.py"}, words(900, 12), "Now post.py and its book.")
    agent.turn("Tool2", {"command": "pytest -q"}, words(260, 13), words(40, 5))
    return agent


def context_of(agent: Agent) -> AgentContext:
    (found,) = read_contexts(stored(agent.events), SESSION, PRICES)
    return found


def is_true(agent: Agent, found: AgentContext) -> None:
    adds_up(agent.truth, found)


def adds_up(truth: Sequence[Sequence[int]], found: AgentContext) -> None:
    """Every sum is the model's, and the newest request's segments are near the truth, the counted ones exactly it."""
    assert [turn.total for turn in found.turns] == [sum(sizes) for sizes in truth]
    for turn in found.turns:
        assert sum(turn.sums.values()) == turn.total
    cost = sum(each.cost for each in (*found.held, *found.thread.gone))
    assert cost == pytest.approx(sum(turn.cost or 0.0 for turn in found.turns), abs=1e-9)
    merged = _merged(found)
    assert len(merged) == len(truth[-1])
    for (tokens, exact), size in zip(merged, truth[-1], strict=True):
        assert not exact or tokens == size
        assert size <= 200 or abs(tokens - size) <= 0.15 * size, (tokens, size)


def _merged(found: AgentContext) -> list[tuple[int, bool]]:
    """The parts of one text, such as instructions in a reminder, are one to the model."""
    merged: list[tuple[int, bool]] = []
    of_text = 0
    for held in found.held:
        inside = held.piece.origin in ("reminder", "instructions")
        if inside and of_text:
            merged[-1] = (merged[-1][0] + held.tokens, merged[-1][1] and held.exact)
        else:
            merged.append((held.tokens, held.exact))
        of_text = inside
    return merged


CLEAR = {"edits": [{"type": "clear_tool_uses_20250919", "exclude_tools": ["Tool9"]}]}


def applied(results: int, tokens: int, *, turns: int = 0) -> dict[str, Any]:
    edits: list[dict[str, Any]] = [
        {"type": "clear_tool_uses_20250919", "cleared_tool_uses": results, "cleared_input_tokens": tokens}
    ]
    edits += [{"type": "clear_thinking_20251015", "cleared_thinking_turns": turns, "cleared_input_tokens": 7}] if turns else []
    return {"context_management": {"applied_edits": edits}}


def edited(results: int) -> Agent:
    """The provider clears the oldest results of tools from the fifth request on."""
    agent = begun()
    agent.more["context_management"] = CLEAR
    agent.turn("Tool2", {"command": "ls"}, words(300, 21), "On.")
    agent.cleared = results
    agent.says = applied(results, 1400)
    agent.turn("Tool2", {"command": "make"}, words(80, 22), "Make.")
    return agent


def compacted(summary: str) -> Agent:
    """Seven turns, of which the last four read part0.py to part3.py, then a summary in their place, and two turns more."""
    agent = begun()
    for at in range(4):
        agent.turn("Tool1", {"file_path": f"/work/src/part{at}.py"}, words(600, 20 + at), "More.")
    agent.messages = []
    agent.said(RULES).said("This session is being continued from a previous conversation. " + summary)
    agent.turn("Tool1", {"file_path": "/work/src/part2.py"}, words(610, 40), "Once more.")
    agent.ask("Done.")
    return agent
