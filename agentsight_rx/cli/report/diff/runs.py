"""agentsight-rx report diff A B: two runs of one task, two calls of a model, or two versions of an agent."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer

from ....core.errors import StoreError, UsageError
from ....core.messages import clean
from ....llm.canonical import LlmCall, MediaPart, Message, Part, ReasoningPart, TextPart, ToolCallPart
from ....store.log.whole import whole_call
from ....store.rows.tool_words import asked_for
from ....store.state import LmdbStore
from ....store.words import amount, count, money, plural, took
from ....view import CallRow, SessionRow
from ....view.queries import Selection
from ....view.queries.calls.call import find_calls
from ....view.queries.calls.costs import read_facts
from ....view.queries.calls.diff import CallDiff, Changed, diff_calls
from ....view.queries.sessions.diff import Difference, RunFacts, Runs, difference_of
from ..call_words import call_name
from ..shown.ask import Ask
from ..shown.conversation import result_said
from ..shown.markdown import difference_markdown, not_known_said
from ..shown.screen import Column, Columns, Line, Prose, Screen, Span, table
from ..shown.words import often
from .versions import is_version, show_versions

# -- message words -------------------------------------------------------------------------------------------------
# A message of a conversation -> a line for each of its parts.


def message_said(message: Message) -> Iterator[str]:
    """`user: fix the bug`, `assistant: tool Bash make`, `user: result of t1, 1,204 characters: …`."""
    for part in message.parts or (TextPart(""),):
        yield clean(f"{message.role}: {_part(part)}")


def _part(part: Part) -> str:
    match part:
        case TextPart():
            return part.text
        case ReasoningPart():
            return f"thinks {part.text or '(encrypted)'}"
        case ToolCallPart():
            return f"tool {part.name} {asked_for(part.input)}"
        case MediaPart():
            return f"{part.kind} {part.media_type} {part.reference or count(part.size) + ' characters'}"
        case _:
            return result_said(part, part.id)


# ------------------------------------------------------------------------------------------------------------------------


_MOST = 20  # differences of one kind
_TURN = re.compile(r"\d{1,6}(\.\d{1,6})?")  # as `30`, or the second one of a sub-agent as `30.2`
_NUMBERS: Columns[Difference] = (
    Column("", lambda each: each.what.removesuffix(" ms")),
    Column("first", lambda each: _value(each.what, each.first), right=True),
    Column("second", lambda each: _value(each.what, each.second), right=True),
)
_NAMES: Columns[Difference] = (
    Column("first", lambda each: often(each.first), right=True),
    Column("second", lambda each: often(each.second), right=True),
    Column("", lambda each: _name(each), flexible=True),
)
_PARAMETERS: Columns[Changed] = (
    Column("", lambda each: each.name),
    Column("", lambda each: str(each.first), flexible=True),
    Column("", lambda _: "→"),
    Column("", lambda each: str(each.second), flexible=True),
)
_TITLES = {
    "model": "models",
    "tool": "tools, with their input",
    "command": "programs, and how they ended",
    "written": "files written",
    "removed": "files removed",
    "read": "files read",
    "host": "hosts asked",
}


def diff(
    ask: Ask,
    first: Annotated[
        str,
        typer.Argument(
            metavar="A", help="A recording, a session (start of its id), a call (its turn or id), or a version as claude@2.1.4."
        ),
    ],
    second: Annotated[str, typer.Argument(metavar="B", help="Another one of the same kind.")],
    system: Annotated[
        bool, typer.Option("--system", help="Of recordings or sessions: only the agent's system text and tools.")
    ] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Markdown, for a job summary or a comment; of runs.")] = False,
) -> None:
    """
    What two runs of one task did differently, or what one call of a model says that another did not.

    Two files are recordings. Sessions are found in all stores. Two calls, by turn or id, are of one store, and so are two
    versions of an agent, of which the system text and the tools are compared.
    """
    if system or any(map(is_version, (first, second))):
        show_versions(ask, first, second)
        return
    if Path(first).exists() and Path(second).exists():
        _show_runs(ask, *(_of_file(ask, path) for path in (first, second)), markdown=markdown)
        return
    turns = all(_TURN.fullmatch(each) for each in (first, second))  # ids may begin with digits too
    sessions = [] if turns else [list(ask.sessions_named(each)) for each in (first, second)]
    if sessions and all(len(found) == 1 for found in sessions):
        _show_runs(ask, *(_of_session(ask, *found[0]) for found in sessions), markdown=markdown)
        return
    if markdown:
        raise UsageError("--markdown is for two runs: give two recordings, or two sessions")
    calls = [_call(ask, each) for each in (first, second)]
    _show_calls(ask, *calls)


def _of_file(ask: Ask, path: str) -> RunFacts:
    store = LmdbStore.open(path, readonly=True)
    try:
        return read_facts(store, Selection(), ask.prices)
    finally:
        store.close()


def _of_session(ask: Ask, path: Path, row: SessionRow) -> RunFacts:
    return read_facts(ask.opened(path), Selection(sessions=frozenset({row.id})), ask.prices)


def _call(ask: Ask, wanted: str) -> tuple[CallRow, LlmCall]:
    rows = {row.id: row for row in find_calls(ask.store, wanted, ask.selection)}
    if not rows:
        raise UsageError(f"{wanted} is no recording, no session and no call; see report list, report sessions, report calls")
    if len(rows) > 1:
        raise UsageError(f"{wanted} may be {len(rows)} calls: {', '.join(list(rows)[:4])}; give more of the id, or --session")
    (row,) = rows.values()
    whole = whole_call(ask.store, row)
    if whole is None:
        raise StoreError(f"the bytes of call {wanted} ({row.id}) are not in the store: only its row is")
    return row, whole


# -- runs --------------------------------------------------------------------------------------------------------------


def _show_runs(ask: Ask, first: RunFacts, second: RunFacts, *, markdown: bool) -> None:
    found = difference_of(first, second)
    if markdown:
        ask.write_raw(difference_markdown(found, _TITLES, _value))
    elif ask.as_json:
        ask.write(found.differences)
    else:
        ask.write_lines(_runs(found, ask))


def _runs(found: Runs, ask: Ask) -> Iterator[Line]:
    """Numbers, then kind by kind the entries of only one, then of both, how many are equal, and how to see all."""
    hidden = 0
    for kind, group in groupby(found.differences, key=lambda each: each.kind):
        rows = list(group)
        if kind == "number":
            yield from table(_NUMBERS, rows, ask.screen)
            continue
        shown = rows if ask.flags.show_all else rows[:_MOST]
        hidden += len(rows) - len(shown)
        yield ""
        yield (Span(_TITLES[kind], "title"), f" · {plural(len(rows), 'difference')}, {count(found.equal[kind])} equal")
        yield from table(_NAMES, shown, ask.screen)
    if not found.differences:
        yield "they do not differ"
    if found.not_known:
        yield from ("", Prose(not_known_said(found)))
    same = [f"{_TITLES[kind]} {count(number)}" for kind, number in found.equal.items() if number and _is_equal(found, kind)]
    if same:
        yield from ("", f"all equal: {' · '.join(same)}")
    if hidden:
        yield from ("", f"{count(hidden)} more; all of them: --all")


def _is_equal(found: Runs, kind: str) -> bool:
    return kind in _TITLES and not any(each.kind == kind for each in found.differences)


def _value(name: str, value: float | None) -> str:
    if value is None:
        return "unknown"
    if name == "cost":
        return money(value)
    if name.endswith(" ms"):
        return took(round(value))
    return amount(round(value)) if name.endswith("tokens") else count(round(value))


def _name(each: Difference) -> str:
    if each.kind == "tool":
        name, _, given = each.what.partition(" ")
        return f"{name} {asked_for(given)}"
    return each.what


# -- calls -------------------------------------------------------------------------------------------------------------


def _show_calls(ask: Ask, first: tuple[CallRow, LlmCall], second: tuple[CallRow, LlmCall]) -> None:
    found = diff_calls(first[1], second[1])
    if ask.as_json:
        ask.write([found])
    else:
        ask.write_lines(_calls(found, [first[0], second[0]], ask.screen))


def _calls(found: CallDiff, rows: Sequence[CallRow], screen: Screen) -> Iterator[Line]:
    first, second = map(call_name, rows)
    yield f"{first} → {second} · {amount(_asked(rows[0]))} → {amount(_asked(rows[1]))} tokens in"
    yield from table(_PARAMETERS, found.parameters, screen)
    for sign, names in (("+", found.tools_added), ("-", found.tools_removed), ("~", found.tools_changed)):
        yield from (f" {sign} tool {name}" for name in names)
    yield ""
    for change in found.messages:
        if change.change == "same":
            yield Span(f"   {plural(change.count, 'message')} unchanged", "quiet")
            continue
        for message in change.messages:
            yield from _marked("+" if change.change == "new" else "-", message_said(message))
    if found.equal:
        yield "they ask the same"


def _marked(sign: str, lines: Iterable[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        yield f" {sign} {line}" if not number else f"   {line}"


def _asked(row: CallRow) -> int:
    return row.asked_tokens
