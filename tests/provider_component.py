"""
The shared test of providers: for one request and its answers, a provider must keep the promises that all providers make.

    check_provider(ProviderCase(ANTHROPIC, "api.anthropic.com", "/v1/messages", request=b"{…}", prompt=Prompt(…), …))
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Literal

from msgspec import Struct

from agentsight_rx.events import Reply, SseEvent, Usage
from agentsight_rx.llm import Prompt, Provider, StreamReader, dialect_of, find, new_in, provider_label
from agentsight_rx.view import CallRow, ToolRow
from agentsight_rx.wire.sse import SseDecoder
from tests.golden import JSON, Talk, answer, last_rows, request, streamed, traced

__all__ = ["ProviderCase", "check_provider"]

_RECORDS = (7, 512, 16_384)  # bytes of a TLS record
_NOTHING = (b"", b"{", b"{}", b"[]", b"null", b"1", b'"a"', b"\xff", b"<html>", b'{"a":' * 5000, b"[" * 5000)


class ProviderCase(Struct, frozen=True, dict=True):
    """
    One provider, and one request to it with its answers: as bytes of the wire, and what they mean.

    `response` and `stream` are the plain and the streamed form of one answer, `reply`. `failed` is the body of a failed call,
    `failed_stream` a stream that ends with the same failure, `error`. `events_of`: the provider whose dialect the events show,
    where several have one; None where they do not show it. The last three are more bodies and streams, for the properties that
    hold for any.
    """

    provider: Provider
    host: str
    path: str
    request: bytes
    prompt: Prompt
    response: bytes
    stream: bytes
    reply: Reply
    failed: bytes
    failed_stream: bytes
    error: str
    events_of: Provider | Literal["own"] | None = "own"
    requests: tuple[bytes, ...] = ()
    responses: tuple[bytes, ...] = ()
    streams: tuple[bytes, ...] = ()

    @property
    def shown(self) -> Provider | None:
        """The provider that is found from its events alone."""
        return self.provider if self.events_of == "own" else self.events_of

    @cached_property
    def events(self) -> list[SseEvent]:
        return _events(self.stream)


def check_provider(case: ProviderCase) -> None:
    """Raise an AssertionError that names the promise which the provider breaks."""
    trial = _Trial(case)
    trial.a_request_is_a_prompt()
    trial.a_plain_answer_is_a_reply()
    trial.a_stream_says_the_same()
    trial.events_may_be_grouped_in_any_way()
    trial.a_reader_resumes_from_a_snapshot()
    trial.a_truncated_stream_says_no_more_than_was_sent()
    trial.an_error_is_reported()
    trial.an_answer_ends_with_a_mark()
    trial.other_bytes_mean_nothing()
    trial.the_provider_is_found()
    trial.a_call_in_the_product_is_one_row()


class _Trial:
    """One provider and one case."""

    def __init__(self, case: ProviderCase) -> None:
        self.case = case
        self.provider = case.provider

    def read(self, events: Sequence[SseEvent]) -> StreamReader:
        reader = self.provider.reader()
        for event in events:
            reader.feed(event)
        return reader

    def a_request_is_a_prompt(self) -> None:
        case = self.case
        assert self.provider.prompt(case.request, case.path) == case.prompt, "a request gives the prompt"
        nothing = self.provider.prompt(b"", case.path)
        for size in range(len(case.request)):
            prompt = self.provider.prompt(case.request[:size], case.path)
            assert prompt in (nothing, case.prompt), "a truncated request gives no more than was sent"

    def a_plain_answer_is_a_reply(self) -> None:
        case = self.case
        assert self.provider.response(case.response) == case.reply, "a plain answer gives the reply"
        for size in range(len(case.response)):
            self.is_part_of_the_reply(self.provider.response(case.response[:size]), "a truncated answer")

    def a_stream_says_the_same(self) -> None:
        reader = self.read(self.case.events)
        assert reader.reply() == self.case.reply, "a stream and a plain answer say the same"
        assert reader.ended or reader.finished_choices, "at its end a stream has ended"
        assert reader.unknown == 0, "every event of the stream is known"
        assert self.provider.reader().reply() == Reply(), "a reader is new for each stream"

    def an_answer_ends_with_a_mark(self) -> None:
        marks = self.provider.end_marks
        for stream in (self.case.stream, self.case.failed_stream, *self.case.streams) if marks else ():
            reader = self.provider.reader()
            for event in _events(stream):
                before = reader.ended
                reader.feed(event)
                sent = f"{event.event}\n{event.data}".encode()
                is_marked = any(mark in sent for mark in (*marks, b"\\u00"))
                assert is_marked or reader.ended == before, f"an event without an end mark ends no answer: {event}"

    def events_may_be_grouped_in_any_way(self) -> None:
        events = self.case.events
        content = [self.provider.reader().feed_all([])]
        for size in (1, 2, 3, len(events)):
            reader = self.provider.reader()
            content.append(sum(reader.feed_all(events[at : at + size]) for at in range(0, len(events), size)))
            assert reader.reply() == self.case.reply, "take_all says the same as take"
        assert content[0] == 0, "no event has no content"
        assert len(set(content[1:])) == 1, "take_all finds as much content as take"

    def a_reader_resumes_from_a_snapshot(self) -> None:
        events = self.case.events
        for size in range(len(events)):
            resumed = self.provider.reader()
            resumed.restore(self.read(events[:size]).snapshot())
            for event in events[size:]:
                resumed.feed(event)
            assert resumed.reply() == self.case.reply, "a reader resumes from a snapshot"

    def a_truncated_stream_says_no_more_than_was_sent(self) -> None:
        events = self.case.events
        for size, event in enumerate(events):
            reader = self.read(events[:size])
            assert not reader.ended, "a stream ends at its last event"
            self.is_part_of_the_reply(reader.reply(), "a truncated stream")
            for cut in range(len(event.data)):
                reader = self.read([*events[:size], SseEvent(event.event, event.data[:cut], event.id)])
                self.is_part_of_the_reply(reader.reply(), "a stream with a truncated event")

    def an_error_is_reported(self) -> None:
        assert self.provider.response(self.case.failed).error == self.case.error, "an answer that is an error gives it"
        reader = self.read(_events(self.case.failed_stream))
        assert reader.reply().error == self.case.error, "a stream that ends with an error gives it"
        assert reader.ended, "an error ends a stream"
        proxy = self.read([SseEvent("error", "upstream timed out")])
        assert (proxy.reply().error, proxy.ended) == ("upstream timed out", True), "an error of a proxy ends a stream"

    def other_bytes_mean_nothing(self) -> None:
        for body in _NOTHING:
            assert self.provider.request(body) == Prompt(), "a body that is no request gives an empty prompt"
            assert self.provider.response(body) == Reply(), "a body that is no answer gives an empty reply"
            reader = self.read([SseEvent("message", body.decode(errors="replace"))])
            assert (reader.reply(), reader.ended) == (Reply(), False), "an event of another API is ignored"

    def the_provider_is_found(self) -> None:
        case, provider = self.case, self.provider
        called = provider if provider.path else None
        elsewhere = ("localhost:8080", "") if provider.anywhere else ()
        for host in (case.host, case.host.upper(), f"{case.host}:443", *elsewhere):
            assert find(host, case.path) is called, "the path of a request names its provider (`path`)"
            assert find(host, f"{case.path}{'&' if '?' in case.path else '?'}a=b") is called, "a query changes nothing"
            assert find(host, "/other") is None, "another path is no call"
        assert (provider_label(case.host) != case.host) == bool(provider.hosts), "the host has a label (`hosts`)"
        found = [dialect_of(event) for event in case.events]
        assert set(found) - {None} == {case.shown} - {None}, "an event of the stream names its provider (`speaks`)"

    def a_call_in_the_product_is_one_row(self) -> None:
        case = self.case
        whole = streamed(*(part + b"\n\n" for part in case.stream.strip().split(b"\n\n")))
        for size in _RECORDS:
            self.is_one_call(whole, size)
            self.is_one_call(answer(case.response, JSON), size)
            if self.provider.path:
                failed = self.call(answer(case.failed, JSON, status="429 Too Many Requests"), size)
                assert (failed.status, failed.text) == ("error", case.error), "a failed call has its error in its row"

    def is_one_call(self, answered: bytes, size: int) -> None:
        case = self.case
        if self.provider.path is None:
            assert self.rows(answered, size) == ([], []), "a provider without calls has no rows"
            return
        row = self.call(answered, size)
        assert (row.call_kind, row.status, row.complete) == (self.provider.name, "complete", True), "a call has ended"
        typed = new_in(case.provider.asked(case.request, case.path)).text
        assert (row.model or "", row.prompt) == (case.prompt.model, typed), "a row has the prompt"
        assert (row.text, row.thinking) == (case.reply.text, case.reply.thinking), "a row has the reply"
        assert row.finish_reason == case.reply.finish_reason, "a row has the reply"
        usage = case.reply.usage or Usage()
        assert (row.input_tokens, row.output_tokens, row.total_tokens) == (usage.input, usage.output, usage.total), "tokens"
        tools = [(tool.tool_call_id, tool.tool_name, tool.input) for tool in self.rows(answered, size)[1]]
        assert tools == [(call.id, call.name, call.input) for call in case.reply.tool_calls], "each tool call is a row"

    def call(self, answered: bytes, size: int) -> CallRow:
        calls, _ = self.rows(answered, size)
        assert len(calls) == 1, "a call in the product is one row"
        return calls[0]

    def rows(self, answered: bytes, size: int) -> tuple[list[CallRow], list[ToolRow]]:
        """What the product's graph makes of the request and an answer."""
        case = self.case
        talk = Talk(record=size)
        talk.asks(request(case.path, case.request, JSON, host=case.host))
        talk.answers(answered)
        talk.closes()
        made = traced(talk.records)
        return last_rows(CallRow, made), last_rows(ToolRow, made)

    def is_part_of_the_reply(self, part: Reply, what: str) -> None:
        """Claims nothing that the whole reply does not say."""
        whole, claims = self.case.reply, f"{what} says no more than was sent"
        for name in ("id", "model", "text", "thinking"):
            assert getattr(whole, name).startswith(getattr(part, name)), claims
        assert len(part.tool_calls) <= len(whole.tool_calls), claims
        for said, meant in zip(part.tool_calls, whole.tool_calls, strict=False):
            assert meant.id.startswith(said.id), claims
            assert meant.name.startswith(said.name), claims
            assert meant.input.startswith(said.input) or said.input == "{}", claims
        assert (part.usage or Usage()).total <= (whole.usage or Usage()).total, claims
        assert part.finish_reason in (None, whole.finish_reason), claims
        assert part.error is None, claims


def _events(stream: bytes) -> list[SseEvent]:
    decoder = SseDecoder()
    return [*decoder.feed(stream), *decoder.feed(b"\n\n")]
