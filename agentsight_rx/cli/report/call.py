"""agentsight-rx report call N: one call, its new messages, its answer, and its tools."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from ...core.errors import UsageError
from ...llm.canonical import ReasoningPart, TextPart
from ...store.log.reading import read_exchange
from ...store.rows.kinds import SAID
from ...store.rows.tool_words import asked_for
from ...store.words import amount, count, money, took
from ...view import CallRow
from ...view.queries.calls.call import ToolWork, WholeCall, find_calls, read_call
from ...view.queries.calls.programs import Language
from .call_words import call_name, prices_said, state_of_call, took_by
from .diff.against import show_against
from .resend import print_program
from .shown.ask import Ask, report_called
from .shown.conversation import answer_lines, request_lines, result_said
from .shown.screen import Line, Screen, Span, Whole
from .shown.words import clock
from .tools import tool_said

_FILES_SHOWN = 8
_PROCESSES_SHOWN = 8
_SIGNS = {"written": "+", "removed": "-", "moved": "→", "refused": "!", "temporary": "~"}


def call(
    ask: Ask,
    wanted: Annotated[str, typer.Argument(metavar="N|ID", help="Its turn in the newest session (or --session), or its id.")],
    request: Annotated[bool, typer.Option("--request", help="Print the whole request.")] = False,
    answer: Annotated[bool, typer.Option("--answer", help="Print the whole answer.")] = False,
    curl: Annotated[bool, typer.Option("--curl", help="Print a script with curl that sends the request again.")] = False,
    python: Annotated[bool, typer.Option("--python", help="Print a Python program that sends the request again.")] = False,
    model: Annotated[
        str | None, typer.Option("--model", help="With --curl or --python: to this model instead.", metavar="NAME")
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--to", help="With --curl or --python: the folder of the body.", metavar="DIR")
    ] = None,
    against: Annotated[
        Path | None, typer.Option("--against", help="Compare the answer with the one in this file.", metavar="FILE")
    ] = None,
) -> None:
    """
    One whole call: new messages, thoughts, answer, and its tools with processes and files.

    --curl and --python print a program that asks again, and --against compares what it printed with the recorded answer.
    """
    languages: list[Language] = []
    if curl:
        languages.append("curl")
    if python:
        languages.append("python")
    _refuse_together(ask, languages, request=request or answer, against=against, parts=model or to)
    if languages or against is not None:
        row = _the_one(ask, wanted)
        recorded = read_exchange(ask.store, row.id)
        if against is not None:
            show_against(ask, row, recorded, against)
        else:
            print_program(row, recorded.request, languages[0], model=model, to=to)
        return
    found = read_call(ask.store, _the_one(ask, wanted), ask.prices)
    if ask.as_json:
        ask.write([found])
        return
    if (request or answer) and found.exchange is None:
        ask.write_lines([Span(f"the bytes of {found.call.id} are not in the store: only its row is", "missing")])
        return
    if found.exchange is not None and request:
        ask.write_lines(request_lines(found.exchange))
    if found.exchange is not None and answer:
        ask.write_lines([*([""] if request else []), *answer_lines(found.exchange)])
    if not request and not answer:
        ask.write_lines(_lines(found, ask.screen))
        lists = [found.call.cost_by.rpartition(", ")[2]] if found.call.cost_by else []
        dated = prices_said(found.call.cost_as_of, lists)
        how = "from the agent's own file" if found.call.view_source == SAID else "whole"
        ask.write_lines(["", Whole(f"{dated and f'{dated} · '}{how}: {ask.other(f'call {wanted}')} --request, --answer")])


def _refuse_together(ask: Ask, languages: list[Language], *, request: bool, against: Path | None, parts: object) -> None:
    if len(languages) + request + (against is not None) > 1:
        raise UsageError("--curl, --python, --against, and --request or --answer each print something else; give one of them")
    if parts and not languages:
        raise UsageError("--model and --to are about the program that asks again; give them with --curl or --python")
    if languages and ask.flags.json_lines:
        raise UsageError(f"--{languages[0]} prints a program, which is no JSON; leave --json out")


def _the_one(ask: Ask, wanted: str) -> CallRow:
    rows = find_calls(ask.store, wanted, ask.selection)
    if not rows:
        raise UsageError(f"no call is {wanted}; list the calls with `{ask.other('calls')}`")
    if len({row.id for row in rows}) > 1:
        ids = ", ".join(row.id for row in rows[:4])
        raise UsageError(f"{wanted} may be {len(rows)} calls: {ids}{', …' if len(rows) > 4 else ''}; give more of the id")
    return rows[0]


def _lines(found: WholeCall, screen: Screen) -> Iterable[Line]:
    yield _head(found)
    for at, text in enumerate(_new(found)):
        yield (f" {'new' if not at else '':<7} ", text)
    for name, text in _said(found):
        yield (f" {name:<7} ", text)
    for work in found.tools:
        yield from _tool(work, screen)


def _head(found: WholeCall) -> Line:
    row = found.call
    first = row.time_to_first_chunk_ms
    when = [clock(row.start_timestamp_ms), took_by(row), f"first word after {took(first)}" if first is not None else ""]
    tokens = f"{amount(row.asked_tokens)} in ({amount(row.cache_read_tokens)} cached), {amount(row.output_tokens)} out"
    if row.reasoning_tokens:
        tokens += f" ({amount(row.reasoning_tokens)} to think)"
    model = row.model or "unknown model"
    if row.response_model and row.response_model != row.model:
        model += f" (answered by {row.response_model})"
    if row.through:
        model += f" through {row.through}"
    parts = [call_name(row), model, ", ".join(filter(None, when))]
    if row.total_tokens:
        cost = money(row.cost_usd) if row.cost_usd is not None else "cost unknown"
        parts += [tokens, cost]
    return (" · ".join(parts) + " · ", state_of_call(row))


def _new(found: WholeCall) -> Iterator[str]:
    """What the request added: results of tools, then what the user typed; never a message that was sent before."""
    row = found.call
    if row.repeat:
        yield f"{'a retry of' if row.retry else 'the same as'} {row.repeat_of}"
    for result in found.new.results:
        tool = found.results_of.get(result.id)
        yield result_said(result, f"{tool.tool_name} ({asked_for(tool.input)})" if tool else result.id)
    if found.new.text:
        yield f"“{found.new.text}”"
    if found.uncached:
        yield f"{amount(found.uncached)} tokens no longer cached"


def _said(found: WholeCall) -> Iterator[tuple[str, str]]:
    if found.exchange is None:
        yield from (pair for pair in (("think", found.call.thinking), ("says", found.call.text)) if pair[1])
        return
    for part in found.exchange.answer.parts:
        if isinstance(part, ReasoningPart):
            yield "think", part.text or "(encrypted)"
        elif isinstance(part, TextPart) and part.text:
            yield "says", part.text
    if found.exchange.error:
        yield "error", found.exchange.error
    for field in found.exchange.unknown:
        yield "unknown", f"{field} could not be read"


def _tool(work: ToolWork, screen: Screen) -> Iterator[Line]:
    tool = work.tool
    said = tool_said(tool)
    lasted = took(tool.duration_ms)
    end = Span(f"  → {said.text.partition(':')[0]}{f', {lasted}' if lasted else ''}", said.state)
    name = f" {'tool':<7} {tool.tool_name}  "
    room = max(20, screen.width - len(name) - len(end.text))
    asked = asked_for(tool.input)
    yield (name, asked if len(asked) <= room else asked[: room - 1] + "…", end)
    tied = f"  matched by {tool.link}" if tool.link else ""
    for at, process in enumerate(work.processes[:_PROCESSES_SHOWN]):
        label = "process" if not at else ""
        yield f"{'':<11}{label:<8} {process.pid} {shlex.join(process.argv) or process.command}{tied if not at else ''}"
    if len(work.processes) > _PROCESSES_SHOWN:
        yield f"{'':<20}and {count(len(work.processes) - _PROCESSES_SHOWN)} more: {report_called('processes')}"
    if not work.processes and tool.related_pid is not None:
        yield f"{'':<11}{'process':<8} {tool.related_pid} {shlex.join(tool.related_argv)}{tied}"
    signs = {path: _SIGNS[kind] for path, kind in work.fates.items() if kind in _SIGNS}
    for at, (path, sign) in enumerate(list(signs.items())[:_FILES_SHOWN]):
        yield f"{'':<11}{'files' if not at else '':<8} {sign} {path}"
    if len(signs) > _FILES_SHOWN:
        yield f"{'':<20}and {count(len(signs) - _FILES_SHOWN)} more: {report_called('files')}"
    if tool.output:
        yield f"{'':<11}{'result':<8} {tool.output}"
