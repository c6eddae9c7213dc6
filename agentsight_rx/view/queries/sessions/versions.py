"""Two sessions, such as of two versions of an agent -> what the agent itself sends differently: system text and tools."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Struct

from ....llm.canonical import LlmCall, ToolDefinition
from ....store.log.reading import read_exchange
from ....store.rows.kinds import CallRow, SessionRow
from ....store.rows.tables import CALLS, SESSIONS
from ....store.state import Store
from ..calls.diff import LineChange, diff_lines
from ..reading import rows_of, selected
from ..selection import Selection

_LOOKED_AT = 50  # calls of a session, for one with tools
_FOLDER = "$PWD"  # stands for the folder of a session, which is another one in the next


class Sent(Struct, frozen=True):
    """
    The first request of a session with tools, or without any the first one with a system text. `system_size` and `tools_size`
    are characters, `tokens_in` is counted by the provider (0: it did not), and has the prompt in it.
    """

    agent: str
    version: str
    session_id: str
    call_id: str
    tokens_in: int
    system_size: int
    tools_size: int
    tools: int


class ToolDiff(Struct, frozen=True):
    """A tool whose definition is not the same. `change`: changed, gone, new. Sizes are characters; 0 where there is none."""

    change: str
    name: str
    first_size: int = 0
    second_size: int = 0
    lines: tuple[LineChange, ...] = ()  # of the description and of the indented schema, where both have it


class VersionDiff(Struct, frozen=True):
    """`system` has the lines of both system texts; `tools` the ones that differ, and `same_tools` counts the others."""

    first: Sent
    second: Sent
    system: tuple[LineChange, ...]
    tools: tuple[ToolDiff, ...]
    same_tools: int

    @property
    def equal(self) -> bool:
        return not self.tools and all(each.change == "same" for each in self.system)


class SentText(Struct, frozen=True):
    """The same request with its texts: the definition of each tool by its name."""

    sent: Sent
    system: str
    tools: dict[str, str]


def session_of_version(store: Store, agent: str, version: str, /) -> SessionRow | None:
    """The newest session with calls of that version of an agent, or where `agent` is "" of any agent."""
    found = [
        row
        for row in rows_of(store, SESSIONS)
        if row.calls and row.agent_version == version and agent in ("", row.agent, row.program, row.comm)
    ]
    return max(found, key=lambda row: row.start_timestamp_ms, default=None)


def sent_by(store: Store, session: SessionRow, /) -> SentText | None:
    """What the agent of a session sends with its requests; None where no request of its main agent is in the store."""
    first: SentText | None = None
    for row in _calls(store, session):
        seen = read_exchange(store, row.id)
        whole = seen.call(row.call_kind) if seen.request else None
        if whole is None:
            continue
        text = _text_of(whole, row, session)
        if text.tools:
            return text
        first = first or text
    return first


def diff_versions(first: SentText, second: SentText, /) -> VersionDiff:
    """Compare what both send."""
    names = list(dict.fromkeys([*first.tools, *second.tools]))
    changes = [each for name in names if (each := _tool(name, first.tools.get(name), second.tools.get(name))) is not None]
    return VersionDiff(
        first.sent,
        second.sent,
        system=tuple(diff_lines(first.system.splitlines(), second.system.splitlines())),
        tools=tuple(changes),
        same_tools=len(names) - len(changes),
    )


def _calls(store: Store, session: SessionRow) -> Iterator[CallRow]:
    """The first calls of the main agent that continue its conversation."""
    rows = selected(store, CALLS, Selection(sessions=frozenset({session.id})))
    mine = (row for row in rows if row.twin is None and row.agent_id is None and not row.aside)
    return (row for _, row in zip(range(_LOOKED_AT), mine, strict=False))


def _text_of(whole: LlmCall, row: CallRow, session: SessionRow) -> SentText:
    system = "\n\n".join(text for message in whole.system() for text in message.texts())
    folder = session.cwd or ""
    if len(folder) > 1:
        system = system.replace(folder, _FOLDER)
    tools = {tool.name: _definition(tool) for tool in whole.asked.tools}
    sent = Sent(
        agent=session.who,
        version=session.agent_version,
        session_id=session.id,
        call_id=row.id,
        tokens_in=row.asked_tokens,
        system_size=len(system),
        tools_size=sum(map(len, tools.values())),
        tools=len(tools),
    )
    return SentText(sent, system, tools)


def _definition(tool: ToolDefinition) -> str:
    return f"{tool.description}\n{msgspec.json.format(tool.parameters, indent=2)}" if tool.parameters else tool.description


def _tool(name: str, first: str | None, second: str | None) -> ToolDiff | None:
    if first == second:
        return None
    if second is None:
        return ToolDiff("gone", name, first_size=len(first or ""))
    if first is None:
        return ToolDiff("new", name, second_size=len(second))
    lines = tuple(diff_lines(first.splitlines(), second.splitlines()))
    return ToolDiff("changed", name, len(first), len(second), lines)
