"""
The session files that agents write, each as one Transcript.

`draft` makes it of the entries of the parsers.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any, Protocol

from ...llm.agents.session_files import PARSERS as ENTRIES
from ...llm.agents.session_files import Parser as EntryParser
from ...policy.redaction.redactor import Redactor
from .draft import Draft
from .opencode import OpencodeDatabase, opencode
from .transcript import Transcript, TranscriptCall, TranscriptTool, display_id, together

__all__ = [
    "PARSERS",
    "OpencodeDatabase",
    "Parser",
    "Transcript",
    "TranscriptCall",
    "TranscriptTool",
    "display_id",
    "opencode",
    "parser_of",
    "together",
]


class Parser(Protocol):
    """The bytes of a file -> its content, without secrets. `name`: of the file without its suffix."""

    def __call__(self, chunks: Iterable[bytes], /, *, name: str, redactor: Redactor) -> Transcript: ...


def drafted(
    made: type[EntryParser[Any]], suffix: str, chunks: Iterable[bytes], /, *, name: str, redactor: Redactor
) -> Transcript:
    """`chunks`: the bytes of the file, cut anywhere. `name`: of the file without its suffix."""
    draft, parser = Draft(made.agent, name, redactor), made(name)
    for value in [draft.whole(chunks)] if suffix == ".json" else draft.lines(chunks):
        for entry in parser.take(value):
            draft.take(entry)
        draft.saw(parser.times)
    for entry in (*parser.facts(), *parser.finish()):
        draft.take(entry)
    draft.saw(parser.times)
    draft.session_id = parser.state.session
    return draft.done(parser.dropped)


# (agent, suffix) -> parser
PARSERS: dict[tuple[str, str], Parser] = {
    **{(agent, suffix): partial(drafted, made, suffix) for (agent, suffix), made in ENTRIES.items()},
    ("opencode", ".db"): opencode,  # the lines of a session in it
}


def parser_of(agent: str, path: str, /) -> Parser | None:
    """The parser of a session file of an agent; None: there is none."""
    name = path.rpartition("/")[2]
    return PARSERS.get((agent, name[name.rfind(".") :])) if "." in name else None
