"""A request of every dialect is cut into pieces that cover it, and each text of it is in one piece, with its origin."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from agentsight_rx.llm import PROVIDERS, Provider
from agentsight_rx.llm.canonical import ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from agentsight_rx.llm.context import Anatomy, Piece, anatomy
from agentsight_rx.llm.context.pieces import COMPACTION
from tests.llm.cases import case_of

_ROLES = {"system": "system", "developer": "system", "assistant": "answer", "tool": "result"}


def name_of(provider: Provider) -> str:
    return provider.name


def bodies_of(provider: Provider) -> list[bytes]:
    case = case_of(provider)
    return [case.request, *case.requests]


def origins(found: Anatomy) -> list[tuple[str, str]]:
    return [(each.origin, found.body[each.start : each.end].decode()) for each in found.read()]


@pytest.mark.parametrize("provider", PROVIDERS, ids=name_of)
def test_the_pieces_cover_a_request_however_it_is_cut(provider: Provider) -> None:
    for body in bodies_of(provider):
        for size in range(len(body) + 1):
            cut = body[:size] + b"\xff"[: size % 2]
            found = anatomy(cut)
            assert cut == b"".join(cut[each.start : each.end] for each in found.covering())


@pytest.mark.parametrize("provider", PROVIDERS, ids=name_of)
def test_a_request_is_read_the_same_behind_any_other(provider: Provider) -> None:
    (body, *others) = bodies_of(provider)
    for size in range(0, len(body) + 1, 3):
        for other in (body[:size], body[:size] + body[size + 1 :], body + b" ", *others):
            assert anatomy(other, before=anatomy(body)) == anatomy(other)
            assert anatomy(body, before=anatomy(other)) == anatomy(body)


@pytest.mark.parametrize("provider", [each for each in PROVIDERS if each.name not in ("mcp", "openai_realtime")], ids=name_of)
def test_every_part_of_a_request_is_a_piece_of_its_origin(provider: Provider) -> None:
    case = case_of(provider)
    asked, found = provider.asks(case.request), anatomy(case.request)
    parts = [(message.role, part) for message in asked.messages for part in message.parts]
    kinds: dict[type, str] = {TextPart: "", ReasoningPart: "reasoning", ToolCallPart: "answer", ToolResultPart: "result"}
    wanted = Counter(kinds[type(part)] or _ROLES.get(role, "prompt") for role, part in parts)
    wanted["tools"] += len(asked.tools)
    assert Counter(origin for origin, _ in origins(found)) == +wanted
    said = Counter(text for _, text in origins(found))
    for _, part in parts:
        if isinstance(part, TextPart):
            assert said[json.dumps(part.text, ensure_ascii=False)[1:-1]]
    names = {each.name for each in found.read() if each.origin == "tools"}
    assert {tool.name for tool in asked.tools} <= names


def pieces(body: str) -> list[Piece]:
    return anatomy(body.encode()).read()


def test_a_model_reads_tools_and_system_first() -> None:
    body = '{"messages":[{"role":"user","content":"x"}],"stream":true,"tools":[{"name":"a"}],"system":"s"}'
    assert [each.origin for each in pieces(body)] == ["tools", "system", "prompt"]
    assert anatomy(body.encode()).parameters() == {"stream": b"true"}


def test_a_summary_of_the_provider_stands_in_place_of_all_before_it() -> None:
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": [{"type": "text", "text": "x"}, {"type": "compaction", "content": "sum"}]},
        {"role": "user", "content": "two"},
    ]
    before = anatomy(json.dumps({"tools": [{"name": "Read"}], "messages": messages[:1]}).encode())
    body = json.dumps({"tools": [{"name": "Read"}], "messages": messages}).encode()
    for found in (anatomy(body), anatomy(body, before), anatomy(body, anatomy(body))):
        assert [piece.origin for piece in found.read()] == ["tools", "summary", "prompt"]
        assert [piece for piece, _ in found.texts()] == [piece for element in _all(found) for piece in element]
        assert [text for _, text in found.texts(2)] == [b"two"]
        assert b"".join(body[piece.start : piece.end] for piece in found.covering()) == body
    shorter = anatomy(json.dumps({"tools": [{"name": "Read"}], "messages": messages[:1] * 2}).encode(), anatomy(body))
    assert [piece.origin for piece in shorter.read()] == ["tools", "prompt", "prompt"]


def test_an_item_with_a_summary_stands_behind_what_is_read() -> None:
    items = [{"role": "user", "content": "one"}, {"type": "compaction", "encrypted_content": "x"}]
    found = anatomy(json.dumps({"input": items}).encode())
    assert [(piece.origin, piece.name) for piece in found.read()] == [("prompt", ""), ("summary", COMPACTION)]


def _all(found: Anatomy) -> list[tuple[Piece, ...]]:
    return [*found.elements(said=False), *found.elements(said=True)]


@pytest.mark.parametrize(
    ("body", "origins_"), [(b'{"messages":', []), (b'{"tools":[],"input":"hi"}', ["prompt"]), (b'{"messages":[,', [])]
)
def test_a_body_that_ends_before_a_value_has_what_is_there(body: bytes, origins_: list[str]) -> None:
    found = anatomy(body)
    assert [piece.origin for piece in found.read()] == origins_
    assert b"".join(body[piece.start : piece.end] for piece in found.covering()) == body
