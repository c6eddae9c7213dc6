"""Requests that begin like earlier ones: what was sent before is not decoded again, and what is read is the same."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agentsight_rx.llm import Asked, provider_named
from agentsight_rx.llm.resent import Resent

_PATHS = {"anthropic": "/v1/messages", "openai": "/v1/chat/completions", "openai_responses": "/v1/responses"}
_LISTS = {"anthropic": "messages", "openai": "messages", "openai_responses": "input"}
_WORDS = "some words that a person wrote " * 600  # a body of one message is long enough to be kept
DIALECTS = sorted(_PATHS)


def said(number: int, role: str = "user") -> dict[str, Any]:
    return {"role": role, "content": f"{number}: {_WORDS}"}


def body_of(dialect: str, messages: list[dict[str, Any]], **more: Any) -> bytes:
    request = {"model": "m", _LISTS[dialect]: messages, "temperature": 0.5, **more}
    return json.dumps(request, separators=(",", ":")).encode()


def asked(dialect: str, body: bytes, resent: Resent | None = None) -> Asked:
    provider = provider_named(dialect)
    assert provider is not None
    return provider.asked(body, _PATHS[dialect], resent=resent)


def both(dialect: str, *bodies: bytes) -> list[Asked]:
    """What is read with what was sent before in mind, which is what is read without."""
    resent = Resent(at_once=True)
    found = [asked(dialect, body, resent) for body in bodies]
    assert [asked(dialect, body) for body in bodies] == found
    return found


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_was_sent_before_is_taken_again(dialect: str) -> None:
    talk = [said(number, ("user", "assistant")[number % 2]) for number in range(9)]
    first, second = both(dialect, body_of(dialect, talk[:7]), body_of(dialect, talk))
    assert len(second.messages) == 9
    assert [one is other for one, other in zip(first.messages, second.messages, strict=False)] == [True] * 7


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_message_that_has_changed_is_read_again_and_so_is_all_behind_it(dialect: str) -> None:
    talk = [said(number) for number in range(6)]
    changed = [*talk[:3], said(77), *talk[4:], said(8)]
    first, second = both(dialect, body_of(dialect, talk), body_of(dialect, changed))
    same = [one is other for one, other in zip(first.messages, second.messages, strict=False)]
    assert same == [True, True, True, False, False, False]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("separators", [(", ", ": "), (" ,\n\t", " :  ")], ids=repr)
def test_any_space_between_elements_is_the_same(dialect: str, separators: tuple[str, str]) -> None:
    bodies = [
        json.dumps({_LISTS[dialect]: [said(each) for each in range(count)], "model": "m"}, separators=separators).encode()
        for count in (4, 6, 6, 5)
    ]
    found = both(dialect, *bodies)
    assert found[1].messages[0] is found[0].messages[0]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_conversations_that_begin_alike_do_not_mix(dialect: str) -> None:
    one, other = [said(1), said(2), said(3)], [said(1), said(20), said(30)]
    found = both(dialect, *(body_of(dialect, each[:count]) for count in (2, 3) for each in (one, other)))
    texts = [[message.texts()[0][:2] for message in each.messages] for each in found]
    assert texts == [["1:", "2:"], ["1:", "20"], ["1:", "2:", "3:"], ["1:", "20", "30"]]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("is_escaped", [False, True])
@pytest.mark.parametrize("later", [9, 3])
def test_of_two_lists_the_later_one_counts(dialect: str, is_escaped: bool, later: int) -> None:
    field = _LISTS[dialect]
    name = f"\\u00{ord(field[0]):x}{field[1:]}" if is_escaped else field
    first = body_of(dialect, [said(1), said(2)])
    twice = (
        body_of(dialect, [said(1), said(2), said(3)])[:-1]
        + f',"{name}":[{json.dumps(said(later), separators=(",", ":"))}]}}'.encode()
    )
    found = both(dialect, first, twice, first, twice)
    assert [len(each.messages) for each in found] == [2, 1, 2, 1]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_field_of_that_name_elsewhere_is_no_list_of_messages(dialect: str) -> None:
    inner = {_LISTS[dialect]: [said(5), said(6)]}
    before = json.dumps({"metadata": inner, _LISTS[dialect]: [said(1)], "model": "m"}, separators=(",", ":")).encode()
    after = body_of(dialect, [said(1), said(2)], metadata=inner)
    found = both(dialect, before, before, after, after, body_of(dialect, [said(1), said(2), said(3)], metadata=inner))
    assert [len(each.messages) for each in found] == [1, 1, 2, 2, 3]


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("end", [b",]}", b"", b",", b"]", b"]}x", b" 7]}", b",7]}", b",null]}", b",{}]}"], ids=repr)
def test_what_is_no_json_behind_known_messages_is_read_as_without_them(dialect: str, end: bytes) -> None:
    first = json.dumps({"model": "m", _LISTS[dialect]: [said(1), said(2), said(3)]}, separators=(",", ":")).encode()
    both(dialect, first, first.removesuffix(b"]}") + end)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_does_not_fit_is_named_as_without_it(dialect: str) -> None:
    talk = [said(1), said(2)]
    odd: dict[str, Any] = {"role": "user", "content": 7}
    found = both(dialect, body_of(dialect, talk), body_of(dialect, [*talk, odd]), body_of(dialect, [*talk, odd, said(3)]))
    assert [each.unknown for each in found] == [(), (f"{_LISTS[dialect]}[].content",), (f"{_LISTS[dialect]}[].content",)]


def test_a_body_with_too_many_values_is_read_by_neither_way() -> None:
    few: list[dict[str, Any]] = [said(1)]
    many: list[dict[str, Any]] = [{"role": "user", "content": [{}] * 260_000}]
    found = both(
        "anthropic", body_of("anthropic", few), body_of("anthropic", few + many), body_of("anthropic", [*few, said(2)])
    )
    assert [len(each.messages) for each in found] == [1, 0, 2]


def test_values_that_are_known_count_too() -> None:
    half: dict[str, Any] = {"role": "user", "content": [{}] * 130_000}
    found = both("anthropic", *(body_of("anthropic", each) for each in ([half], [half, said(1)], [half, half])))
    assert [len(each.messages) for each in found] == [1, 2, 0]


def test_the_bodies_that_are_kept_are_limited() -> None:
    resent = Resent(at_once=True)
    big = {"role": "user", "content": "x" * (3 << 20)}
    bodies = [body_of("anthropic", [said(number), big]) for number in range(4)]
    first = asked("anthropic", bodies[0], resent)
    for body in bodies[1:]:
        asked("anthropic", body, resent)
    assert asked("anthropic", bodies[0], resent).messages[0] is not first.messages[0]
    assert asked("anthropic", bodies[0], resent) == first


def test_the_first_body_of_a_beginning_is_left_to_the_way_that_takes_every_body() -> None:
    resent = Resent()
    assert [resent.is_first("x", body) for body in (b"one", b"one", b"two")] == [True, False, True]
