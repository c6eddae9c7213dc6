"""
No call is called whole that was not understood: however its answer is cut, coded or announced, a complete one says all of it.

Of a recognised call each byte of the answer is read by the reader of its dialect, or named as unknown.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Struct

from agentsight_rx.events import SseEvent, SseMessage
from agentsight_rx.llm import BODY, NOT_UNDERSTOOD, PROVIDERS, Provider
from agentsight_rx.llm.call import answer_of
from agentsight_rx.view import CallRow
from tests.golden import Talk, last_rows, only, request, traced
from tests.llm.cases import case_of
from tests.provider_component import ProviderCase

CALLED = [provider for provider in PROVIDERS if provider.path is not None]
JSON_REQUEST = b"Content-Type: application/json"
KINDS = ["text/event-stream", "application/json", "text/plain", "text/html", "application/octet-stream", ""]
CODINGS: dict[str, Callable[[bytes], bytes]] = {"": bytes, "gzip": gzip.compress, "deflate": zlib.compress, "made-up": bytes}


class Sent(Struct, frozen=True):
    """How an answer came: which of its bodies, its media type, its coding, how many bytes less, and bytes of a record."""

    streamed: bool
    kind: str
    coding: str
    missing: int
    record: int


def sent() -> st.SearchStrategy[Sent]:
    return st.builds(
        Sent,
        streamed=st.booleans(),
        kind=st.sampled_from(KINDS),
        coding=st.sampled_from(list(CODINGS)),
        missing=st.one_of(st.just(0), st.integers(0, 5000)),
        record=st.sampled_from([1, 7, 16_384]),
    )


def call_of(case: ProviderCase, body: bytes, how: Sent) -> tuple[CallRow, list[SseMessage]]:
    coded = CODINGS[how.coding](body)
    coded = coded[: max(0, len(coded) - how.missing)]
    heads = [f"{name}: {value}" for name, value in (("Content-Type", how.kind), ("Content-Encoding", how.coding)) if value]
    chunk = b"%x\r\n%b\r\n" % (len(coded), coded) if coded else b""
    talk = Talk(record=how.record)
    talk.asks(request(case.path, case.request, JSON_REQUEST, host=case.host))
    talk.answers("\r\n".join(["HTTP/1.1 200 OK", *heads, "Transfer-Encoding: chunked", "", ""]).encode() + chunk + b"0\r\n\r\n")
    talk.closes()
    made = traced(talk.records)
    (row,) = last_rows(CallRow, made)
    return row, only(SseMessage, made)


@pytest.mark.parametrize("provider", CALLED, ids=lambda provider: provider.name)
@given(how=sent())
@example(how=Sent(streamed=True, kind="", coding="gzip", missing=0, record=16_384))
@example(how=Sent(streamed=True, kind="application/json", coding="made-up", missing=0, record=7))
def test_a_complete_call_says_all_of_its_answer(provider: Provider, how: Sent) -> None:
    case = case_of(provider)
    body = case.stream if how.streamed else case.response
    row, messages = call_of(case, body, how)
    if row.status == "complete" and how.missing < len(CODINGS[how.coding](body)):
        assert (row.text, row.thinking, row.tools) == (case.reply.text, case.reply.thinking, len(case.reply.tool_calls))
        assert row.finish_reason == case.reply.finish_reason
        assert row.complete
        assert BODY not in row.unknown
    if how.coding != "made-up" and not how.missing:
        assert (row.status, row.reason) == ("complete", None)
    for message in messages:
        said = answer_of(provider, message)
        assert said.parts or not message.complete


@pytest.mark.parametrize("provider", CALLED, ids=lambda provider: provider.name)
@given(body=st.binary(min_size=1, max_size=60) | st.sampled_from([b"<html>no</html>", b'{"zz": 1}', b"data: {}\n\n", b"[]"]))
@example(body=b'data:{"type":"message_stop"}\n\n')
def test_a_body_that_was_not_understood_is_named_and_not_complete(provider: Provider, body: bytes) -> None:
    how = Sent(streamed=False, kind="application/json", coding="", missing=0, record=16_384)
    row, _ = call_of(case_of(provider), body, how)
    understood = provider.answers(body).understood
    assert (row.status == "complete") <= (understood or not body.strip())
    if not understood and body.strip() and row.reason == NOT_UNDERSTOOD:
        assert row.unknown


@pytest.mark.parametrize("provider", CALLED, ids=lambda provider: provider.name)
@given(data=st.text(min_size=1, max_size=20), place=st.integers(0, 20))
def test_an_event_that_is_not_read_is_named(provider: Provider, data: str, place: int) -> None:
    case = case_of(provider)
    events = [*case.events]
    events.insert(min(place, len(events)), SseEvent("odd", data))
    reader = provider.reader()
    reader.feed_all(events)
    assert bool(reader.unread) == (reader.unknown > 0)
    assert reader.unread in ((), ("event odd",))
