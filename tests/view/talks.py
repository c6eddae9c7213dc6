"""Agents of one process that talk to a model, without a word in the heads of their requests."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from agentsight_rx.events import Event, Headers, Reply, ToolCall, Usage
from agentsight_rx.view import CallRow
from tests.view.scenes import AGENT, HOST, asks, emitted, execs, last, streams

__all__ = ["MAIN", "TASK", "WORKER", "Machine", "Talk", "delegated"]

MAIN = ("You are an orchestrator.", ("read", "task"))
WORKER = ("You review code.", ("read", "grep"))
TASK = "Review the parser for off-by-one errors"
_BYTES = 4  # of a token


class Machine:
    """One process whose agents talk to a model, one event after the other."""

    def __init__(self) -> None:
        self.events: list[Event] = [execs(1, AGENT, "my-agent")]
        self.ms, self.exchange = 2, 0
        self.agents: list[str] = []  # that made each call, as the test names them

    def talk(self, name: str, like: tuple[str, Sequence[str]] = MAIN) -> Talk:
        return Talk(self, name, *like)

    def rows(self) -> list[CallRow]:
        return last(CallRow, emitted(*self.events))

    def found(self) -> dict[str, str | None]:
        """By the name that the test gave each agent: the id of the agent that makes all of its calls."""
        found: dict[str, str | None] = {}
        for name, row in zip(self.agents, self.rows(), strict=True):
            assert found.setdefault(name, row.agent_id) == row.agent_id, (name, row)
        return found


class Talk:
    """A conversation."""

    def __init__(self, machine: Machine, name: str, system: str, tools: Sequence[str]) -> None:
        self._machine, self._name = machine, name
        self.system, self.tools = system, tools
        self.messages: list[dict[str, Any]] = []
        self._sent = 0  # tokens of the newest request
        self.headers: Headers = ()

    def ask(self, *parts: str | tuple[str, str]) -> int:
        """A request with a text, or with results: the ids of tools and their output. Returns its exchange."""
        made = [{"type": "text", "text": part} if isinstance(part, str) else _result(*part) for part in parts]
        self.messages.append({"role": "user", "content": made})
        return self.again()

    def again(self) -> int:
        machine = self._machine
        machine.exchange += 1
        machine.ms += 2
        machine.agents.append(self._name)
        body: dict[str, Any] = {"model": "m", "system": self.system, "messages": self.messages}
        body |= {"tools": [{"name": name, "input_schema": {}} for name in self.tools]} if self.tools else {}
        self._sent = len(json.dumps(body)) // _BYTES
        event = asks(machine.ms, machine.exchange)
        machine.events.append(replace(event, headers=(HOST, *self.headers), body=json.dumps(body).encode()))
        return machine.exchange

    def answer(self, exchange: int, *tools: tuple[str, str, str | dict[str, Any]], cut: bool = False) -> None:
        """Its answer: the id, the name and the input of the tools that it asks for."""
        machine = self._machine
        machine.ms += 2
        calls = tuple(ToolCall(id, name, given if isinstance(given, str) else json.dumps(given)) for id, name, given in tools)
        usage = Usage(self._sent, 10)
        reply = Reply(f"msg_{exchange}", "m", "" if tools else "done", usage=usage, tool_calls=calls)
        machine.events.append(streams(machine.ms, reply, exchange, complete=not cut, reason="gap" if cut else None))
        said: list[dict[str, Any]] = [
            {"type": "tool_use", "id": id, "name": name, "input": given} for id, name, given in tools
        ] or [{"type": "text", "text": "done"}]
        self.messages.append({"role": "assistant", "content": said})

    def turn(self, *parts: str | tuple[str, str], asks_for: Sequence[tuple[str, str, str | dict[str, Any]]] = ()) -> None:
        self.answer(self.ask(*parts), *asks_for)


def _result(id: str, output: str) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": id, "content": output}


def delegated(*tasks: dict[str, Any] | str, prompt: str = "Make the parser right") -> tuple[Machine, Talk]:
    """A main agent that has asked for a tool for each task, `t1`, `t2`, …."""
    machine = Machine()
    main = machine.talk("main")
    main.turn(prompt, asks_for=[(f"t{at}", "task", task) for at, task in enumerate(tasks, 1)])
    return machine, main
