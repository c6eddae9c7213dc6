"""Requests with known counts -> the tokens, requests and costs of their pieces."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agentsight_rx.events.tokens import Usage
from agentsight_rx.llm.context import anatomy
from agentsight_rx.llm.context.held import Rates, Sent
from agentsight_rx.llm.context.thread import KEPT, Thread

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


def test_a_request_without_counts_between_others_changes_nothing_that_was_counted() -> None:
    """Its answer was cut. What it added has the length of a token in the requests before."""
    thread, said = Thread(), [("user", "x" * 400)]
    added(thread, request(*said), Sent(1, Usage(input=50, output=3), again=3))
    added(thread, request(*said, ("assistant", "yes"), ("user", "go")), Sent(2, Usage(input=60)))
    before = told(thread)
    said += [("assistant", "yes"), ("user", "go"), ("assistant", "w" * 80), ("user", "on")]
    added(thread, request(*said), Sent(3))
    assert before == told(thread)[: len(before)]
    assert 0 < told(thread)[-2][1] < 20, "80 bytes, of which a token has more than four"
    added(thread, request(*said, ("assistant", "z" * 80), ("user", "now")), Sent(4, Usage(input=90)))
    assert before == told(thread)[: len(before)]


def marked(system: str, *messages: tuple[str, str]) -> Request:
    """A mark behind the first text of the system, and one at the end."""
    mark = {"cache_control": {"type": "ephemeral"}}
    body = request(*messages[:-1])
    body["system"] = [{"type": "text", "text": "Be brief.", **mark}, {"type": "text", "text": system}]
    role, last = messages[-1]
    body["messages"].append({"role": role, "content": [{"type": "text", "text": last, **mark}]})
    return body


def test_where_the_cache_that_was_read_ends_is_a_counted_place() -> None:
    thread = Thread()
    added(thread, marked("It is Monday.", ("user", "x" * 400)), Sent(1, Usage(cache_creation=150)))
    assert not any(exact for _, _, exact in told(thread))
    added(thread, marked("It is Tuesday.", ("user", "x" * 400)), Sent(2, Usage(cache_read=40, cache_creation=110)))
    assert sum(tokens for _, tokens, _ in told(thread)[:2]) == 40
    added(
        thread, marked("It is Tuesday.", ("user", "x" * 400), ("user", "y")), Sent(3, Usage(cache_read=150, cache_creation=5))
    )
    assert sum(tokens for _, tokens, _ in told(thread)[:2]) == 40
    assert told(thread)[-1] == ("prompt", 5, True)


@pytest.mark.parametrize(("more", "exact"), [((), True), ((("assistant", "a"), ("user", "b")), False)])
def test_a_first_request_may_read_what_an_earlier_session_left(more: tuple[tuple[str, str], ...], exact: bool) -> None:
    """Of a conversation that goes on it is not known up to where."""
    thread = Thread()
    added(thread, marked("x", ("user", "u" * 80), *more), Sent(1, Usage(cache_read=40, cache_creation=110)))
    assert exact == (sum(tokens for _, tokens, _ in told(thread)[:2]) == 40)


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


def test_a_dropped_piece_that_comes_back_is_the_same_with_what_it_cost() -> None:
    thread = Thread()
    one, two, three = ("user", "one" * 40), ("user", "two" * 40), ("user", "three" * 40)
    added(thread, request(one, two), Sent(1, Usage(input=200), RATES))
    number = thread.held[-1].number
    thread.named(number)
    added(thread, request(one, three), Sent(2, Usage(input=210), RATES))
    assert [each.piece.origin for each in thread.gone] == ["prompt"]
    step = thread.add(anatomy(json.dumps(request(one, three, two)).encode()), Sent(3, Usage(input=280), RATES))
    thread.settle()
    assert thread.gone == []
    (back,) = step.added
    assert (back.number, back.since, back.left, back.again, back.requests) == (number, 1, 1, 3, 2)
    assert sum(each.cost for each in thread.held) == pytest.approx(200 + 210 + 280)
    again = thread.until(3)
    assert again.held == thread.held
    assert [each.number for each in thread.until(2).gone] == [number]


def test_a_mark_that_moves_changes_no_piece() -> None:
    thread = Thread()
    for marked in (True, False):
        text = {"type": "text", "text": "x" * 80, **({"cache_control": {"type": "ephemeral"}} if marked else {})}
        body = {**request(), "messages": [{"role": "user", "content": [text]}]}
        step = thread.add(anatomy(json.dumps(body).encode()), Sent(1 + (not marked), Usage(input=90)))
    assert (step.kept, step.before, step.added, thread.held[-1].piece.mark) == (3, 3, (), "")


def test_counts_that_cannot_be_are_not_kept() -> None:
    thread = Thread()
    said = [("user", f"{at}" * 80) for at in range(4)]
    added(thread, request(*said[:2]), Sent(1, Usage(input=200)))
    added(thread, request(*said[:3]), Sent(2, Usage(input=260)))
    added(thread, request(*said), Sent(3, Usage(input=150)))  # shorter than its begin was
    added(thread, request(said[3], said[2]), Sent(4, Usage(input=30)))  # shorter than what was counted alone
    others = request(*said, tools=("Bash", "Read"), system="Other.")
    added(thread, others, Sent(5, Usage(input=400)))
    changed = request(("user", "new"), *said[1:], ("user", "a"), ("user", "b"), ("user", "c"))
    added(thread, changed, Sent(6, Usage(input=420)))
