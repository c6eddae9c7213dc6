"""report call --curl, --python: a recorded request -> a program that sends it again, and the file with its body."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Literal, TypeAlias

from ...core.errors import SinkError, UsageError
from ...core.files import why, written_whole
from ...core.messages import say
from ...events import HttpRequest
from ...store.words import data_size
from ...view import CallRow
from ...view.queries.calls.resend import Resend, Text, Variable, resend_of
from ..capturing.launch import invoking_user
from ..program.errors import write_line
from .call_words import call_name
from .shown.words import moment

Language: TypeAlias = Literal["curl", "python"]

_TIMEOUT_S = 600  # as the SDKs of the vendors wait for an answer


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
    for line in _PROGRAMS[language](resend, _title(row), body):
        write_line(line)
    say(f"the body, {data_size(len(resend.body))}, is in {body}; the program above sends it")
    if resend.variables:
        say(f"set {', '.join(resend.variables)} for it: the recording has no credentials")
    for note in resend.notes:
        say(note)


def _body_file(row: CallRow, resend: Resend, model: str | None, to: Path | None) -> Path:
    parts = ("call", str(row.turn or row.id), *([model] if model else []))
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


def _comments(title: str, notes: Iterable[str]) -> Iterator[str]:
    """Lines that nothing captured can end."""
    for said in (title, *notes):
        yield "# " + "".join(letter if letter.isprintable() else "�" for letter in said)


# -- curl ----------------------------------------------------------------------------------------------------------------


def _curl(resend: Resend, title: str, body: Path) -> Iterator[str]:
    """A script for sh. Its exit status is 22 where the answer is an error, as that of curl is."""
    yield from ("#!/bin/sh", *_comments(title, resend.notes))
    words = ["curl --silent --show-error --fail-with-body --no-buffer --globoff"]
    if resend.scheme == "http" and resend.version == "HTTP/2":
        words.append("--http2-prior-knowledge")
    elif resend.version != "HTTP/2":
        words.append("--http1.1")
    url = (f"{resend.scheme}://{resend.host}", *resend.target)
    words += [f"--request {shlex.quote(resend.method)}", f"--url {_shell(url)}"]
    words += [f"--header {_shell(_header(name, value))}" for name, value in resend.fields]
    # Fields that curl would add by itself
    given = {name.lower() for name, _ in resend.fields}
    words += [f"--header {shlex.quote(f'{name}:')}" for name in ("Accept", "User-Agent", "Expect") if name.lower() not in given]
    if resend.body:
        if "content-type" not in given:
            words.append("--header Content-Type:")
        words.append(f"--data-binary {shlex.quote(f'@{body}')}")
    yield " \\\n  ".join(words)


def _header(name: str, value: Text) -> Text:
    """With an empty value curl wants a semicolon: with a colon it would leave the field out."""
    return (f"{name}: ", *value) if value else (f"{name};",)


def _shell(text: Text) -> str:
    """One word of a shell; neighbouring strings are quoted together."""
    word, plain = "", ""
    for each in text:
        if isinstance(each, Variable):
            word += (shlex.quote(plain) if plain else "") + f'"${{{each.name}:?}}"'
            plain = ""
        else:
            plain += each
    return word + (shlex.quote(plain) if plain else "")


# -- Python --------------------------------------------------------------------------------------------------------------


def _python(resend: Resend, title: str, body: Path) -> Iterator[str]:
    """A program for Python 3 without any package. It ends with 1 where the answer is an error."""
    kind = "HTTPSConnection" if resend.scheme == "https" else "HTTPConnection"
    over = ["It was sent over HTTP/2: this program speaks HTTP/1.1."] if resend.version == "HTTP/2" else []
    yield from ("#!/usr/bin/env python3", *_comments(title, [*resend.notes, *over]))
    yield from ("import http.client", "import os", "import sys", "from pathlib import Path")
    yield from ("from urllib.parse import quote", "")
    if resend.variables:
        yield f"missing = [name for name in {list(resend.variables)!r} if not os.environ.get(name)]"
        yield from ("if missing:", "    sys.exit(f\"set {', '.join(missing)}: credentials are not in the recording\")")
    yield f"body = Path({str(body)!r}).read_bytes()"
    yield f"connection = http.client.{kind}({resend.host!r}, timeout={_TIMEOUT_S})"
    target = _expression(resend.target, 'quote(os.environ[{0!r}], safe="")')
    yield f"connection.putrequest({resend.method!r}, {target}, skip_accept_encoding=True)"
    for name, value in resend.fields:
        yield f"connection.putheader({name!r}, {_expression(value, 'os.environ[{0!r}]')})"
    if resend.body or resend.method in ("POST", "PUT", "PATCH"):
        yield 'connection.putheader("Content-Length", str(len(body)))'
    yield from ("connection.endheaders(body)", "answer = connection.getresponse()")
    yield from ("while piece := answer.read1(65536):", "    sys.stdout.buffer.write(piece)", "    sys.stdout.buffer.flush()")
    yield 'print(f"{answer.status} {answer.reason}", file=sys.stderr)'
    yield "sys.exit(answer.status >= 400)"


def _expression(text: Text, of_variable: str) -> str:
    pieces = [of_variable.format(each.name) if isinstance(each, Variable) else repr(each) for each in text]
    return " + ".join(pieces) or "''"


_PROGRAMS: dict[Language, Callable[[Resend, str, Path], Iterator[str]]] = {"curl": _curl, "python": _python}
