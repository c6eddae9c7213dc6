"""Event -> JSON -> Event is the identity, for every kind of event and any bytes and text; a damaged envelope is refused."""

from __future__ import annotations

import types
from enum import Enum
from typing import Any, Literal, TypeAlias, Union, get_args, get_origin

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentsight_rx.events import Event, TlsChunk
from agentsight_rx.events.envelope import decode_envelope, encode_envelope, encode_line
from agentsight_rx.sources.replay.own_lines import OwnLines
from property_tests.quick import fewer

KINDS: tuple[type[msgspec.Struct], ...] = tuple(dict.fromkeys(get_args(Event)))

TEXT = st.one_of(
    st.sampled_from(["", "a", "²", "\0", "\ufeff", '"\\', "模"]), st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
)
BYTES = st.one_of(st.binary(max_size=8), TEXT.map(str.encode), st.sampled_from([b"\xff", b"\xc3", b"\xed\xa0\x80"]))
INTEGERS = st.one_of(st.integers(0, 300), st.integers(-(2**63), 2**64 - 1))
SIMPLE: dict[Any, st.SearchStrategy[Any]] = {
    int: INTEGERS,
    str: TEXT,
    bytes: BYTES,
    bool: st.booleans(),
    float: st.floats(allow_nan=False, allow_infinity=False),
    type(None): st.none(),
}


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of a type that events use in their fields."""
    inner = get_args(kind)
    if kind in SIMPLE:
        return SIMPLE[kind]
    if get_origin(kind) in (Union, types.UnionType):
        return st.one_of(*map(values, inner))
    if get_origin(kind) is Literal:
        return st.sampled_from(inner)
    if get_origin(kind) is tuple:
        if inner[-1] is Ellipsis:
            return st.lists(values(inner[0]), max_size=3).map(tuple)
        return st.tuples(*map(values, inner))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from(kind)
    assert isinstance(kind, type)
    assert issubclass(kind, msgspec.Struct)
    return st.builds(kind, **{each.name: values(each.type) for each in msgspec.structs.fields(kind)})


EVENTS = {kind: values(kind) for kind in KINDS}


def test_every_kind_of_event_is_here() -> None:
    assert len(KINDS) >= 12


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_event_comes_back_from_its_line(kind: type[msgspec.Struct]) -> None:
    @given(EVENTS[kind])
    @settings(max_examples=fewer(60), deadline=None)
    def comes_back(event: Any) -> None:
        line = encode_line(event)
        assert b"\n" not in line
        assert decode_envelope(msgspec.json.decode(line)) == event

    comes_back()


Json: TypeAlias = Any
VALUES = st.one_of(
    st.none(), st.booleans(), INTEGERS, TEXT, st.just([]), st.just({}), st.just([[]]), st.just("0x0"), st.just(1e300)
)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_damaged_envelope_is_an_event_of_the_right_types_or_refused(kind: type[msgspec.Struct]) -> None:
    @given(EVENTS[kind], st.data())
    @settings(max_examples=fewer(60), deadline=None)
    def is_sound(event: Any, data: st.DataObject) -> None:
        envelope: dict[str, Json] = msgspec.json.decode(encode_line(event))
        inside: dict[str, Json] = envelope["data"]
        part = data.draw(st.sampled_from([envelope, inside]))
        name = data.draw(st.sampled_from(sorted(part)))
        if data.draw(st.booleans()):
            del part[name]
        else:
            part[name] = data.draw(VALUES)
        try:
            made = decode_envelope(envelope)
        except (msgspec.ValidationError, ValueError, KeyError):
            return
        again: Any = msgspec.convert(msgspec.to_builtins(made, builtin_types=(bytes,)), kind)
        assert again == made
        assert decode_envelope(encode_envelope(made)) == made

    is_sound()


def _general(line: bytes) -> Any:
    try:
        return decode_envelope(msgspec.json.decode(line))
    except (msgspec.ValidationError, ValueError, KeyError):
        return None


def _in_one_go(line: bytes) -> Any:
    try:
        return OwnLines().usual(line)
    except (msgspec.MsgspecError, ValueError):
        return None


@given(st.lists(EVENTS[TlsChunk], max_size=6))
@settings(max_examples=200, deadline=None)
def test_tls_chunks_decoded_in_one_go_are_the_same(events: list[Any]) -> None:
    lines = OwnLines()
    for event in events:
        line = encode_line(event)
        usual = event.origin.connection is not None and event.origin.direction is not None
        assert (lines.usual(line) if usual else _in_one_go(line)) == (event if usual else None)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_what_is_decoded_in_one_go_is_what_the_general_way_makes(kind: type[msgspec.Struct]) -> None:
    @given(EVENTS[kind], st.data())
    @settings(max_examples=fewer(100), deadline=None)
    def is_the_same(event: Any, data: st.DataObject) -> None:
        envelope: dict[str, Json] = msgspec.json.decode(encode_line(event))
        part = data.draw(st.sampled_from([envelope, envelope["data"]]))
        name = data.draw(st.sampled_from([*sorted(part), "data_hex", "connection_pid", "bytes_lost", "filtered", "new"]))
        if data.draw(st.booleans()):
            part.pop(name, None)
        else:
            part[name] = data.draw(VALUES)
        line = msgspec.json.encode(envelope)
        assert _in_one_go(line) in (None, _general(line))

    is_the_same()
