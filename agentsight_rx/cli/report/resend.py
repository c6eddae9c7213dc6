"""report call --curl, --python: a recorded request -> a program that sends it again, and the file with its body."""

from __future__ import annotations

import re
from pathlib import Path

from ...core.errors import SinkError, UsageError
from ...core.files import why, written_whole
from ...core.messages import say
from ...events import HttpRequest
from ...store.words import data_size
from ...view import CallRow
from ...view.queries.calls.programs import Language, program_lines
from ...view.queries.calls.resend import Resend, resend_of
from ..capturing.launch import invoking_user
from ..program.errors import write_line
from .call_words import call_name
from .shown.words import moment


def print_program(
    row: CallRow, request: HttpRequest | None, language: Language, *, model: str | None = None, to: Path | None = None
) -> None:
    """
    Print the program, and write its body into the folder `to`, by default the current one. Raises UsageError, StoreError where
    the request cannot be sent again, and SinkError where the body cannot be written.
    """
    resend = resend_of(row, request, model=model)
    if language == "python" and resend.scheme == "http" and resend.version == "HTTP/2":
        raise UsageError(f"{row.id} was made over HTTP/2 without TLS, which Python alone does not speak; use --curl")
    body = _body_file(row, resend, model, to)
    _write_body(body, resend.body)
    for line in program_lines(resend, language, title=_title(row), body=str(body)):
        write_line(line)
    say(f"the body, {data_size(len(resend.body))}, is in {body}; the program above sends it")
    if resend.variables:
        say(f"set {', '.join(resend.variables)} for it: the recording has no credentials")
    for note in resend.notes:
        say(note)


def _body_file(row: CallRow, resend: Resend, model: str | None, to: Path | None) -> Path:
    parts = ("call", row.turn_name or row.id, *([model] if model else []))
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", "-".join(parts))
    ending = ".json" if resend.body.lstrip()[:1] in (b"{", b"[") else ".body"
    return (to or Path()) / (name + ending)


def _write_body(path: Path, body: bytes) -> None:
    try:
        if path.is_file():
            if path.read_bytes() == body:
                return
            raise SinkError(f"{path} is there already with another content; remove it, or give another folder by --to")
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path, invoking_user()) as file:
            file.write(body)
    except OSError as error:
        raise SinkError(f"{path} cannot be written: {why(error, path)}") from error


def _title(row: CallRow) -> str:
    return f"Send {call_name(row)} again ({row.model or 'unknown model'}, recorded {moment(row.start_timestamp_ms, 0)})."
