"""bytes -> filter rules, recorded lines, and files that other programs wrote: read, or refused as the interface says."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from agentsight_rx.engine import Engine, Site
from agentsight_rx.envelope import decode_envelope, encode_envelope
from agentsight_rx.errors import CaptureError, UsageError
from agentsight_rx.events import (
    Connection,
    HttpEvent,
    HttpRequest,
    HttpResponse,
    Loss,
    Origin,
    TlsChunk,
    TlsEvent,
    TlsHandshake,
    WebSocketMessage,
    time_of,
)
from agentsight_rx.operators import filter_http, filter_tls
from agentsight_rx.operators.http_rules import compile_http
from agentsight_rx.operators.rule_text import All, Condition, Not, Rule, Some, parse_rule, spell
from agentsight_rx.operators.tls_rules import compile_tls
from agentsight_rx.sources.btf import Btf
from agentsight_rx.sources.containers import Host, container_of, resolve_reference
from agentsight_rx.sources.discovery import resolve
from agentsight_rx.sources.foreign_lines import ForeignLines
from agentsight_rx.sources.libraries import inspect
from agentsight_rx.sources.replay import ReplayOptions, replay

from .choices import Input

__all__ = ["btf", "cgroup", "envelope", "foreign_lines", "library", "recording", "reference", "rules", "script"]

_REFUSED = (msgspec.ValidationError, ValueError, KeyError)


# -- rules -----------------------------------------------------------------------------------------------------------------

_ORIGIN = Origin(5 * 10**9, 7, 8, 1000, "claude", 0, Connection(7, 1, "/lib/libssl.so.3", 9), "out")
_HEADERS = (("host", "api.openai.com"), ("content-type", "application/json"), ("x-a", "b"))
_RECORDS: tuple[TlsEvent, ...] = (
    TlsChunk(_ORIGIN, b"POST /v1/messages?a=b HTTP/1.1\r\nHost: a\r\n\r\n{}", 0, 0, 0, 2_500_000),
    TlsChunk(_ORIGIN, b"\xff\xfe\0" + b"a" * 300, 44, 1, 5),
    TlsChunk(_ORIGIN, b"", 344, 2),
    TlsHandshake(_ORIGIN, 1_000_000),
)
_MESSAGES: tuple[HttpEvent, ...] = (
    HttpRequest(_ORIGIN, 1, "POST", "/v1/messages?a=b&c", "HTTP/1.1", _HEADERS, b'{"model":"m"}', size=90),
    HttpResponse(_ORIGIN, 1, 200, "OK", "HTTP/1.1", _HEADERS, b"\xff\xfe" + b"a" * 300, method="POST", target="/v1/messages"),
    HttpRequest(_ORIGIN, 2, "GET", "", "HTTP/2", (), complete=False, reason="lost", body_lost=9),
    WebSocketMessage(_ORIGIN, 3, 1, "text", b"Hello", target="/chat", host="a"),
)


def rules(data: bytes) -> None:
    given = Input(data)
    text = given.payload.decode("utf-8", "surrogateescape")
    _reads_back(text)
    for compat in (False, True):
        _judge_records(text, compat)
        _judge_messages(text, compat)


def _reads_back(text: str) -> None:
    try:
        rule = parse_rule(text)
    except UsageError:
        return
    assert _bare(parse_rule(spell(rule))) == _bare(rule), "what is spelled reads back"


def _bare(rule: Rule) -> Rule:
    """Without places in the text."""
    match rule:
        case Condition(field, op, value):
            return Condition(field, op, value)
        case Not(part):
            return Not(_bare(part))
        case All(parts):
            return All(tuple(map(_bare, parts)))
        case Some(parts):
            return Some(tuple(map(_bare, parts)))
        case _:
            return rule


def _judge_records(text: str, compat: bool) -> None:
    try:
        compiled = compile_tls((text,), compat=compat)
    except UsageError:
        assert not compat, "no text is an error to the original"
        return
    kernel = filter_tls(text, compat=compat).kernel(Site(Engine(), "filter_tls"))
    for record in _RECORDS:
        made = kernel.feed([record])
        assert isinstance(record, TlsChunk | TlsHandshake)
        dropped = not made or (isinstance(made[0], TlsChunk) and made[0].marked)
        assert dropped == (compiled.why(record) is not None), "a record is dropped if and only if there is a reason"


def _judge_messages(text: str, compat: bool) -> None:
    try:
        compiled = compile_http((text,), compat=compat)
    except UsageError:
        assert not compat, "no text is an error to the original"
        return
    kernel = filter_http(text, compat=compat).kernel(Site(Engine(), "filter_http"))
    made = [*kernel.feed(_MESSAGES), *kernel.finish()]
    assert all(event in _MESSAGES for event in made)
    assert kernel.held() == 0
    if compiled.exchanges is None:
        for message in _MESSAGES:
            assert isinstance(message, HttpRequest | HttpResponse | WebSocketMessage)
            assert (message in made) == (compiled.why([message]) is None), "dropped if and only if there is a reason"


# -- recorded lines --------------------------------------------------------------------------------------------------------


def envelope(data: bytes) -> None:
    try:
        value: Any = msgspec.json.decode(Input(data).payload, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return
    try:
        made = decode_envelope(value)
    except _REFUSED:
        return
    same: Any = msgspec.convert(msgspec.to_builtins(made, builtin_types=(bytes,)), type(made))
    assert same == made, "the types are what they are said to be"
    assert decode_envelope(encode_envelope(made)) == made, "an event comes back from its envelope"


def foreign_lines(data: bytes) -> None:
    foreign = ForeignLines()
    for line in Input(data).payload.split(b"\n"):
        try:
            value: Any = msgspec.json.decode(line, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            continue
        try:
            events = foreign.events(value)
        except _REFUSED:
            continue
        for event in events:
            assert decode_envelope(encode_envelope(event)) == event, "an event comes back from its envelope"


def recording(data: bytes) -> None:
    """A whole file: each line is events or is counted, and time never goes back so far that the engine stops."""
    payload = Input(data).payload
    with TemporaryDirectory() as place:
        path = _written(place, "run.jsonl", payload)
        engine, out = Engine(), list[Any]()
        replay(ReplayOptions((str(path),))).subscribe(out.append, scheduler=engine)
        engine.run_inline()
    lines = sum(1 for line in payload.split(b"\n") if line.strip())
    assert len(out) <= lines
    assert all(time_of(event) is not None for event in out)
    assert sum(event.count for event in out if isinstance(event, Loss) and event.stage == "replay") <= lines


# -- files of other programs -----------------------------------------------------------------------------------------------


def _written(directory: str, name: str, data: bytes, mode: int = 0o600) -> Path:
    path = Path(directory, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(mode)
    return path


_SOME_ID = "0123456789abcdef" * 4


def cgroup(data: bytes) -> None:
    """/proc/PID/cgroup and status: the payload up to its first blank line, and behind it."""
    groups, _, status = Input(data).payload.partition(b"\n\n")
    with TemporaryDirectory() as place:
        _written(place, "proc/7/cgroup", groups)
        _written(place, "proc/7/status", status)
        found = container_of(7, Path(place, "proc"))
    if found is not None:
        assert len(found.container_id) == 64
        assert found.container_id.encode() in groups


def reference(data: bytes) -> None:
    """A reference to a container, and the files that a runtime keeps: the payload up to its first blank line, and behind it."""
    given = Input(data)
    text, _, kept = given.payload.partition(b"\n\n")
    with TemporaryDirectory() as place:
        _written(place, "proc/7/cgroup", b"0::/docker/" + _SOME_ID.encode())
        _written(place, "proc/7/status", b"NSpid:\t7\t1\n")
        _written(place, "proc/7/stat", b"7 (a) S 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 5 0 0\n")
        _written(place, f"var/lib/docker/containers/{_SOME_ID}/config.v2.json", kept)
        _written(place, "var/lib/containers/storage/overlay-containers/containers.json", kept)
        _written(place, f"run/runc/{_SOME_ID}/state.json", kept)
        try:
            found = resolve_reference(text.decode("utf-8", "surrogateescape"), Host(Path(place), tools=os.devnull))
        except (UsageError, CaptureError):
            return
    assert found.init_pid == 7


def script(data: bytes) -> None:
    """A script that is to be followed to the program that runs it; its package.json behind the first form feed."""
    head, _, package = Input(data).payload.partition(b"\f")
    with TemporaryDirectory() as place:
        path = _written(place, "scripts/run", b"#!" + head, 0o700)
        _written(place, "scripts/package.json", package)
        _written(place, "scripts/node", b"\x7fELF", 0o700)
        try:
            found = resolve(str(path), env={"PATH": str(path.parent)})
        except (UsageError, CaptureError):
            return
    assert found.chain[0] == str(path)


_ELF_HEAD = b"\x7fELF\x02\x01\x01" + bytes(9)


def library(data: bytes) -> None:
    """An ELF file whose head may be left out of the payload."""
    given = Input(data)
    head = given.pick((_ELF_HEAD, b""))
    with TemporaryDirectory() as place:
        path = _written(place, "lib.so", head + given.payload + b"SSL_write")
        try:
            found = inspect(path)
        except CaptureError:
            return
    assert found is None or {"SSL_read", "SSL_write"} <= set(found.offsets)


_BTF_FIELDS = ("task_struct.pid", "task_struct.a.b", "file.f_inode", "a.b", "")


def btf(data: bytes) -> None:
    with TemporaryDirectory() as place:
        path = _written(place, "vmlinux", Input(data).payload)
        try:
            types = Btf(path)
            found = [types.offset(field) for field in _BTF_FIELDS]
        except CaptureError:
            return
    assert all(offset is None or offset >= 0 for offset in found)
