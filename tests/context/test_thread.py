"""Requests with known counts -> the tokens, requests and costs of their pieces."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agentsight_rx.context import anatomy
from agentsight_rx.context.held import Rates, Sent
from agentsight_rx.context.thread import KEPT, Thread
from agentsight_rx.tokens import Usage

Request = dict[str, Any]


def request(*messages: tuple[str, str], tools: tuple[str, ...] = ("Read",), system: str = "Be brief.") -> Request:
    return {
        "tools": [{"name": name, "description": "d" * 40} for name in tools],
        "system": system,
        "messages": [{"role": role, "content": text} for role, text in messages],
    }


def added(thread: Thread, body: Request, sent: Sent) -> None:
    step = thread.add(anatomy(json.dumps(body).encode()), sent)
    assert sum(each.tokens for each in thread.held) == step.total == sum(step.sums.values())
    assert sent.usage is None or step.total == sent.usage.asked


def told(thread: Thread) -> list[tuple[str, int, bool]]:
    return [(each.piece.origin, each.tokens, each.exact) for each in thread.held]


def test_what_a_request_adds_is_counted() -> None:
    thread = Thread()
    added(thread, request(("user", "x" * 400)), Sent(1, Usage(input=150, output=7), again=7))
    assert [exact for _, _, exact in told(thread)] == [False, False, False]
    said = (("user", "x" * 400), ("assistant", "yes"), ("user", "go on"))
    added(thread, request(*said), Sent(2, Usage(input=170, output=1), again=None))
    assert told(thread)[3:] == [("answer", 7, True), ("prompt", 13, True)]
    added(thread, request(*said, ("assistant", "a"), ("user", "b" * 100)), Sent(3, Usage(input=200)))
    assert [exact for _, _, exact in told(thread)[5:]] == [False, False]  # how much of it the answer has is not known
    assert sum(tokens for _, tokens, _ in told(thread)[5:]) == 30


def test_a_mark_for_the_cache_is_a_counted_place() -> None:
    thread, body = Thread(), request(("user", "x" * 400))
    body["system"] = [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]
    added(thread, body, Sent(1, Usage(input=90, cache_creation=60)))
    assert told(thread)[2] == ("prompt", 90, True)
    assert sum(tokens for _, tokens, _ in told(thread)[:2]) == 60


def test_behind_a_change_a_piece_has_the_tokens_that_it_was_counted_with() -> None:
    thread = Thread()
    added(thread, request(("user", "one")), Sent(1, Usage(input=100)))
    added(thread, request(("user", "one"), ("user", "two")), Sent(2, Usage(input=110)))
    assert told(thread)[-1] == ("prompt", 10, True)
    added(thread, request(("user", "one"), ("user", "two"), tools=("Read", "Bash")), Sent(3, Usage(input=160)))
    assert [exact for _, _, exact in told(thread)] == [False, False, False, False, True]
    assert [each.since for each in thread.held] == [1, 3, 1, 1, 2]
    assert thread.gone == []


def test_without_counts_a_token_is_four_bytes() -> None:
    thread = Thread()
    added(thread, request(("user", "x" * 400)), Sent(1))
    assert told(thread)[-1] == ("prompt", 100, False)
    added(thread, request(("user", "x" * 400), ("user", "go")), Sent(2, Usage(input=50)))
    added(thread, request(("user", "x" * 400), ("user", "go")), Sent(3))
    assert told(thread)[-2:] == [("prompt", 100, False), ("prompt", 0, False)]


def test_what_the_provider_has_kept_is_a_piece() -> None:
    thread = Thread()
    added(thread, request(("user", "x" * 400)), Sent(1, Usage(input=150, output=30), again=30))
    added(thread, request(("user", "y" * 40)), Sent(2, Usage(input=200, output=5), goes_on=True, again=5))
    assert told(thread)[2:] == [("prompt", 100, False), (KEPT, 30, True), ("prompt", 20, True)] or told(thread)[3:] == [
        (KEPT, 30, True),
        ("prompt", 20, True),
    ]
    alone = Thread()
    added(alone, request(("user", "y" * 400)), Sent(1, Usage(input=5000), goes_on=True))
    assert alone.held[2].piece.origin == KEPT
    assert alone.held[2].tokens > 4800


RATES = Rates(read=0.1, write=1.25, input=1.0)


def test_the_costs_of_the_pieces_are_the_cost_of_the_input() -> None:
    thread = Thread()
    said = [("user", "x" * 400)]
    added(thread, request(*said), Sent(1, Usage(input=10, cache_creation=140), RATES))
    said += [("assistant", "y" * 80), ("user", "z" * 400)]
    added(thread, request(*said), Sent(2, Usage(input=10, cache_creation=120, cache_read=140), RATES))
    said += [("user", "w" * 40)]
    added(thread, request(*said), Sent(3, Usage(input=290), RATES))
    thread.settle()
    wanted = 10 + 140 * 1.25 + 10 + 120 * 1.25 + 14 + 290
    assert sum(each.cost for each in thread.held) == pytest.approx(wanted)
    assert [each.requests for each in thread.held] == [3, 3, 3, 2, 2, 1]
    assert thread.held[-1].cost == pytest.approx(20)


def test_what_the_provider_clears_has_no_tokens_and_the_rest_its_own() -> None:
    thread = Thread()
    said = [("user", "one"), ("assistant", "two"), ("user", "three"), ("assistant", "four")]
    for turn, (count, total) in enumerate(((1, 100), (2, 110), (3, 160), (4, 190)), 1):
        added(thread, request(*said[:count]), Sent(turn, Usage(input=total)))
    assert [tokens for _, tokens, _ in told(thread)[3:]] == [10, 50, 30]

    def clear(_: object, __: int) -> None:
        thread.cleared = frozenset({thread.held[4].number})

    step = thread.add(anatomy(json.dumps(request(*said, ("user", "five"))).encode()), Sent(5, Usage(input=150)), clear)
    assert step.total == sum(each.tokens for each in thread.held) == 150
    assert [tokens for _, tokens, _ in told(thread)[3:]] == [10, 0, 30, 10]
    again = thread.until(5)
    assert [each.tokens for each in again.held] == [each.tokens for each in thread.held]
    assert [each.tokens for each in thread.until(4).held][3:] == [10, 50, 30]
