"""Heads are cleaned as if each was the first, whatever was in those before, and as if each field was searched alone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from agentsight_rx import operators as op
from agentsight_rx.core.engine import Engine, Site
from agentsight_rx.core.stream import Operator
from agentsight_rx.events import Event, Headers, HttpRequest, HttpResponse, Origin, Reply, SseMessage
from agentsight_rx.policy.redaction.names import is_secret_header
from agentsight_rx.policy.redaction.redactor import Heads, Redactor, mask_field

KEY = b"k" * 32
ORIGIN = Origin(1, 2, 2, 0, "claude", 3)
NAMES = st.sampled_from(
    ["host", "accept", "x-note", "authorization", "cookie", "x-my-token", "sec-websocket-protocol", "set-cookie", "referer"]
)
PARTS = st.sampled_from(
    [
        "sk-ant-api03-Q7ZxW5VyJ8KqZxW5VyJ8Kq", "AKIAQ7ZXWVYJKQZX7Q5B", "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEYab", "password",
        ": ", "=", "token", "Bearer ", "Q7x5W9v2K4j6Q7x5", "https://u:", "@h/", "?key=", "&", "%41%42", "machine h login me ",
        "eyJhbGciOiJIUzI1NiJ9", ".", "api-key", "-", "a=b; c=d", '"', "'", "\\", "application/json", "*/*", "gzip", " ", "é",
        "x" * 600,
        "--token ", "c2VjcmV0X2tleT1RN3g1Vzl2Mks0ajY=", "-----BEGIN PRIVATE KEY-----", "MIIEvQIBADANBgkqhkiG9w0B",
    ]
)  # fmt: skip
VALUES = st.lists(PARTS, max_size=4).map("".join)
HEADS = st.lists(st.tuples(NAMES, VALUES), max_size=6).map(tuple)
SOME = st.lists(st.tuples(HEADS, HEADS, VALUES, st.integers(0, 2)), min_size=1, max_size=6)


def _event(headers: Headers, trailers: Headers, text: str, kind: int) -> HttpRequest | HttpResponse | SseMessage:
    if kind == 0:
        return HttpRequest(ORIGIN, 1, "POST", text, "HTTP/1.1", headers, b"", trailers=trailers)
    if kind == 1:
        return HttpResponse(ORIGIN, 1, 200, text, "HTTP/1.1", headers, host=text, trailers=trailers)
    return SseMessage(ORIGIN, 1, "anthropic", Reply(text=text), (), 5, trailers=headers + trailers)


def _passed(*events: Event) -> list[Event]:
    operator: Operator[Event, Event] = op.remove_auth(key=KEY)
    return list(operator.kernel(Site(Engine(), "test")).feed(events))


@given(SOME)
def test_a_head_is_cleaned_as_if_it_was_the_first(some: list[tuple[Headers, Headers, str, int]]) -> None:
    events = [_event(*each) for each in some]
    assert [_passed(event)[0] for event in (*events, *events)] == _passed(*events, *events)


@given(HEADS, HEADS, VALUES)
def test_a_head_is_cleaned_as_if_each_of_its_fields_was_alone(headers: Headers, trailers: Headers, text: str) -> None:
    redactor = Redactor(KEY)

    def alone(field: tuple[str, str]) -> tuple[str, str]:
        name, value = field
        masked = mask_field(name, value, redactor) if is_secret_header(name) or name == "sec-websocket-protocol" else value
        return name, masked if is_secret_header(name) else redactor.text(masked)

    heads = Heads(redactor)
    found = heads.without_secret_fields(headers, trailers, text)
    made = (heads.clean(headers), heads.clean(trailers)) if found is None else found
    assert made == (tuple(map(alone, headers)), tuple(map(alone, trailers)))
    if found is not None:
        assert redactor.text(text) == text


@given(HEADS)
def test_a_secret_field_is_not_remembered(headers: Headers) -> None:
    heads = Heads(Redactor(KEY))
    heads.without_secret_fields(headers, ())
    assert not [name for name, _ in heads.known if is_secret_header(name) or name == "sec-websocket-protocol"]


def test_the_secret_fields_behind_a_stream_are_labels() -> None:
    event = SseMessage(ORIGIN, 1, "anthropic", Reply(text="hi"), (), 5, trailers=(("set-cookie", "id=Q7x5W9v2K4j6"),))
    (made,) = _passed(event)
    assert isinstance(made, SseMessage)
    assert made.trailers[0][1].startswith("id=[redacted:cookie:")
    assert replace(made, trailers=event.trailers) == event


def test_the_number_and_the_size_of_remembered_fields_are_bounded() -> None:
    heads = Heads(Redactor(KEY))
    heads.without_secret_fields((("x-note", "x" * 600), ("x" * 600, "y")), ())
    assert not heads.known
    for number in range(5000):
        heads.without_secret_fields((("x-number", str(number)),), ())
    assert len(heads.known) == 2048
