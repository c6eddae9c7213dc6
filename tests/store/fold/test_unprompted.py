"""Requests that no person typed are known by their place in the session."""

from __future__ import annotations

import json
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from agentsight_rx.events import HttpRequest
from agentsight_rx.view import CallRow, SessionRow
from tests.store.fold.test_sessions import named
from tests.view.scenes import AGENT, answers, emitted, execs, last

TOOLS: list[dict[str, Any]] = [{"name": "Bash", "input_schema": {}}]
PROMPT = "find the bug in a.py"


def request(ms: int, exchange: int, text: str, *, tools: bool = True, model: str = "big", **body: Any) -> HttpRequest:
    made: dict[str, Any] = {"model": model, "n": ms, **({"tools": TOOLS} if tools else {}), **body}
    return named(ms, exchange, messages=[{"role": "user", "content": text}], body=made)


def prompts(*events: Any) -> tuple[list[str], str]:
    """What people typed, and the title of the session."""
    made = emitted(execs(1, AGENT, "claude"), *events)
    (session,) = last(SessionRow, made)
    return [row.prompt for row in last(CallRow, made) if row.is_prompted], session.title


def test_a_title_that_is_asked_for_first_is_no_prompt_once_the_prompt_is_there() -> None:
    title = request(2, 1, f"name this: {PROMPT}", tools=False, model="small")
    assert ([PROMPT], PROMPT) == prompts(title, answers(3, 1), request(4, 2, PROMPT), answers(5, 2))
    assert ([PROMPT], PROMPT) == prompts(title, request(4, 2, PROMPT), answers(5, 1), answers(6, 2))


@pytest.mark.parametrize(("text", "model"), [(f"is this safe? {PROMPT}", "big"), ("is rm safe?", "small")])
def test_a_request_without_tools_beside_the_main_ones_is_for_the_agent_itself(text: str, model: str) -> None:
    assert [PROMPT] == prompts(request(2, 1, PROMPT), answers(3, 1), request(4, 2, text, tools=False, model=model))[0]


def test_a_person_may_ask_again_with_the_same_model() -> None:
    asked = prompts(request(2, 1, PROMPT), answers(3, 1), request(4, 2, "and why?", tools=False), answers(5, 2))
    assert [PROMPT, "and why?"] == asked[0]


def test_a_retry_with_other_bytes_is_the_same_prompt() -> None:
    again = request(4, 2, PROMPT, model="other", stream=False)
    assert [PROMPT] == prompts(request(2, 1, PROMPT), answers(3, 1, status=529), again, answers(5, 2))[0]
    talk = [{"role": "user", "content": PROMPT}, {"role": "assistant", "content": "done"}, {"role": "user", "content": PROMPT}]
    later = named(4, 2, messages=talk, body={"tools": TOOLS})
    assert [PROMPT, PROMPT] == prompts(request(2, 1, PROMPT), answers(3, 1), later)[0]


def test_a_program_without_tools_has_prompts_alone() -> None:
    talked = prompts(request(2, 1, "one", tools=False), answers(3, 1), request(4, 2, "two", tools=False), answers(5, 2))
    assert (["one", "two"], "one") == talked


def test_a_title_by_its_words_is_no_prompt_without_anything_else() -> None:
    title = request(2, 1, PROMPT, tools=False, system="You are a title generator.")
    assert ([], "") == prompts(title, answers(3, 1))


@given(st.permutations(range(4)), st.booleans())
def test_the_order_of_the_agent_s_own_requests_changes_nothing(order: list[int], with_answers: bool) -> None:
    asked = [
        (f"name this: {PROMPT}", False, "small"), (PROMPT, True, "big"),
        (f"topic of: {PROMPT}", False, "small"), (f"is this safe? {PROMPT}", False, "big"),
    ]  # fmt: skip
    events: list[Any] = []
    for at, which in enumerate(order):
        text, tools, model = asked[which]
        events.append(request(2 + 3 * at, at + 1, text, tools=tools, model=model))
        if with_answers:
            events.append(answers(3 + 3 * at, at + 1))
    assert ([PROMPT], PROMPT) == prompts(*events)


def test_all_orders_of_a_title_and_a_prompt_and_their_answers_give_the_same() -> None:
    title = request(2, 1, f"name this: {PROMPT}", tools=False, model="small")
    main = request(2, 2, PROMPT)
    for events in permutations([title, main, answers(3, 1), answers(3, 2)]):
        assert ([PROMPT], PROMPT) == prompts(*events)


def test_a_request_to_the_endpoint_that_compacts_asks_for_a_summary() -> None:
    body = {"model": "gpt-5", "input": [{"role": "user", "content": PROMPT}]}
    for target, aside in (
        ("/v1/responses", ""),
        ("/v1/responses/compact", "summary"),
        ("/v1/responses/compact?a=b", "summary"),
    ):
        asked = replace(
            request(2, 1, PROMPT), target=target, body=json.dumps(body).encode(), headers=(("host", "api.openai.com"),)
        )
        (row,) = last(CallRow, emitted(execs(1, AGENT, "codex"), asked, answers(3, 1)))
        assert (row.call_kind, row.aside) == ("openai_responses", aside)


LONG = f"{PROMPT} " + "and keep to the rules of the house, which are many. " * 20


@pytest.mark.parametrize("tools", [True, False])
@pytest.mark.parametrize("task", [LONG, PROMPT], ids=["long", "short"])
@pytest.mark.parametrize(
    "more",
    ["\nError: the answer is no JSON", "\n\n### Previous attempt failed validation: no title", "\nObservation: 12 files"],
)
def test_a_prompt_that_grew_by_what_came_of_it_is_neither_typed_nor_a_retry(more: str, task: str, tools: bool) -> None:
    """A framework keeps all of a task in one message. What it sends is its main conversation all the same."""
    events: list[Any] = []
    for at, text in enumerate((task, f"{task}{more}", f"{task}{more}{more} again")):
        events += [request(2 + 3 * at, at + 1, text, tools=tools), answers(3 + 3 * at, at + 1)]
    made = last(CallRow, emitted(execs(1, AGENT, "claude"), *events))
    assert [task.strip()] == [row.prompt for row in made if row.is_prompted]
    assert ["", "", ""] == [row.aside for row in made]


@pytest.mark.parametrize("more", ["Look at b.py too.", "The errors come from b.py."])
def test_prompts_of_a_person_that_begin_alike_are_all_typed(more: str) -> None:
    """Two hundred characters of a template say nothing of what follows."""
    first, second, third = f"{LONG}File a.py", f"{LONG}File b.py", f"{LONG}File b.py {more}"
    asked = [request(2 + 3 * at, at + 1, text) for at, text in enumerate((first, second, third, third))]
    assert [first, second, third] == prompts(*asked)[0]
