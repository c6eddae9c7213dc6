from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from msgspec import Raw

from agentsight_rx.operators.sessions.websocket_talk import Parts, elements, joined, size_of_base64, without_media

LONG = base64.b64encode(bytes(range(256)) * 12).decode()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"audio": LONG}, {"audio": {"omitted_bytes": 3072}}),
        ([{"data": LONG + "=="}], [{"data": {"omitted_bytes": 3072}}]),
        ({"url": f"data:audio/wav;codecs=1;base64,{LONG}"}, {"url": {"omitted_bytes": 3072}}),
        ({"data": "AAAA"}, {"data": "AAAA"}),
        ({"text": LONG}, {"text": LONG}),
        ({"data": f"{LONG} and text"}, {"data": f"{LONG} and text"}),
        ({"text": f'{{"data":"{LONG}"}}'}, {"text": f'{{"data":"{LONG}"}}'}),
        ({"text": f'"data:image/png;base64,{LONG}"'}, {"text": f'"data:image/png;base64,{LONG}"'}),
    ],
)
def test_only_base64_of_media_is_omitted(value: Any, expected: Any) -> None:
    for separators in ((",", ":"), (", ", ": ")):
        assert json.loads(without_media(json.dumps(value, separators=separators).encode())) == expected


def test_slashes_of_base64_may_be_escaped() -> None:
    coded = base64.b64encode(b"\xff" * 3000)
    text = b'{"data":"%b"}' % coded.replace(b"/", b"\\/")
    assert text != b'{"data":"%b"}' % coded
    assert without_media(text) == b'{"data":{"omitted_bytes":3000}}'


@pytest.mark.parametrize(
    ("coded", "size"), [(b"", 0), (b'""', 0), (b'"QQ=="', 1), (b'"QUI="', 2), (b'"QUJD"', 3), (b"null", 0)]
)
def test_the_size_of_base64_is_that_of_its_bytes(coded: bytes, size: int) -> None:
    assert size_of_base64(coded) == size


@pytest.mark.parametrize(
    ("value", "expected"), [(b"[]", b""), (b"[ 1, [2] ]", b"1, [2]"), (b'{"a":[]}', b'{"a":[]}'), (b"", b"")]
)
def test_elements_of_an_array_or_the_one_value(value: bytes, expected: bytes) -> None:
    assert elements(Raw(value)) == expected


def test_an_object_has_the_fields_that_are_not_empty() -> None:
    assert joined(a=b"1", b=b"", c=b'"x"') == b'{"a":1,"c":"x"}'
    assert joined() == b"{}"


def test_parts_that_do_not_fit_are_counted_until_they_are_taken() -> None:
    parts = Parts()
    for value in (b"1", b"2" * (2 << 20), b"3"):
        parts.add(value)
    assert parts.taken() == (b"[1,3]", 2 << 20)
    assert parts.taken() == (b"[]", 0)
    assert parts.size == 0
