"""
A session, a kind -> the rows of one tab: processes, files, network, MCP, HTTP, a page of them at a time.

Longer than 300 lines because each tab is a function beside the others, and a file has its story too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from ...store.rows.kinds import ToolRow
from ...store.rows.tables import BLIND_SPOTS, HTTP, PREVIEW, PROCESSES
from ...store.rows.tool_words import asked_for
from ...store.words import NO_END, cut, end_said, reason_said
from ..queries.calls.lookup import Cause
from ..queries.calls.mcp import mcp_of
from ..queries.effects.file_edits import Edit, Writers, content_of, editors_of, edits_of, lines_of, writers_of
from ..queries.effects.file_fates import names_in
from ..queries.effects.files import file_uses
from ..queries.effects.network import network_of
from ..queries.effects.work import Process, process_tree
from ..queries.records import Exchange, exchanges_of
from .bodies import whole_text
from .picture import WHOLE, Picture
from .words import FileChange, FileLine, FileStory, HostLine, HttpLine, McpLine, ProcessLine, program_of

_TEXT = 200
_NAMED = 80
_CHANGED = frozenset({"written", "removed", "moved"})
_CONTENT_MOST = 64_000  # characters of one text of a file
_EDITS_MOST = 100


class Table(Struct, frozen=True):
    """
    Rows from place `start` on, of `total`. `partial`: older ones were too many to look at. Of files `kinds` counts all rows by
    their kind, `unheld` the written ones beside them (-1: perhaps some, they are not counted), and `command` shows these. Of
    other rows `command` shows all, where `partial`.
    """

    kind: str
    start: int
    total: int
    rows: Sequence[Struct]
    folder: str = ""
    partial: bool = False
    kinds: dict[str, int] = {}
    unheld: int = 0
    command: str = ""


def table_of(picture: Picture, session: str, kind: str, /, *, start: int, count: int, words: str = "", of: str = "") -> Table:
    """
    The rows that contain `words`; `of`: files of this kind, or changed ones. Raises KeyError for an unknown kind or session.
    """
    all_rows, partial = picture.tables.looked_up(f"{kind} {session}", lambda _: KINDS[kind](picture, session))
    wanted = words.casefold()
    rows = [row for row in all_rows if _is_of(row, of) and (not words or wanted in _searched(row))]
    table = Table(kind, start, len(rows), rows[start : start + count], folder=_folder(picture, session), partial=partial)
    if kind == "files":
        return _of_files(table, picture, session, all_rows)
    return replace(table, command=picture.command(f"report {kind}", session)) if partial else table


def _is_of(row: Struct, of: str) -> bool:
    return not of or not isinstance(row, FileLine) or (row.kind in _CHANGED if of == "changed" else row.kind == of)


def _of_files(table: Table, picture: Picture, session: str, rows: Sequence[Struct]) -> Table:
    kinds = Counter(row.kind for row in rows if isinstance(row, FileLine))
    unheld = picture.written_beside(session, kinds["written"])
    return replace(table, kinds=dict(kinds), unheld=unheld, command=picture.command("report files --kind written", session))


def _searched(row: Struct) -> str:
    """All fields but the prompt, whose words say nothing of the row."""
    return "\n".join(str(getattr(row, name)) for name in row.__struct_fields__ if name != "prompt").casefold()


def _folder(picture: Picture, session: str) -> str:
    row = None if session == WHOLE else picture.session(session)
    return (row.cwd if row else None) or picture.causes.folder


def _turn(cause: Cause | None) -> tuple[int, str]:
    return (cause.turn, cause.tool) if cause is not None else (0, "")


def _processes(picture: Picture, session: str) -> tuple[list[Struct], bool]:
    rows, whole = picture.newest_rows(PROCESSES, session)
    made: list[Struct] = [_process(row, live=picture.being_written) for row in process_tree(rows, picture.causes)]
    return made, not whole


def _process(row: Process, *, live: bool) -> ProcessLine:
    turn, tool = _turn(row.cause)
    return ProcessLine(
        row.id,
        row.pid,
        row.depth,
        cut(program_of(row), _TEXT),
        row.start_timestamp_ms or 0,
        ms=row.duration_ms,
        end=end_said(row.exit_code, row.signal) or ("running" if live else NO_END),
        bad=row.has_failed,
        agent=row.agent or "",
        cwd=row.cwd or "",
        turn=turn,
        tool=tool,
        kids=row.children,
        starts=row.starts,
    )


def _files(picture: Picture, session: str) -> tuple[list[Struct], bool]:
    rows, whole = picture.audits(session, "file")
    writers = writers_of(rows, picture.causes)
    editors = editors_of(picture.work(session).tools, _folder(picture, session))
    found: list[Struct] = []
    for use in file_uses(rows, picture.causes, picture.lives).files:
        cause = use.causes[-1] if use.causes else None
        line = FileLine(
            use.path,
            use.kind,
            use.count,
            use.errors,
            use.error or "",
            target=use.target or "",
            read=use.read_bytes,
            written=use.written_bytes,
            last_ms=use.last_timestamp_ms,
            by=", ".join(f"{each.comm} {each.pid}" for each in use.by[:3]),
            turn=cause.turn if cause else 0,
            tool=cause.tool if cause else "",
            prompt=cut(" ".join(cause.prompt.split()), _NAMED) if cause else "",
            asked=cause.prompt_turn if cause else 0,
            made=use.made,
        )
        found.append(_changed(picture, line, writers.get(use.path), editors.get(use.path, [])))
    return found, not whole


def _changed(picture: Picture, line: FileLine, by: Writers | None, editors: list[ToolRow]) -> FileLine:
    """With who changed it last, and how many lines of it."""
    if by is None or line.kind not in _CHANGED:
        return line
    cause = by.newest.cause
    named = f"{cause.tool} {asked_for(cause.input)}" if cause is not None else by.newest.who
    lines, size = None, -1
    if editors and line.kind == "written" and not by.others and by.tools.keys() <= {tool.id for tool in editors}:
        lines = lines_of(editors, line.path, lambda tool: _input_of(picture, tool), made=line.made)
        content = content_of(edit for tool in editors for edit in edits_of(_input_of(picture, tool), line.path))
        size = by.newest.bytes if content is not None and len(content.encode()) == by.newest.bytes else -1
    plus, minus = lines or (-1, -1)
    turn, tool = _turn(cause)
    how = tool if cause is not None and cause.tool_id in {each.id for each in editors} else cut(" ".join(named.split()), _NAMED)
    return replace(line, turn=turn, tool=tool, how=how, plus=plus, minus=minus, edits=len(editors), size=size)


def _input_of(picture: Picture, tool: ToolRow) -> str:
    """All of it, which is looked up where the row has the begin; of a run that goes on only what the row has."""
    return tool.input if len(tool.input) < PREVIEW or picture.being_written else whole_text(picture, tool, "input")


def story_of(picture: Picture, session: str, path: str, /) -> FileStory:
    """The changes of a file that the inputs of tools say. Raises KeyError for a file of which there is no line."""
    rows, _ = picture.audits(session, "file")
    mine = [row for row in rows if path in names_in(row)]
    if not mine:
        raise KeyError(path)
    by = writers_of(mine, picture.causes).get(path)
    tools = editors_of(picture.work(session).tools, _folder(picture, session)).get(path, [])
    turns = {tool.id: picture.causes.turn(tool.llm_call_id) for tool in tools}
    edits = [(tool, edit) for tool in tools for edit in edits_of(whole_text(picture, tool, "input"), path)]
    is_known = by is not None and not by.others and by.tools.keys() <= turns.keys()
    content = content_of(edit for _, edit in edits) if is_known else None
    return FileStory(
        path,
        tuple(_change(turns[tool.id], tool, edit) for tool, edit in edits[-_EDITS_MOST:]),
        said="" if is_known or by is None else _said(by, edits=bool(edits)),
        content=None if content is None or len(content) > _CONTENT_MOST else content,
    )


def _change(turn: int, tool: ToolRow, edit: Edit) -> FileChange:
    before, is_cut = edit.before, max(len(edit.before or ""), len(edit.after)) > _CONTENT_MOST
    return FileChange(
        turn,
        tool.tool_name,
        tool.id,
        edit.after[:_CONTENT_MOST],
        before=None if before is None else before[:_CONTENT_MOST],
        marked=edit.marked,
        cut=is_cut,
    )


def _said(by: Writers, *, edits: bool) -> str:
    cause = by.newest.cause
    who = cut(" ".join(asked_for(cause.input).split()), _NAMED) or cause.tool if cause is not None else by.newest.who
    turn = f" in turn {cause.turn}" if cause is not None and cause.turn else ""
    return f"Changed by {who}{turn}, difference not recorded." if edits else f"Written by {who}{turn}, content not recorded."


def _network(picture: Picture, session: str) -> tuple[list[Struct], bool]:
    rows, whole = picture.audits(session, "network")
    family = picture.family(session)
    spots = [
        row
        for _, row in picture.store.scan(BLIND_SPOTS)
        if family is None or picture.causes.session_of(row.process_id) in {*family, None}
    ]
    exchanges, has_all = picture.newest_rows(HTTP, session)
    seen = network_of(rows, exchanges, spots, picture.causes)
    found: list[Struct] = [
        HostLine(
            "unread", f"{each.comm} {each.pid}", each.connections, sent=each.bytes, paths=each.peers[:4], error=each.sentence
        )
        for each in seen.unread
    ]
    found += [
        HostLine(
            "host",
            f"{each.scheme}://{each.host}",
            each.count,
            each.errors,
            calls=each.calls,
            sent=each.sent_bytes,
            received=each.received_bytes,
            paths=tuple(cut(path.path, 80) for path in each.paths[:4]),
            by=", ".join(f"{who.comm} {who.pid}" for who in each.by[:3]),
        )
        for each in seen.hosts
    ]
    for peer in seen.peers:
        turn, _ = _turn(peer.causes[-1] if peer.causes else None)
        found.append(
            HostLine(
                "peer",
                peer.peer,
                peer.count,
                peer.errors,
                peer.error or "",
                sent=peer.sent_bytes,
                received=peer.received_bytes,
                names=peer.names,
                paths=peer.deeds,
                by=", ".join(f"{who.comm} {who.pid}" for who in peer.by[:3]),
                turn=turn,
                last_ms=peer.last_timestamp_ms,
            )
        )
    return found, not (whole and has_all)


def _mcp(picture: Picture, session: str) -> tuple[list[Struct], bool]:
    rows, whole = picture.audits(session, "mcp")
    requests = [each for tool in mcp_of(rows, picture.causes).tools for each in tool.requests]
    requests.sort(key=lambda each: (each.timestamp_ms, each.id))
    return [
        McpLine(
            each.id,
            each.timestamp_ms,
            each.server,
            each.method,
            each.tool,
            outcome=each.outcome,
            ms=each.duration_ms,
            params=cut(each.arguments, 400),
            result=cut(each.result, 400),
            client=each.client_pid,
            pid=each.server_pid,
            turn=each.cause.turn if each.cause else 0,
        )
        for each in requests
    ], not whole


def _http(picture: Picture, session: str) -> tuple[list[Struct], bool]:
    rows, whole = picture.newest_rows(HTTP, session)
    return [_exchange(row) for row in exchanges_of(rows, picture.causes)], not whole


def _exchange(row: Exchange) -> HttpLine:
    return HttpLine(
        row.id,
        row.timestamp_ms,
        row.method,
        row.host or "",
        cut(row.path, _TEXT),
        status=row.status_code or 0,
        state=row.status,
        why=reason_said(row.reason or ""),
        ms=row.duration_ms,
        sent=row.request_bytes,
        received=row.response_bytes,
        type=row.content_type or "",
        by=f"{row.comm} {row.pid}",
        peer=row.peer or "",
        passed_on=bool(row.call_id and not row.turn and row.is_passed_on),
        turn=row.turn,
        call=row.call_id or "",
        version=row.version,
    )


KINDS: dict[str, Callable[[Picture, str], tuple[list[Struct], bool]]] = {
    "processes": _processes,
    "files": _files,
    "network": _network,
    "mcp": _mcp,
    "http": _http,
}
