"""Store, session -> one HTML file that needs nothing else: what was asked, thought, answered and run, turn by turn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, tzinfo

from msgspec import Struct

from ..llm.canonical import Answer, ReasoningPart, TextPart
from ..prices import Prices
from ..state import Store
from ..view.queries import Selection
from ..view.queries.call import ToolWork, WholeCall, read_call
from ..view.queries.costs import PricedCall
from ..view.queries.reading import selected
from ..view.queries.tools import has_failed
from ..view.rows import ProcessRow, SessionRow, ToolRow
from ..view.tables import CALLS
from .html_text import FOOT, escaped, folded, head, line

__all__ = ["Heading", "html"]

_FILES_MOST = 100  # of one tool


class Heading(Struct, frozen=True):
    """What stands above the turns: a title, what the session did in a sentence, and its numbers by name."""

    title: str
    about: str = ""
    verdict: str = ""
    numbers: tuple[tuple[str, str], ...] = ()
    missing: tuple[str, ...] = ()


def html(
    store: Store, session: SessionRow, prices: Prices, /, *, heading: Heading, zone: tzinfo | None = None
) -> Iterator[bytes]:
    """
    A turn a piece. There is no script and nothing is loaded, also by a page that was captured: all of its text is text. A text
    of more than 100,000 characters is cut, and says so. Times are in the time zone `zone`.
    """
    yield head(heading.title)
    yield from _top(heading)
    chosen = Selection(sessions=frozenset({session.id}))
    for call in selected(store, CALLS, chosen, where=lambda row: row.twin is None):
        yield "".join(_turn(read_call(store, call, prices), zone)).encode("utf-8", "replace")
    yield FOOT


def _top(heading: Heading) -> Iterator[bytes]:
    parts = [f"<header><h1>{escaped(line(heading.title))}</h1>"]
    parts += [f"<p class=quiet>{escaped(heading.about)}</p>" if heading.about else ""]
    parts += [f"<p class=verdict>{escaped(heading.verdict)}</p>" if heading.verdict else ""]
    parts += [f"<p class=missing>{escaped(each)}</p>" for each in heading.missing]
    parts.append("<dl>")
    parts += [f"<div><dt>{escaped(name)}</dt><dd>{escaped(value)}</dd></div>" for name, value in heading.numbers]
    parts.append("</dl></header>\n<main>\n")
    yield "".join(parts).encode("utf-8", "replace")


def _turn(whole: WholeCall, zone: tzinfo | None) -> Iterator[str]:
    call = whole.call
    answer = whole.exchange.answer if whole.exchange else Answer(parts=(ReasoningPart(call.thinking), TextPart(call.text)))
    yield f'<section id="{escaped(call.id)}"><h2>turn {call.turn}{_of_agent(call)}</h2>'
    yield f"<p class=quiet>{escaped(' · '.join(_facts(call, zone)))}</p>"
    if call.status != "complete":
        yield f"<p class={_state(call)}>{escaped(_not_whole(call))}</p>"
    if whole.new.text:
        yield f"<h3>prompt</h3>{folded(whole.new.text, opened=True)}"
    for result in whole.new.results:
        tool = whole.results_of.get(result.id)
        name = f"result of {tool.tool_name if tool else result.id}{' (failed)' if result.is_error else ''}"
        yield folded(result.output, name, state="failed" if result.is_error else "")
    for part in answer.parts:
        if isinstance(part, ReasoningPart) and part.text:
            yield folded(part.text, "reasoning")
        elif isinstance(part, TextPart) and part.text:
            yield f"<h3>answer</h3>{folded(part.text, opened=True)}"
    for work in whole.tools:
        yield from _tool(work)
    yield "</section>\n"


def _of_agent(call: PricedCall) -> str:
    return f" of sub-agent {escaped(call.agent_id)}" if call.agent_id else ""


def _facts(call: PricedCall, zone: tzinfo | None) -> Iterator[str]:
    yield call.model or "unknown model"
    yield datetime.fromtimestamp(call.start_timestamp_ms / 1000, zone).strftime("%Y-%m-%d %H:%M:%S")
    if call.end_timestamp_ms is not None:
        yield f"{max(0, call.end_timestamp_ms - call.start_timestamp_ms) / 1000:.1f} s"
    if call.total_tokens:
        asked = call.input_tokens + call.cache_read_tokens + call.cache_creation_tokens
        yield f"{asked:,} tokens in, {call.cache_read_tokens:,} of them cached, {call.output_tokens:,} out"
        yield "cost unknown" if call.cost_usd is None else f"${call.cost_usd:.4f}"


def _state(call: PricedCall) -> str:
    return "failed" if call.status in ("error", "aborted") else "missing"


def _not_whole(call: PricedCall) -> str:
    reason = (call.reason or call.error_type or "").replace("_", " ")
    return f"{'this call failed' if call.status == 'error' else f'not whole: {call.status}'}{f', {reason}' if reason else ''}"


def _tool(work: ToolWork) -> Iterator[str]:
    row = work.tool
    failed = has_failed(row)
    yield f"<h3>tool {escaped(row.tool_name)} <span class={'failed' if failed else 'quiet'}>{escaped(_ended(row))}</span></h3>"
    yield folded(row.input, opened=True)
    programs = [_program(each) for each in work.processes] or _linked(row)
    if programs:
        yield f"<ul class=programs>{''.join(programs)}</ul>"
    yield from _files(work)


def _ended(row: ToolRow) -> str:
    parts = [f"signal {row.signal}" if row.signal else f"exit {row.exit_code}" if row.exit_code is not None else row.status]
    parts += [f"{row.duration_ms / 1000:.1f} s"] if row.duration_ms is not None else []
    return ", ".join(parts)


def _program(row: ProcessRow) -> str:
    ended = f"signal {row.signal}" if row.signal else "running" if row.exit_code is None else f"exit {row.exit_code}"
    state = "quiet" if row.status in ("success", "running") else "failed"
    command = escaped(line(" ".join(row.argv) or row.command or ""))
    return f"<li>{row.pid} <code>{command}</code> <span class={state}>{ended}</span></li>"


def _linked(row: ToolRow) -> list[str]:
    if row.related_pid is None:
        return []
    return [f"<li>{row.related_pid} <code>{escaped(line(' '.join(row.related_argv)))}</code></li>"]


def _files(work: ToolWork) -> Iterator[str]:
    """Those that were changed or refused, each once."""
    named = [(kind, path) for path, kind in work.fates.items() if kind not in ("read", "failed", "device")]
    if named:
        yield f"<ul class=files>{''.join(_items(named[:_FILES_MOST]))}"
        yield f"<li>{len(named) - _FILES_MOST} more</li></ul>" if len(named) > _FILES_MOST else "</ul>"


def _items(named: Iterable[tuple[str, str]]) -> Iterator[str]:
    for what, path in named:
        state = " class=failed" if what == "refused" else ""
        yield f"<li{state}>{what} <code>{escaped(line(path))}</code></li>"
