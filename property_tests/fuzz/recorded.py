"""bytes -> recorded lines: each is an event that survives encoding, or is refused with a documented error."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import redirect_stderr
from io import StringIO
from tempfile import NamedTemporaryFile
from typing import Any

import msgspec

from agentsight_rx.core.engine import Engine
from agentsight_rx.events import Loss
from agentsight_rx.events.envelope import decode_envelope, encode_envelope, encode_line
from agentsight_rx.sources.replay.original_lines import OriginalLines
from agentsight_rx.sources.replay.source import ReplayOptions, replay
from property_tests.fuzz.choices import Input
from property_tests.fuzz.samples import FOREIGN_LINES, LINES

__all__ = ["envelope", "foreign_lines", "recording"]

_REFUSED = (msgspec.ValidationError, ValueError, KeyError)
_VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1 << 63,
    1 << 64,
    1e300,
    "",
    "0x",
    "\0",
    "\ufeff",
    "1_0",
    [],
    {},
    [[]],
    [{}],
    {"a": 1},
)


def _lines(given: Input, samples: Sequence[bytes]) -> list[dict[str, Any]]:
    """The JSON objects in the lines of the payload; or a sample with other values, such as the payload, in some places."""
    choice = given.byte()
    if not choice:
        decoded = map(_json, given.payload.split(b"\n"))
        return [value for value in decoded if value is not None]
    value = _json(samples[choice % len(samples)])
    assert value is not None
    for _ in range(given.byte() % 4):
        inside = given.byte() and isinstance(value.get("data"), dict)
        _change(given, value["data"] if inside else value)
    return [value]


def _json(line: bytes) -> dict[str, Any] | None:
    try:
        return msgspec.json.decode(line, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def _change(given: Input, part: dict[str, Any]) -> None:
    names, choice = sorted(part), given.byte()
    if not names:
        return
    name = given.pick(names)
    if choice < 150:
        part[name] = _VALUES[choice % len(_VALUES)]
    elif choice < 200:
        del part[name]
    elif choice < 230:
        part[name] = given.payload.decode("utf-8", "replace")
    else:
        part[name] = _json(given.payload)


def envelope(data: bytes) -> None:
    for value in _lines(Input(data), LINES):
        try:
            made = decode_envelope(value)
        except _REFUSED:
            continue
        same: Any = msgspec.convert(msgspec.to_builtins(made, builtin_types=(bytes,)), type(made))
        assert same == made, "the event has its declared types"
        assert decode_envelope(encode_envelope(made)) == made, "an event comes back from its envelope"
        assert decode_envelope(msgspec.json.decode(encode_line(made))) == made, "an event comes back from its line"


def foreign_lines(data: bytes) -> None:
    original = OriginalLines()
    for value in _lines(Input(data), FOREIGN_LINES):
        try:
            events = original.events(value)
        except (*_REFUSED, TypeError, AttributeError, OverflowError):  # as in replay
            continue
        for event in events:
            assert decode_envelope(encode_envelope(event)) == event, "an event comes back from its envelope"


def recording(data: bytes) -> None:
    """A whole file: each line is events or is counted as a loss."""
    payload = Input(data).payload
    engine, out = Engine(), list[Any]()
    with NamedTemporaryFile() as file, redirect_stderr(StringIO()):
        file.write(payload)
        file.flush()
        replay(ReplayOptions((file.name,))).subscribe(out.append, scheduler=engine)
        engine.run_inline()
    lines = sum(1 for line in payload.split(b"\n") if line.strip())
    assert len(out) <= lines, "a line is one event at most"
    assert sum(event.count for event in out if isinstance(event, Loss) and event.stage == "replay") <= lines
