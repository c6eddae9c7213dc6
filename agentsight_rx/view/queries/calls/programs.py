"""A request to send again -> the lines of a script for curl, or of a Python program; its body is in a file beside it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, TypeAlias

from .resend import Resend, Text, Variable

Language: TypeAlias = Literal["curl", "python"]

_TIMEOUT_S = 600  # as the SDKs of the vendors wait for an answer


def program_lines(resend: Resend, language: Language, /, *, title: str, body: str) -> Iterator[str]:
    """`title` is its first comment, `body` the path of the file with the body."""
    return _PROGRAMS[language](resend, title, body)


def _comments(title: str, notes: Iterable[str]) -> Iterator[str]:
    """Lines that nothing captured can end."""
    for said in (title, *notes):
        yield "# " + "".join(letter if letter.isprintable() else "�" for letter in said)


# -- curl ----------------------------------------------------------------------------------------------------------------


def _curl(resend: Resend, title: str, body: str) -> Iterator[str]:
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


def _python(resend: Resend, title: str, body: str) -> Iterator[str]:
    """A program for Python 3 without any package. It ends with 1 where the answer is an error."""
    kind = "HTTPSConnection" if resend.scheme == "https" else "HTTPConnection"
    over = ["It was sent over HTTP/2: this program speaks HTTP/1.1."] if resend.version == "HTTP/2" else []
    yield from ("#!/usr/bin/env python3", *_comments(title, [*resend.notes, *over]))
    yield from ("import http.client", "import os", "import sys", "from pathlib import Path")
    yield from ("from urllib.parse import quote", "")
    if resend.variables:
        yield f"missing = [name for name in {list(resend.variables)!r} if not os.environ.get(name)]"
        yield from ("if missing:", "    sys.exit(f\"set {', '.join(missing)}: credentials are not in the recording\")")
    yield f"body = Path({body!r}).read_bytes()"
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


_PROGRAMS: dict[Language, Callable[[Resend, str, str], Iterator[str]]] = {"curl": _curl, "python": _python}
