"""
The session files that agents write, each as one Transcript.

`draft` makes it of the entries of the parsers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ...llm.agents.session_files import Parser
from ...llm.agents.session_files.fields import mapping, unpacked
from ...policy.redaction.redactor import Redactor
from .draft import Draft
from .transcript import Transcript, TranscriptCall, TranscriptTool, display_id, together

__all__ = ["Transcript", "TranscriptCall", "TranscriptTool", "display_id", "of_file", "of_values", "together"]


def of_file(
    parser: Parser[Any], chunks: Iterable[bytes], /, *, is_whole: bool, redactor: Redactor, beside: bytes = b""
) -> Transcript:
    """
    The bytes of a file, cut anywhere -> its content, without secrets. `is_whole`: it is one value, and no lines of them.
    `beside`: the bytes of the file that says more about the session.
    """
    draft = Draft(parser.agent, parser.state.session, redactor)
    return _drafted(parser, [draft.whole(chunks)] if is_whole else draft.lines(chunks), draft, beside)


def of_values(parser: Parser[Any], values: Iterable[Mapping[str, object]], /, *, redactor: Redactor) -> Transcript:
    """The same of the values of a database."""
    return _drafted(parser, values, Draft(parser.agent, parser.state.session, redactor))


def _drafted(parser: Parser[Any], values: Iterable[Mapping[str, object]], draft: Draft, beside: bytes = b"") -> Transcript:
    for number, value in enumerate(values):
        for entry in () if number else parser.facts_beside(mapping(unpacked(beside))):
            draft.take(entry)
        for entry in parser.take(value):
            draft.take(entry)
        draft.saw(parser.times)
    for entry in (*parser.facts(), *parser.finish()):
        draft.take(entry)
    draft.saw(parser.times)
    draft.session_id = parser.state.session
    return draft.done(parser.dropped, parser.broken)
