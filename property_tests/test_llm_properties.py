"""
Any one value of a request or an answer, replaced by any JSON, changes only what that value feeds, and never raises.

What a value feeds is measured: the outputs that change where it is deleted, or replaced by others of its own JSON type, or
of a type that another body of the same API has at the same place, as a `message` that is an object, or of an error a text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, TypeAlias, cast

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from agentsight_rx.events import SseEvent
from agentsight_rx.llm import PROVIDERS, Provider
from agentsight_rx.llm.canonical import Answer, Asked
from agentsight_rx.wire.sse import SseDecoder
from property_tests.quick import fewer, share_of
from tests.llm.cases import case_of

Json: TypeAlias = Any
Path: TypeAlias = tuple[str | int, ...]
Outputs: TypeAlias = dict[str, object]
Read: TypeAlias = Callable[[Json], Outputs]

_MOST = 400  # values of one text that are replaced
_GONE = object()

# One of each type, at least; names that no API has, so that an object in place of a list is an element without meaning
_JUNK: tuple[Json, ...] = (
    None, True, False, 0, 7, -1, 0.5, 3.0, 1e300, 2**53 - 1, 2**63 - 1, 2**63, 2**200, "", "zz", "5", "null", "\ud83d",
    [], {}, [None], [[]], [{}], ["zz"], [7], {"zz": 1}, {"zz": {"zz": []}}, [{"zz": None}, 5],
)  # fmt: skip
_SAME: Mapping[str, tuple[Json, ...]] = {
    "text": ("", "zz", "5", "error", "message", "tool", "user", "stop"),
    "number": (0, 1, 5, 9, -1, 0.5, 2**53 - 1, 2**70),
    "flag": (True, False),
    "list": ([], [None], [{}], ["zz"], ["zz", "zy"], [{}, {}], [{"zz": 1}], [[]]),
    "object": ({}, {"zz": 1}),
}


class Fixture(Struct, frozen=True, eq=False):
    """JSON, and what a provider reads in it."""

    name: str
    value: Json
    read: Read
    provider: Provider

    def __hash__(self) -> int:
        return id(self)


def type_of(value: Json) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "flag"
    if isinstance(value, (int, float)):
        return "number"
    return "text" if isinstance(value, str) else "list" if isinstance(value, list) else "object"


def paths_of(value: Json, path: Path = ()) -> Iterator[Path]:
    yield path
    for key, each in inner_of(value):
        yield from paths_of(each, (*path, key))


def inner_of(value: Json) -> Iterable[tuple[str | int, Json]]:
    """The values in it by name or place."""
    if isinstance(value, dict):
        return list(cast("dict[str | int, Json]", value).items())
    return list(enumerate(cast("Sequence[Json]", value))) if isinstance(value, (list, tuple)) else ()


def at(value: Json, path: Path) -> Json:
    for key in path:
        value = value[key]
    return value


def replaced(value: Json, path: Path, new: Json) -> Json:
    """A copy with `new` at the path, or without the value there."""
    if not path:
        return new
    copy: Json = value.copy()
    key = path[0]
    if len(path) == 1 and new is _GONE:
        del copy[key]
    else:
        copy[key] = replaced(copy[key], path[1:], new)
    return copy


def flat(value: object, name: str = "") -> Outputs:
    """Each output by its name: fields of fields, and elements; a part is one output."""
    builtin = msgspec.to_builtins(value)
    return dict(_flat(builtin, name))


def _flat(value: Json, name: str) -> Iterator[tuple[str, object]]:
    is_list = isinstance(value, (list, tuple))
    if not (is_list or isinstance(value, dict)) or (not is_list and "type" in value):
        yield name, value
        return
    for key, each in inner_of(value):
        if key != "unknown":
            yield from _flat(each, f"{name}[{key}]" if is_list else f"{name}.{key}")


def asked(provider: Provider, path: str) -> Read:
    def read(value: Json) -> Outputs:
        found: Asked = provider.asked(spelled(value), path)
        return flat(found)

    return read


def answered(provider: Provider) -> Read:
    def read(value: Json) -> Outputs:
        found: Answer = provider.answer(spelled(value))
        return flat(found)

    return read


def streamed(provider: Provider) -> Read:
    """Of a list of events; those that are no JSON are texts."""

    def read(value: Json) -> Outputs:
        one, many = provider.reader(), provider.reader()
        events = [SseEvent("message", spelled(each).decode()) for each in value]
        content = sum(map(one.feed, events))
        assert many.feed_all(events) == content
        resumed = provider.reader()
        resumed.restore(one.snapshot())
        for other in (many, resumed):
            assert (other.answer(), other.ended, other.unknown) == (one.answer(), one.ended, one.unknown)
        return flat(one.answer()) | {"ended": one.ended}

    return read


class Plain(str):
    """Data of an event that is no JSON."""

    __slots__ = ()


def spelled(value: Json) -> bytes:
    return value.encode() if isinstance(value, Plain) else json.dumps(value).encode()


def events_of(stream: bytes) -> list[Json]:
    decoder = SseDecoder()
    return [decoded(event.data) for event in (*decoder.feed(stream), *decoder.feed(b"\n\n"))]


def decoded(text: str) -> Json:
    try:
        return json.loads(text)
    except ValueError:
        return Plain(text)


@cache
def fixtures_of(provider: Provider) -> tuple[Fixture, ...]:
    case = case_of(provider)
    bodies = (case.request, *case.requests)
    requests = [Fixture("request", json.loads(each), asked(provider, case.path), provider) for each in bodies]
    responses = (case.response, case.failed, *case.responses)
    answers = [Fixture("answer", json.loads(each), answered(provider), provider) for each in responses]
    streams = (case.stream, case.failed_stream, *case.streams)
    return (*requests, *answers, *(Fixture("stream", events_of(each), streamed(provider), provider) for each in streams))


def places(fixture: Fixture) -> list[Path]:
    """What may be replaced: all of a body, and all in an event, but not the list of the events."""
    paths = [path for path in paths_of(fixture.value) if fixture.name != "stream" or path]
    return paths[:: len(paths) // _MOST + 1]


def spot(fixture: Fixture, path: Path) -> Path:
    """The place of a value in any body of its kind: names only."""
    return tuple(key for key in path[fixture.name == "stream" :] if isinstance(key, str))


@cache
def spots(provider: Provider) -> dict[tuple[str, Path], list[tuple[Fixture, Path]]]:
    """Where the bodies of a provider have something at a place."""
    found: dict[tuple[str, Path], list[tuple[Fixture, Path]]] = {}
    for fixture in fixtures_of(provider):
        for path in places(fixture):
            if not path or isinstance(path[-1], str):
                found.setdefault((fixture.name, spot(fixture, path)), []).append((fixture, path))
    return found


@cache
def read_whole(fixture: Fixture) -> Outputs:
    return fixture.read(fixture.value)


def fed(fixture: Fixture, path: Path) -> set[str]:
    """The outputs that the value at a path feeds."""
    value, whole = at(fixture.value, path), read_whole(fixture)
    own, types = spot(fixture, path), {type_of(value)}
    types |= {type_of(at(each.value, where)) for each, where in spots(fixture.provider).get((fixture.name, own), ())}
    others = [other for kind in sorted(types) for other in _SAME.get(kind, ()) if other != value]
    if isinstance(value, Plain) or not path:
        others = []
    gone = () if not path else (_GONE,)
    changed = [fixture.read(replaced(fixture.value, path, other)) for other in (*gone, *others)]
    return {name for each in changed for name in differing(whole, each)}


def differing(first: Outputs, second: Outputs) -> set[str]:
    return {name for name in {**first, **second} if first.get(name, _GONE) != second.get(name, _GONE)}


def check(fixture: Fixture, path: Path, junk: Json, feeds: set[str]) -> None:
    value = at(fixture.value, path)
    whole, other = read_whole(fixture), fixture.read(replaced(fixture.value, path, junk))
    if type_of(value) in ("null", type_of(junk)) or not path or (fixture.name == "stream" and len(path) == 1):
        return  # no raise is all that is promised: anything may stand where null stood
    lists = {name.rpartition("[")[0] for name in feeds}
    new = {name for name in other if name not in whole and name.rpartition("[")[0] in lists}
    changed = differing(whole, other) - feeds - new
    assert not changed, f"{fixture.name} {path}: {junk!r} in place of {value!r} changes {sorted(changed)}"


def name_of(provider: Provider) -> str:
    return provider.name


@pytest.mark.parametrize("provider", PROVIDERS, ids=name_of)
def test_one_value_that_does_not_fit_changes_only_what_it_feeds(provider: Provider) -> None:
    for fixture in fixtures_of(provider):
        for path in share_of(places(fixture)):
            feeds = fed(fixture, path)
            for junk in _JUNK:
                check(fixture, path, junk, feeds)


ANY = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=5)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["zz", "zy", "zx"]), inner, max_size=3),
    max_leaves=6,
)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_any_json_in_place_of_a_value_changes_only_what_it_feeds(data: st.DataObject) -> None:
    fixture = data.draw(st.sampled_from(fixtures_of(data.draw(st.sampled_from(PROVIDERS)))))
    path = data.draw(st.sampled_from(places(fixture)))
    check(fixture, path, data.draw(ANY), fed(fixture, path))


def hostile(text: str) -> Iterator[str]:
    """A fixture's text, made hostile as a whole, and at each of its beginnings of a value."""
    yield text * 2
    yield text.replace('":', '":[[') + "]]"
    yield text.replace('"', '"\\ud800')
    yield text.replace(":", ":1e999,") or ""
    yield "[" * 100_000
    yield '{"a":' * 100_000
    yield "1" * 100_000
    spots: Sequence[int] = [place + 1 for place, letter in enumerate(text) if letter == ":"][: fewer(40)]
    for place in spots:
        yield text[:place] + "[" * 5_000 + "]" * 5_000 + "," + text[place:]
        yield text[:place] + "9" * 5_000 + "," + text[place:]
        yield text[:place] + '"\\ude00\\ud83d",' + text[place:]
    yield f"{text[:-1]},{text[1:]}"  # each key twice
    yield text[:-1] + ',"zz":"' + "x" * fewer(3_000_000) + '"}'
    yield text[:-1] + ',"zz":[' + "[]," * fewer(300_000) + "1]}"


@pytest.mark.parametrize("provider", PROVIDERS, ids=name_of)
def test_hostile_json_never_raises(provider: Provider) -> None:
    case = case_of(provider)
    texts = {case.request.decode(), case.response.decode(), *(event.data for event in case.events[:4])}
    for body in {body for text in texts for body in hostile(text)}:  # some are the same of each text
        data = body.encode()
        reader = provider.reader()
        reader.feed(SseEvent("message", body))
        reader.feed_all([SseEvent("message", body)] * 2)
        provider.reader().restore(reader.snapshot())
        msgspec.msgpack.encode((provider.asked(data, case.path), reader.answer(), provider.answer(data)))


@pytest.mark.parametrize("provider", PROVIDERS, ids=name_of)
def test_the_last_of_two_equal_keys_is_right(provider: Provider) -> None:
    case = case_of(provider)
    twice = case.request.rstrip()[:-1] + b"," + case.request.lstrip()[1:]
    assert provider.asked(twice, case.path) == provider.asked(case.request, case.path)
