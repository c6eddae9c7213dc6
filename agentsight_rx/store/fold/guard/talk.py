"""Calls of models and the results of their tools -> deeds."""

from __future__ import annotations

import os.path
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from msgspec.structs import replace

from ....core.start import regex
from ....events import HttpRequest, HttpResponse, Origin, SessionEntry, SseMessage
from ....llm.agents import agent_of
from ....policy.rules.guard.danger import DANGER, dangers_asked
from ....policy.rules.guard.deeds import CallDeed, LeftDeed, ProcessDeed, PromptDeed, ToolDeed
from ...rows.ids import call_id
from ...rows.kinds import CallRow, Row, ToolRow
from ...rows.tool_words import command_of, has_failed
from .chain import Link
from .context import Context, Proof
from .effects import LABEL
from .state import Sum

Priced: TypeAlias = Callable[[CallRow], float | None]  # the cost of a call in US dollars, where it is known

_UNSANDBOXED = regex(
    r'"(?:dangerouslyDisableSandbox|dangerously_disable_sandbox|with_escalated_permissions|disable_sandbox)"\s*:\s*true'
    r'|"sandbox_permissions"\s*:\s*"(?:require_escalated|danger[a-z-]*)"'
)
_SWITCHES = ("andbox", "escalated")  # one is in each input that the expression finds: it is looked for first
_NOBODY: Any = None  # the chain of a deed of which only the kind is asked
_NOTHING = Sum()
_LABEL = "[redacted:"  # a text without it has no label
_SECRETS_MOST = 8  # labels of one prompt or result that become alerts
_DAY_MS = 86_400_000


class Calls:
    """Behind the views, which have read the event."""

    def __init__(self, context: Context, priced: Priced | None) -> None:
        self._context = context
        self._judge, self._memory, self._known = context.judge, context.memory, context.known
        self._priced = priced if self._judge.reads_cost else None
        self._may_use, self._may_spend = self._judge.possible(ToolDeed), self._judge.possible(CallDeed)

    def begun(self, event: HttpRequest, rows: list[Row]) -> CallRow | None:
        """The call that a request begins."""
        id, row = call_id(event.origin, event.exchange), None
        for each in rows:
            if type(each) is CallRow and each.id == id and each.twin is None:
                row = each
        if row is not None:
            self._begins(row)
        return row

    def _begins(self, row: CallRow) -> bool:
        """Whether it was not known."""
        prompts = self._memory.prompts
        if row.session_id and row.is_prompted:
            prompts.put(row.session_id, row.prompt)
        if row.id in self._memory.calls:
            return False
        self._memory.begins(row, prompts.get(row.session_id or "", row.prompt), _sums_of(row))
        return True

    def said(self, event: SessionEntry, rows: list[Row]) -> list[Row]:
        """An agent's own file: an answer, with the prompt before it and the tools that it asks for, or the result of a tool."""
        alerts, origin = list[Row](), event.origin
        for row in rows:
            if type(row) is CallRow and row.status != "pending":
                if self._begins(row):
                    alerts += self.asked(origin, row)
                alerts += self._spent(origin, row)
            elif type(row) is ToolRow and event.kind == "result":
                alerts += self._failed(row, origin)
                link, proof = Link(self._known, row.pid, about=row), Proof(origin, (row.id,), call=row.llm_call_id)
                alerts += self._secrets(row.output, row.tool_name, link, proof)
            elif type(row) is ToolRow:
                alerts += [*self._tool(origin, row), *self._commands(origin, row)]
        return alerts

    def _commands(self, origin: Origin, row: ToolRow) -> Iterator[Row]:
        """What a tool is to run: no process of an agent's own file shows whether it ran."""
        text, cwd = command_of(row) if self._judge.judges(ProcessDeed) else ("", "")
        if not text:
            return
        link = Link(self._known, row.pid, about=row)
        for danger, command in dangers_asked(text, os.path.join(link.agent_cwd or "/", cwd), link.outside, _starts_agent):
            by = Link(self._known, row.pid, about=row, asked=command)
            deed = ProcessDeed(by, *danger, asked=True)
            broken = [rule for rule in self._judge.broken(deed) if DANGER in rule.when]
            yield from self._context.alerts(broken, deed, by, Proof(origin, (row.id,)))

    def asked(self, origin: Origin, row: CallRow) -> Iterable[Row]:
        """What a call sent for the first time."""
        if _LABEL not in row.prompt:
            return ()
        return self._secrets(row.prompt, "prompt", self._of_call(row), Proof(origin, (row.id,), call=row.id))

    def _secrets(self, text: str, place: str, link: Link, proof: Proof) -> Iterator[Row]:
        if _LABEL not in text or not self._judge.judges(PromptDeed):
            return
        found = dict.fromkeys((hit[0], hit[1]) for hit in LABEL.finditer(text))
        for label, kind in list(found)[:_SECRETS_MOST]:
            yield from self._context.judged(PromptDeed(link, kind, label, place), link, proof)

    def answered(self, origin: Origin, rows: list[Row], call: CallRow | None = None) -> list[Row]:
        """The results of tools: whether they failed again, and what they sent to the model in this call."""
        alerts = list[Row]()
        for row in rows:
            if type(row) is ToolRow and row.result_call_id is not None:
                alerts += self._failed(row, origin)
                if call is not None and row.result_call_id == call.id and self._may_leave(row):
                    alerts += self._sent(row, origin, call)
        return alerts

    def _may_leave(self, row: ToolRow) -> bool:
        return row.id in self._memory.reads or _LABEL in row.output

    def _sent(self, row: ToolRow, origin: Origin, call: CallRow) -> list[Row]:
        """What the result of a tool sent to the model: a file that was read, else a secret in it."""
        link = Link(self._known, row.pid, about=row)
        left = list(self._left(row, link, origin, call))
        return left or list(self._secrets(row.output, row.tool_name, link, Proof(origin, (row.id, call.id), call=call.id)))

    def _left(self, row: ToolRow, link: Link, origin: Origin, call: CallRow) -> Iterator[Row]:
        """The result of a tool that read a file was sent in this call."""
        for read in self._memory.reads.get(row.id, ()):
            if LABEL.search(row.output) or (read.by_name and row.output and not has_failed(row)):
                deed = LeftDeed(link, read.path, call.host or "", by_content=True, turn=call.turn)
                proof = Proof(origin, (read.event, row.id, call.id), call=call.id)
                yield from self._context.judged(deed, link, proof)

    def _failed(self, row: ToolRow, origin: Origin) -> Iterable[Row]:
        key, failures = row.repeat_of or row.id, self._memory.failures
        count, last = failures.get(key, (0, ""))
        if last == row.id:
            return ()
        if not has_failed(row):
            failures.drop(key)
            return ()
        failures.put(key, (count + 1, row.id))
        deed = ToolDeed(_NOBODY, count + 1)
        if not self._may_use(deed):
            return ()
        link, proof = Link(self._known, row.pid, about=row), Proof(origin, (row.id,), total=count + 1, call=row.result_call_id)
        return self._context.judged(replace(deed, chain=link), link, proof)

    def ended(self, event: HttpResponse | SseMessage, rows: list[Row]) -> list[Row]:
        """The answer of a model: what it cost, and the tools that it asks for."""
        alerts = list[Row]()
        for row in rows:
            if type(row) is CallRow and row.twin is None and row.status != "pending":
                alerts += self._spent(event.origin, row)
            elif type(row) is ToolRow and row.result_call_id is None:
                alerts += self._tool(event.origin, row)
        return alerts

    def _spent(self, origin: Origin, row: CallRow) -> Iterable[Row]:
        cost = self._priced(row) if self._priced is not None else None
        session, day, *agents = self._memory.call(row, cost, _sums_of(row))
        agent = agents[0] if agents else _NOTHING
        deed = CallDeed(
            _NOBODY,
            cost=session.cost,
            tokens=session.tokens,
            calls=session.calls,
            day_cost=day.cost,
            agent_cost=agent.cost,
            agent_calls=agent.calls,
        )
        if not self._may_spend(deed):
            return ()
        link = self._of_call(row)
        return self._context.judged(replace(deed, chain=link), link, Proof(origin, (row.id,), count=0, total=1, call=row.id))

    def _tool(self, origin: Origin, row: ToolRow) -> Iterable[Row]:
        deed = ToolDeed(_NOBODY, unsandboxed=_is_unsandboxed(row.input))
        if not self._may_use(deed):
            return ()
        link = Link(self._known, row.pid, about=row)
        return self._context.judged(replace(deed, chain=link), link, Proof(origin, (row.id,)))

    def _of_call(self, row: CallRow) -> Link:
        return Link(
            self._known,
            row.pid,
            row.process_id,
            by_session=row.session_id,
            agent_id=row.agent_id,
            day=_day_of(row),
        )


def _starts_agent(argv: Sequence[str]) -> bool:
    return agent_of(None, argv) is not None


def _is_unsandboxed(text: str) -> bool:
    return any(word in text for word in _SWITCHES) and _UNSANDBOXED.search(text) is not None


def _day_of(row: CallRow) -> int:
    return row.start_timestamp_ms // _DAY_MS


def _sums_of(row: CallRow) -> tuple[str, ...]:
    """What its cost belongs to: the session, the day, the sub-agent."""
    agent = (f"agent {row.session_id} {row.agent_id}",) if row.agent_id else ()
    return (f"session {row.session_id}", f"day {_day_of(row)}", *agent)
