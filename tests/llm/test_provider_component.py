"""The shared test of providers is worth something only if it rejects broken ones: here are some, each in one way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from agentsight_rx.events import SseEvent
from agentsight_rx.llm.canonical import Asked, Message, TextPart
from agentsight_rx.llm.dialects.anthropic import ANTHROPIC
from agentsight_rx.llm.reader import Draft
from tests.llm.cases import case_of
from tests.provider_component import check_provider

CASE = case_of(ANTHROPIC)


def forgets_the_system_prompt(body: bytes) -> Asked:
    asked = ANTHROPIC.asks(body)
    return replace(asked, messages=tuple(each for each in asked.messages if each.role != "system"))


def invents_a_prompt(body: bytes) -> Asked:
    asked = ANTHROPIC.asks(body)
    return asked if asked.model else Asked(messages=(Message("user", (TextPart("?"),)),))


def raises_on_a_truncated_request(body: bytes) -> Asked:
    msgspec.json.decode(body)
    return ANTHROPIC.asks(body)


def forgets_the_usage(body: bytes) -> Draft:
    draft = ANTHROPIC.answers(body)
    draft.usage = None
    return draft


def invents_a_reply(body: bytes) -> Draft:
    draft = ANTHROPIC.answers(body)
    if not draft.id:
        draft.add("text", "?")
    return draft


def claims_an_end(draft: Draft, event: SseEvent) -> bool | None:
    content = ANTHROPIC.take(draft, event)
    draft.choices[0] = draft.choices.get(0) or "end_turn"
    return content


def ends_too_early(draft: Draft, event: SseEvent) -> bool | None:
    content = ANTHROPIC.take(draft, event)
    draft.ended = True
    return content


def never_ends(draft: Draft, event: SseEvent) -> bool | None:
    content = ANTHROPIC.take(draft, event)
    draft.ended = False
    draft.choices.clear()
    return content


def knows_no_ping(draft: Draft, event: SseEvent) -> bool | None:
    return None if event.event == "ping" else ANTHROPIC.take(draft, event)


def remembers_elsewhere() -> Callable[[Draft, SseEvent], bool | None]:
    """A `take` with a state of its own, which no snapshot has."""
    seen: list[Draft] = []

    def take(draft: Draft, event: SseEvent) -> bool | None:
        if not seen or seen[-1] is not draft:
            seen.append(draft)
            if event.event != "message_start":
                draft.add("text", "?")
        return ANTHROPIC.take(draft, event)

    return take


def says_everything_twice(draft: Draft, events: Sequence[SseEvent]) -> int | None:
    for event in [*events, *events]:
        ANTHROPIC.take(draft, event)
    return len(events)


def finds_no_content(draft: Draft, events: Sequence[SseEvent]) -> int | None:
    for event in events:
        ANTHROPIC.take(draft, event)
    return 0


def fails_in_silence(body: bytes) -> Draft:
    draft = ANTHROPIC.answers(body)
    draft.error = None
    return draft


# What is changed in a provider that is right, and the promise that this breaks
MUTANTS: list[tuple[dict[str, Any], str]] = [
    ({"asks": forgets_the_system_prompt}, "a request gives the prompt"),
    ({"asks": invents_a_prompt}, "a body that is no request gives an empty prompt"),
    ({"answers": forgets_the_usage}, "a plain answer gives the reply"),
    ({"answers": invents_a_reply}, "a truncated answer says no more than was sent"),
    ({"answers": fails_in_silence}, "an answer that is an error gives it"),
    ({"take": claims_an_end, "take_all": None}, "a stream and a plain answer say the same|no more than was sent"),
    ({"take": ends_too_early, "take_all": None}, "a stream ends at its last event"),
    ({"end_marks": (b"goodbye",)}, "an event without an end mark ends no answer"),
    ({"take": never_ends, "take_all": None}, "a stream and a plain answer say the same|at its end a stream has ended"),
    ({"take": knows_no_ping, "take_all": None}, "every event of the stream is known"),
    ({"take": remembers_elsewhere(), "take_all": None}, "a reader resumes from a snapshot"),
    ({"take_all": says_everything_twice}, "take_all says the same as take"),
    ({"take_all": finds_no_content}, "take_all finds as much content as take"),
]


@pytest.mark.parametrize(("changed", "promise"), MUTANTS)
def test_a_broken_provider_is_rejected(changed: dict[str, Any], promise: str) -> None:
    with pytest.raises(AssertionError, match=promise):
        check_provider(replace(CASE, provider=replace(ANTHROPIC, **changed)))


def test_a_provider_that_raises_is_rejected() -> None:
    with pytest.raises(msgspec.DecodeError):
        check_provider(replace(CASE, provider=replace(ANTHROPIC, asks=raises_on_a_truncated_request)))


def test_a_provider_that_is_not_in_the_table_is_rejected() -> None:
    with pytest.raises(AssertionError, match="names its provider"):
        check_provider(replace(CASE, provider=replace(ANTHROPIC, name="parrot")))
