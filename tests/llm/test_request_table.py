from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Struct

from agentsight_rx.llm.canonical import Asked, Message, Parameters
from agentsight_rx.llm.request_fields import RequestFields, said_by
from agentsight_rx.llm.request_table import Place, Requests, ResentRequests
from agentsight_rx.llm.resent import Resent, Whole


class _Options(Struct):
    mood: str | None = None


class _Request(RequestFields):
    say: str | None = None
    options: _Options | None = None
    inner: _Request | None = None


def _said(sent: _Request) -> Asked:
    asked = sent.inner or sent
    mood = asked.options.mood if asked.options else None
    return Asked(model="usual", messages=(*said_by("system", mood), *said_by("user", asked.say)))


request = Requests(
    _Request,
    _said,
    {
        "max_tokens": ("options.most", "most"),
        "stop": "stop",
        "reasoning": ("effort", Place("thinking.budget", Whole), Place("think", bool)),
        "output_type": "format.type",
    },
    wrapper="inner",
)


def parameters(**sent: Any) -> Parameters:
    return request(json.dumps(sent).encode()).parameters


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ({"most": 5}, Parameters(max_tokens=5)),
        ({"most": 5, "options": {"most": 0}}, Parameters(max_tokens=0)),
        ({"most": 5, "options": None}, Parameters(max_tokens=5)),
        ({"temperature": 0.5, "top_p": 1}, Parameters(temperature=0.5, top_p=1.0)),
        ({"stop": "a"}, Parameters(stop=("a",))),
        ({"stop": ["a", "b"]}, Parameters(stop=("a", "b"))),
        ({"effort": "", "thinking": {"budget": 7}}, Parameters(reasoning="7")),
        ({"think": True}, Parameters(reasoning="true")),
        ({"thinking": {"budget": 0}, "think": True}, Parameters(reasoning="true")),
        ({"thinking": {"budget": 0}}, Parameters(reasoning="0")),
        ({"format": {"type": "json_schema"}}, Parameters(output_type="json")),
        ({"format": {"type": "application/json"}}, Parameters(output_type="json")),
        ({"format": {"type": "text/plain"}}, Parameters()),
        ({"format": {"type": "text"}}, Parameters(output_type="text")),
        ({"inner": {"most": 6}, "most": 5}, Parameters(max_tokens=6)),
    ],
)
def test_a_parameter_is_read_where_the_table_says(sent: dict[str, Any], read: Parameters) -> None:
    assert read == parameters(**sent)


def test_a_dialect_keeps_its_own_fields_beside_those_of_the_table() -> None:
    asked = request(b'{"say":"hi","options":{"mood":"kind","most":3}}')
    assert [("system", ["kind"]), ("user", ["hi"])] == [(each.role, each.texts()) for each in asked.messages]
    assert (3, "usual") == (asked.parameters.max_tokens, asked.model)


def test_a_parameter_of_another_type_is_named_and_the_rest_is_read() -> None:
    asked = request(b'{"say":"hi","stop":{"a":1},"options":{"mood":"kind","most":"many"}}')
    assert {"stop", "options.most"} == set(asked.unknown)
    assert 2 == len(asked.messages)


class _Said(Struct):
    text: str = ""


class _Talk(RequestFields):
    messages: list[_Said] | None = None
    inner: _Talk | None = None


def test_messages_that_were_sent_before_are_not_made_again() -> None:
    made: list[str] = []

    def message(said: _Said) -> Message:
        made.append(said.text)
        return said_by("user", said.text)[0]

    talk: ResentRequests[_Talk, _Said, Message] = ResentRequests(
        _Talk,
        lambda sent, messages: Asked(messages=tuple(messages)),
        {},
        field="messages",
        element=_Said,
        made=message,
        listed=lambda sent: (sent.inner or sent).messages or (),
        wrapper="inner",
    )
    resent = Resent(at_once=True)
    first, second = ({"messages": [{"text": letter * 9000} for letter in letters]} for letters in ("abc", "abcd"))
    assert talk(json.dumps(first).encode()) == talk.again(json.dumps(first).encode(), resent)
    made.clear()
    assert 4 == len(talk.again(json.dumps(second).encode(), resent).messages)
    assert ["d" * 9000] == made
    wrapped = json.dumps({"inner": second, "messages": []}).encode()
    assert talk(wrapped) == talk.again(wrapped, resent)
