from __future__ import annotations

from typing import Any

import pytest
from msgspec import Raw, Struct

from agentsight_rx.llm.lenient import Fields, Found
from agentsight_rx.llm.resent import Count


class Part(Struct):
    type: str = ""
    text: str | None = None
    inner: list[Part] | None = None


class Message(Struct):
    role: str
    content: str | list[Part] | None = None


class Body(Struct):
    model: str = ""
    count: Count | None = None
    code: str | int | None = None
    anything: object = None
    json: Raw = Raw()
    named: dict[str, Count] | None = None
    messages: list[Message] | None = None


BODY = Fields(Body)


def read(body: str | bytes) -> Found[Body]:
    found = BODY.read(body)
    assert found is not None
    return found


def test_a_field_that_does_not_fit_is_left_out_and_named() -> None:
    found = read('{"model":5,"count":-1,"named":{"a":1,"b":"x"},"messages":[{"role":"user","content":"Hi"},7,{"content":"x"}]}')
    assert found.value == Body(named={"a": 1}, messages=[Message("user", "Hi")])
    assert found.unknown == ("model", "count", "named.*", "messages[]")


def test_null_is_as_if_nothing_was_sent() -> None:
    found = read('{"model":null,"count":null,"messages":[{"role":"user","content":[{"type":null,"text":"Hi"}]}]}')
    assert found == Found(Body(messages=[Message("user", [Part(text="Hi")])]))


def test_one_element_stands_for_a_list() -> None:
    assert read('{"messages":{"role":"user","content":{"text":"Hi"}}}').value.messages == [Message("user", [Part(text="Hi")])]


@pytest.mark.parametrize(
    ("sent", "count"), [("3", 3), ("3.0", 3), ('"3"', 3), ("3e2", 300), ("3.5", None), ('"x"', None), (str(2**60), None)]
)
def test_a_whole_number_may_be_spelled_in_several_ways(sent: str, count: int | None) -> None:
    assert read(f'{{"count":{sent}}}').value.count == count


@pytest.mark.parametrize(("sent", "code"), [('"5"', "5"), ("5", 5), ('"x"', "x"), ("true", None)])
def test_what_fits_several_types_is_read_alike_whatever_stands_beside_it(sent: str, code: Any) -> None:
    assert read(f'{{"code":{sent}}}').value.code == code
    assert read(f'{{"code":{sent},"model":5}}').value.code == code


@pytest.mark.parametrize("text", [b"a\xffb", rb"a\ud83db"])
def test_characters_that_are_none_are_replaced_whatever_stands_beside_them(text: bytes) -> None:
    assert read(b'{"model":"%b"}' % text).value.model == "a\ufffdb"
    assert read(b'{"model":"%b","count":"x"}' % text).value.model == "a\ufffdb"


def test_json_is_kept_as_it_was_sent() -> None:
    found = read('{"json":{"a": [1,  2]},"anything":{"b":[null]},"count":"x"}')
    assert (bytes(found.value.json), found.value.anything) == (b'{"a": [1,  2]}', {"b": [None]})


@pytest.mark.parametrize("body", ["", "{", "[]", "null", "5", '"a"', "[" * 9999, '{"messages":' * 9999])
def test_what_is_no_such_object_is_none(body: str) -> None:
    assert BODY.read(body) is None
    assert BODY.read(body.encode()) is None


def test_a_body_names_only_some_fields() -> None:
    many = ",".join(f'"{number}":"x"' for number in range(99))
    assert read(f'{{"named":{{{many}}}}}').unknown == ("named.*",)


def test_levels_without_end_cost_only_themselves() -> None:
    deep = '{"inner":[' * 100 + '{"text":5}' + "]}" * 100
    found = read(f'{{"model":"m","messages":[{{"role":"user","content":[{deep}]}}]}}')
    assert (found.value.model, len(found.value.messages or ())) == ("m", 1)
    assert found.unknown
