"""Store, session -> its trajectory in the Agent Trajectory Interchange Format (ATIF v1.8)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from ...core.bounded import Recent
from ...events.tokens import Usage
from ...llm import new_in
from ...llm.agents.said import typed
from ...llm.canonical import Answer, LlmCall, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from ...llm.prices import Prices
from ...store.log.whole import WholeCalls
from ...store.rows.kinds import CallRow, SessionRow, ToolRow
from ...store.rows.tables import SESSIONS, TOOLS
from ...store.state import Store, pages
from ..queries import Selection
from ..queries.alerts import read_alerts
from ..queries.calls.call import read_calls
from ..queries.calls.costs import PricedCall
from ..queries.calls.mcp import tools_of

_VERSION = "ATIF-v1.8"  # https://github.com/harbor-framework/harbor/blob/main/rfcs/0001-trajectory-format.md
_AGENTS_MOST = 1000  # sub-agents of a session
_DEPTH_MOST = 16  # of agents in each other

_Json: TypeAlias = dict[str, Any]  # a JSON object


def atif(store: Store, session: SessionRow, prices: Prices, /) -> Iterator[bytes]:
    """
    One JSON value, a step a piece. Texts are whole: they are read from the log call by call. Sub-agents, and sessions that this
    one started, are trajectories of their own inside of the one whose tool started them; the result of that tool names them.

    Facts for which the format has no field are in `extra`: the process that ran for a tool and how it ended, a call that failed
    or is not whole, the alerts of the guard.
    """
    yield from _Trajectory(store, _Inner(session, None, None), prices).pieces()
    yield b"\n"


class _Sums(Struct):
    """The tokens and the cost of the calls so far; `usd` is None where a price is not known."""

    usage: Usage = Usage()
    usd: float | None = 0.0

    def add(self, call: PricedCall) -> None:
        self.usage += call.usage
        if call.cost_usd is None and call.total_tokens:
            self.usd = None
        elif self.usd is not None:
            self.usd += call.cost_usd or 0.0


class _Inner(Struct, frozen=True):
    """A trajectory inside of another one: of an agent, None the main one, of a session. `tool` is the row that started it."""

    session: SessionRow
    agent_id: str | None
    within: str | None  # the agent whose trajectory it is in
    tool: str | None = None
    name: str | None = None

    @property
    def id(self) -> str:
        return self.session.id if self.agent_id is None else f"{self.session.id}/{self.agent_id}"


def _below(store: Store, session: SessionRow, prices: Prices) -> list[_Inner]:
    """All that is inside of the trajectory of a session. Of an agent whose parent is not known that is the main one."""
    agents: Recent[str, CallRow] = Recent(_AGENTS_MOST)
    selection = Selection(sessions=frozenset({session.id}))
    for call in read_calls(store, selection, prices, where=lambda row: row.agent_id is not None):
        agents.setdefault(call.agent_id or "", call)
        if len(agents) == _AGENTS_MOST:
            break
    found: list[_Inner] = []
    depths: dict[str | None, int] = {None: 0}  # of agents that have begun, so that none is inside of itself
    for id, first in agents.items():
        above = first.parent_agent_id if depths.get(first.parent_agent_id, _DEPTH_MOST) < _DEPTH_MOST else None
        depths[id] = depths[above] + 1
        found.append(_Inner(session, id, above, first.agent_tool, first.agent_name or None))
    for _, row in pages(store, SESSIONS):
        if row.parent_session_id == session.id:
            begun = next(read_calls(store, Selection(sessions=frozenset({row.id})), prices), None)
            tool = store.get(TOOLS, begun.agent_tool) if begun is not None and begun.agent_tool else None
            within = tool.agent_id if tool is not None and tool.agent_id in depths else None
            found.append(_Inner(row, None, within, tool.id if tool is not None else None))
    return found


class _Trajectory:
    """It is inside of the sessions `above`; its own session has the trajectories `below`."""

    def __init__(
        self, store: Store, mine: _Inner, prices: Prices, *, above: tuple[str, ...] = (), below: Sequence[_Inner] | None = None
    ) -> None:
        self._store, self._mine, self._session, self._prices = store, mine, mine.session, prices
        self._above = (*above, mine.session.id)  # a session is not inside of itself, whatever its rows say
        self._below = _below(store, mine.session, prices) if below is None else below
        self._inside = [
            each
            for each in self._below
            if each.within == mine.agent_id and (each.agent_id is not None or each.session.id not in self._above)
        ]
        self._sums = _Sums()
        self._waiting: _Json | None = None  # the last step of the agent, whose tools may have no result yet
        self._tools: dict[str, str] = {}  # of that step: the row of each tool by the id of its call
        self._steps = 0

    def pieces(self) -> Iterator[bytes]:
        session = self._session
        head: _Json = {
            "schema_version": _VERSION,
            "session_id": session.id,
            "trajectory_id": self._mine.id,
            "agent": self._agent(),
        }
        yield msgspec.json.encode(head)[:-1] + b',"steps":['
        separator = b"\n"
        for step in self._all_steps():
            yield separator + msgspec.json.encode(step)
            separator = b",\n"
        yield b'\n],"final_metrics":' + msgspec.json.encode(self._final())
        extra = {
            "agent_id": self._mine.agent_id, "agent_name": self._mine.name, "cwd": session.cwd, "alerts": self._alerts() or None
        }  # fmt: skip
        yield b',"extra":' + msgspec.json.encode(_without_none(extra))
        separator = b',"subagent_trajectories":[\n'
        for each in self._inside:
            yield separator
            of_agent = each.agent_id is not None
            above, below = (self._above[:-1], self._below) if of_agent else (self._above, None)
            yield from _Trajectory(self._store, each, self._prices, above=above, below=below).pieces()
            separator = b",\n"
        yield b"]}" if separator == b",\n" else b"}"

    def _agent(self) -> _Json:
        found: _Json = {"name": self._session.who, "version": self._session.agent_version or "unknown"}
        return found | _without_none({"model_name": self._session.model})

    def _alerts(self) -> list[_Json]:
        """What broke a rule of the guard in this session, at its main agent."""
        selection = Selection(sessions=frozenset({self._session.id}))
        rows = read_alerts(self._store, selection) if self._mine.agent_id is None else ()
        return [
            {"rule": row.rule, "level": row.do, "sentence": row.sentence, "count": row.count}
            | _without_none({"call_id": row.call_id, "tool_id": row.tool_id, "timestamp": _time(row.timestamp_ms)})
            for row in rows
        ]

    def _calls(self) -> Iterator[PricedCall]:
        selection = Selection(sessions=frozenset({self._session.id}))
        return read_calls(self._store, selection, self._prices, where=lambda row: row.agent_id == self._mine.agent_id)

    def _all_steps(self) -> Iterator[_Json]:
        whole_calls = WholeCalls(self._store)
        for call in self._calls():
            whole = whole_calls.of(call)
            yield from self._before(call, whole)
            tools = tools_of(self._store, call.id)
            self._waiting = _agent_step(call, whole, tools)
            self._tools = {tool.tool_call_id: tool.id for tool in tools}
            self._sums.add(call)
        yield from self._released()

    def _before(self, call: PricedCall, whole: LlmCall | None) -> Iterator[_Json]:
        """What the request added: results of tools, which belong to the step that asked for them, and what a user wrote."""
        new = new_in(whole.asked) if whole else None
        rest = self._take_results(new.results if new else ())
        first = self._steps == 0 and self._waiting is None
        yield from self._released()
        time = _time(call.start_timestamp_ms)
        if first and whole is not None:
            text = "\n\n".join(each for message in whole.system() for each in message.texts())
            yield from self._numbered({"source": "system", "message": text} if text else None, time)
        if rest:  # the step that asked for them was not seen
            yield from self._numbered({"source": "system", "message": "", "observation": {"results": rest}}, time)
        text = typed(new.text) if new else call.prompt
        yield from self._numbered({"source": "user", "message": text} if text else None, time)

    def _take_results(self, results: Sequence[ToolResultPart]) -> list[_Json]:
        """Give the step that waits its results; results of other tools come back, without the id."""
        asked = {each["tool_call_id"] for each in (self._waiting or {}).get("tool_calls", ())}
        mine = [_result(each) | {"source_call_id": each.id} for each in results if each.id in asked]
        if mine and self._waiting is not None:
            self._waiting["observation"] = {"results": mine}
        return [_result(each, tool_call_id=each.id) for each in results if each.id not in asked]

    def _released(self) -> Iterator[_Json]:
        step, self._waiting = self._waiting, None
        if step is not None:
            self._refer(step)
        yield from self._numbered(step, None)

    def _refer(self, step: _Json) -> None:
        """Name the trajectories that its tools started in the results of these."""
        for inner in self._inside:
            asked = next((id for id, row in self._tools.items() if row == inner.tool), None)
            if asked is None:
                continue
            results: list[_Json] = step.setdefault("observation", {"results": []})["results"]
            if all(each["source_call_id"] != asked for each in results):
                results.append({"source_call_id": asked})
            for each in results:
                if each["source_call_id"] == asked:
                    refs: list[_Json] = each.setdefault("subagent_trajectory_ref", [])
                    refs.append({"trajectory_id": inner.id, "session_id": inner.session.id})

    def _numbered(self, step: _Json | None, time: str | None) -> Iterator[_Json]:
        if step is not None:
            self._steps += 1
            yield {"step_id": self._steps, **({"timestamp": time} if time else {}), **step}

    def _final(self) -> _Json:
        sums = self._sums
        found = {
            "total_prompt_tokens": sums.usage.asked,
            "total_completion_tokens": sums.usage.output,
            "total_cached_tokens": sums.usage.cache_read,
            "total_cost_usd": sums.usd,
            "total_steps": self._steps,
        }
        return _without_none(found)


def _agent_step(call: PricedCall, whole: LlmCall | None, tools: Sequence[ToolRow]) -> _Json:
    answer = whole.answer if whole else Answer(parts=(ReasoningPart(call.thinking), TextPart(call.text)))
    said = "".join(part.text for part in answer.parts if isinstance(part, TextPart))
    thought = "\n".join(part.text for part in answer.parts if isinstance(part, ReasoningPart) and part.text)
    rows = {tool.tool_call_id: tool for tool in tools}
    asked = [_tool_call(part, rows.get(part.id)) for part in answer.parts if isinstance(part, ToolCallPart)]
    not_whole = None if call.status == "complete" else _without_none({"status": call.status, "reason": call.reason})
    step: _Json = {
        "timestamp": _time(call.end_timestamp_ms or call.start_timestamp_ms),
        "source": "agent",
        "model_name": call.response_model or call.model,
        "message": said,
        "reasoning_content": thought or None,
        "reasoning_effort": whole.asked.parameters.reasoning if whole else None,
        "tool_calls": asked or None,
        "metrics": _metrics(call) if call.total_tokens else None,
        "llm_call_count": 1,
        "extra": {"call_id": call.id, **(not_whole or {}), **_without_none({"error": call.error_type})},
    }
    return _without_none(step)


def _metrics(call: PricedCall) -> _Json:
    more = {name: value for name in ("reasoning_tokens", "cache_creation_tokens") if (value := getattr(call, name))}
    return _without_none(
        {
            "prompt_tokens": call.asked_tokens,
            "completion_tokens": call.output_tokens,
            "cached_tokens": call.cache_read_tokens,
            "cost_usd": call.cost_usd,
            "extra": more or None,
        }
    )


def _tool_call(part: ToolCallPart, row: ToolRow | None) -> _Json:
    found: _Json = {"tool_call_id": part.id, "function_name": part.name, "arguments": _arguments(part.input)}
    names: tuple[str, ...] = ("duration_ms", "related_pid", "related_argv", "exit_code", "signal", "link")
    extra: _Json = {name: value for name in names if row is not None and (value := getattr(row, name)) not in (None, ())}
    return found | ({"extra": extra} if extra else {})


def _arguments(text: str) -> _Json:
    """The object of the arguments; a tool that takes anything else has it as `input`."""
    try:
        return msgspec.json.decode(text, type=_Json) if text else {}
    except (msgspec.DecodeError, RecursionError):
        return {"input": text}


def _result(part: ToolResultPart, **extra: str) -> _Json:
    more = {**extra, **({"is_error": True} if part.is_error else {})}
    return {"content": part.output, **({"extra": more} if more else {})}


def _without_none(found: _Json) -> _Json:
    return {name: value for name, value in found.items() if value is not None}


def _time(ms: int) -> str | None:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if ms else None
