"""Calls of models and the results of their tools -> deeds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TypeAlias

from ....events import HttpRequest, HttpResponse, Origin, SseMessage
from ....rules.guard.deeds import CallDeed, LeftDeed, PromptDeed, ToolDeed
from ...rows.ids import call_id
from ...rows.kinds import CallRow, Row, ToolRow
from ...rows.tool_outcome import has_failed
from .chain import Link
from .context import Context, Proof
from .effects import LABEL

__all__ = ["Calls", "Priced"]

Priced: TypeAlias = Callable[[CallRow], float | None]  # the cost of a call in US dollars, where it is known

_UNSANDBOXED = re.compile(
    r'"(?:dangerouslyDisableSandbox|dangerously_disable_sandbox|with_escalated_permissions|disable_sandbox)"\s*:\s*true'
    r'|"sandbox_permissions"\s*:\s*"(?:require_escalated|danger[a-z-]*)"'
)
_SWITCHES = ("andbox", "escalated")  # one is in each input that the expression finds: it is looked for first
_SECRETS_MOST = 8  # labels of one prompt or result that become alerts
_DAY_MS = 86_400_000


class Calls:
    """Behind the views, which have read the event."""

    def __init__(self, context: Context, priced: Priced | None) -> None:
        self._context = context
        self._judge, self._memory, self._known = context.judge, context.memory, context.known
        self._priced = priced if self._judge.reads_cost else None

    def begun(self, event: HttpRequest, rows: list[Row]) -> CallRow | None:
        """The call that a request begins."""
        id = call_id(event.origin, event.exchange)
        found = [row for row in rows if isinstance(row, CallRow) and row.id == id and row.twin is None]
        if not found:
            return None
        row, prompts = found[-1], self._memory.prompts
        if row.session_id and row.is_prompted:
            prompts.put(row.session_id, row.prompt)
        self._memory.begins(row, prompts.get(row.session_id or "", row.prompt), _sums_of(row))
        return row

    def asked(self, origin: Origin, row: CallRow) -> Iterator[Row]:
        """What a call sent for the first time."""
        yield from self._secrets(row.prompt, "prompt", self._of_call(row), Proof(origin, (row.id,), call=row.id))

    def _secrets(self, text: str, place: str, link: Link, proof: Proof) -> Iterator[Row]:
        if "[redacted:" not in text or not self._judge.judges(PromptDeed):
            return
        found = dict.fromkeys((hit[0], hit[1]) for hit in LABEL.finditer(text))
        for label, kind in list(found)[:_SECRETS_MOST]:
            yield from self._context.judged(PromptDeed(link, kind, label, place), link, proof)

    def answered(self, origin: Origin, rows: list[Row], call: CallRow | None = None) -> Iterator[Row]:
        """The results of tools: whether they failed again, and what they sent to the model in this call."""
        for row in [each for each in rows if isinstance(each, ToolRow) and each.result_call_id is not None]:
            link = Link(self._known, pid=row.pid, tool=row)
            yield from self._failed(row, link, origin)
            if call is None or row.result_call_id != call.id:
                continue
            left = list(self._left(row, link, origin, call))
            yield from left
            if not left:  # else that alert has said it
                yield from self._secrets(row.output, row.tool_name, link, Proof(origin, (row.id, call.id), call=call.id))

    def _left(self, row: ToolRow, link: Link, origin: Origin, call: CallRow) -> Iterator[Row]:
        """The result of a tool that read a file was sent in this call."""
        for read in self._memory.reads.get(row.id, ()):
            if LABEL.search(row.output) or (read.by_name and row.output and not has_failed(row)):
                deed = LeftDeed(link, read.path, call.host or "", by_content=True, turn=call.turn)
                proof = Proof(origin, (read.event, row.id, call.id), call=call.id)
                yield from self._context.judged(deed, link, proof)

    def _failed(self, row: ToolRow, link: Link, origin: Origin) -> Iterator[Row]:
        key, failures = row.repeat_of or row.id, self._memory.failures
        count, last = failures.get(key, (0, ""))
        if last == row.id:
            return
        if not has_failed(row):
            failures.pop(key, None)
            return
        failures.put(key, (count + 1, row.id))
        if self._judge.judges(ToolDeed):
            proof = Proof(origin, (row.id,), total=count + 1, call=row.result_call_id)
            yield from self._context.judged(ToolDeed(link, count + 1), link, proof)

    def ended(self, event: HttpResponse | SseMessage, rows: list[Row]) -> Iterator[Row]:
        """The answer of a model: what it cost, and the tools that it asks for."""
        for row in [each for each in rows if isinstance(each, CallRow) and each.twin is None and each.status != "pending"]:
            cost = self._priced(row) if self._priced is not None else None
            self._memory.call(row, cost, _sums_of(row))
            if self._judge.judges(CallDeed):
                link = self._of_call(row)
                proof = Proof(event.origin, (row.id,), count=0, total=1, call=row.id)
                yield from self._context.judged(CallDeed(link), link, proof)
        if self._judge.judges(ToolDeed):
            for tool in [each for each in rows if isinstance(each, ToolRow) and each.result_call_id is None]:
                link = Link(self._known, pid=tool.pid, tool=tool)
                deed = ToolDeed(link, unsandboxed=_is_unsandboxed(tool.input))
                yield from self._context.judged(deed, link, Proof(event.origin, (tool.id,)))

    def _of_call(self, row: CallRow) -> Link:
        return Link(
            self._known,
            pid=row.pid,
            process_id=row.process_id,
            session_id=row.session_id,
            agent_id=row.agent_id,
            day=_day_of(row),
        )


def _is_unsandboxed(text: str) -> bool:
    return any(word in text for word in _SWITCHES) and _UNSANDBOXED.search(text) is not None


def _day_of(row: CallRow) -> str:
    return str(row.start_timestamp_ms // _DAY_MS)


def _sums_of(row: CallRow) -> tuple[str, ...]:
    """What its cost belongs to: the session, the day, the sub-agent."""
    agent = (f"agent {row.session_id} {row.agent_id}",) if row.agent_id else ()
    return (f"session {row.session_id}", f"day {_day_of(row)}", *agent)
