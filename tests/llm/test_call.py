from __future__ import annotations

import pytest
from msgspec.structs import replace

from agentsight_rx.events import HttpRequest, HttpResponse, Origin, SseMessage
from agentsight_rx.llm import PROVIDERS
from agentsight_rx.llm.call import call_of
from agentsight_rx.llm.canonical import ReasoningPart, TextPart, ToolCallPart
from tests.llm.cases import case_of
from tests.provider_component import ProviderCase

CASES = [case_of(provider) for provider in PROVIDERS if provider.path is not None]
ORIGIN = Origin(1_000, 7, wall_ns=5_001_000)


def request(case: ProviderCase) -> HttpRequest:
    return HttpRequest(
        ORIGIN, 1, method="POST", target=case.path, version="HTTP/1.1", headers=(("host", case.host),), body=case.request
    )


def plain(case: ProviderCase) -> HttpResponse:
    return HttpResponse(ORIGIN, 1, status=200, phrase="OK", version="HTTP/1.1", headers=(), body=case.response, end_ns=9_000)


def streamed(case: ProviderCase) -> SseMessage:
    reader = case.provider.reader()
    reader.feed_all(case.events)
    return SseMessage(
        ORIGIN,
        1,
        dialect=case.provider.name,
        reply=reader.reply(),
        events=tuple(case.events),
        end_ns=9_000,
        first_chunk_ns=3_000,
        host=case.host,
        target=case.path,
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.provider.name)
def test_a_plain_and_a_streamed_answer_are_the_same_call(case: ProviderCase) -> None:
    one, other = call_of(request(case), plain(case)), call_of(request(case), streamed(case))
    assert one is not None
    assert other is not None
    assert one.asked == other.asked == case.provider.asked(case.request, case.path)
    assert (one.answer.parts, one.usage, one.answer.finish_reasons) == (
        other.answer.parts,
        other.usage,
        other.answer.finish_reasons,
    )
    assert one.usage == case.reply.usage
    assert (other.streaming, other.first_chunk_ns, other.end_ns) == (True, 5_003_000, 5_009_000)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.provider.name)
def test_the_parts_say_what_the_reply_says(case: ProviderCase) -> None:
    call = call_of(request(case), streamed(case))
    assert call is not None
    parts = call.answer.parts
    assert "".join(part.text for part in parts if isinstance(part, TextPart)) == case.reply.text
    assert "".join(part.text for part in parts if isinstance(part, ReasoningPart)) == case.reply.thinking.replace("\n\n", "")
    calls = [(part.id, part.name, part.input) for part in parts if isinstance(part, ToolCallPart)]
    assert calls == [(tool.id, tool.name, tool.input) for tool in case.reply.tool_calls]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.provider.name)
def test_a_stream_whose_events_were_not_all_kept_gives_what_its_reply_says(case: ProviderCase) -> None:
    call = call_of(None, replace(streamed(case), events=(), events_lost=9))
    assert call is not None
    assert call.answer.id == case.reply.id
    assert call.usage == case.reply.usage
    assert (call.complete, call.asked.messages) == (True, ())


def test_an_exchange_of_no_model_is_no_call() -> None:
    asked = HttpRequest(ORIGIN, 1, method="GET", target="/", version="HTTP/1.1", headers=(("host", "a.example"),))
    assert call_of(asked, None) is None
    assert call_of(None, None) is None
