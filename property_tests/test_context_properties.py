"""Conversations that grow, are edited, compacted and cached: their pieces add up, whatever happens, and are what they were."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.events.tokens import Usage
from agentsight_rx.llm.context import Anatomy, anatomy
from agentsight_rx.llm.context.held import Held, Rates, Sent
from agentsight_rx.llm.context.thread import Thread

WORDS = st.text(alphabet='ab <>"\\\n\u00e9/', max_size=30)
MESSAGES = st.tuples(st.sampled_from(("user", "assistant")), WORDS, st.booleans())
EDITS = st.sampled_from(("grow", "grow", "grow", "edit", "compact", "tools", "system", "nothing"))


def body_of(tools: int, system: str, messages: Sequence[tuple[str, str, bool]], order: bool) -> bytes:
    said: list[Any] = []
    for role, text, marked in messages:
        block: dict[str, Any] = {"type": "text", "text": text}
        if marked:
            block["cache_control"] = {"type": "ephemeral"}
        said.append({"role": role, "content": [block]})
    fields = {"model": "m", "messages": said, "system": system, "tools": [{"name": f"t{at}"} for at in range(tools)]}
    return json.dumps(dict(sorted(fields.items(), reverse=order))).encode()


@st.composite
def runs(draw: st.DrawFn) -> list[tuple[bytes, Usage | None]]:
    tools, system, messages = 1, "s", [draw(MESSAGES)]
    made: list[tuple[bytes, Usage | None]] = []
    order = draw(st.booleans())
    for _ in range(draw(st.integers(1, 8))):
        match draw(EDITS):
            case "grow":
                messages = [*messages, *draw(st.lists(MESSAGES, min_size=1, max_size=3))]
            case "edit":
                at = draw(st.integers(0, len(messages) - 1))
                messages = [*messages[:at], draw(MESSAGES), *messages[at + 1 :]]
            case "compact":
                messages = [draw(MESSAGES), *messages[len(messages) // 2 :]]
            case "tools":
                tools = draw(st.integers(0, 3))
            case "system":
                system = draw(WORDS)
            case _:
                pass
        counts = draw(st.tuples(*(st.integers(0, 5000) for _ in range(4))))
        made.append((body_of(tools, system, messages, order), draw(st.sampled_from((None, Usage(*counts), Usage(*counts))))))
    return made


@given(runs())
def test_tokens_and_costs_add_up(run: list[tuple[bytes, Usage | None]]) -> None:
    thread, before, paid = Thread(), None, 0.0
    sent: list[Held] = []
    rates = Rates(0.1, 1.25, 1.0)
    for turn, (body, usage) in enumerate(run, 1):
        found = anatomy(body, before)
        assert found == anatomy(body)
        assert body == b"".join(body[each.start : each.end] for each in found.covering())
        old = [each.piece.digest for each in thread.held]
        step = thread.add(found, Sent(turn, usage, rates, again=usage.output if usage and usage.output % 2 else None))
        now = [each.piece.digest for each in thread.held]
        sent += step.added
        for held in sent:  # an answer names all of them, also what was dropped
            thread.named(held.number)
        assert now == [each.digest for each in found.read()]
        assert now[: step.kept] == old[: step.kept]
        left = sorted([*old, *(each.piece.digest for each in step.added)])
        for each in step.dropped:
            left.remove(each.piece.digest)
        assert left == sorted(now)
        assert step.total == sum(each.tokens for each in thread.held) == sum(step.sums.values()) or not thread.held
        assert all(each.tokens >= 0 for each in thread.held)
        if usage is not None and usage.asked:
            paid += usage.cache_read * rates.read + usage.cache_creation * rates.write + usage.input * rates.input
            assert step.total == usage.asked
        before = found
    thread.settle()
    cost = sum(each.cost for each in (*thread.held, *thread.gone)) + thread.costs.unplaced
    assert cost == pytest.approx(paid, abs=1e-6)
    carried = sum(each.carried for each in (*thread.held, *thread.gone))
    assert carried >= sum(each.tokens for each in thread.held)


@given(runs(), st.data())
def test_a_piece_that_is_counted_has_its_own_tokens(run: list[tuple[bytes, Usage | None]], data: st.DataObject) -> None:
    """A provider that counts two tokens a letter and one a piece, and what it says of the cache is true."""
    thread, before = Thread(), None
    stored: list[tuple[bytes, ...]] = []  # what the cache has: all up to a mark of an earlier request
    for turn, (body, _) in enumerate(run, 1):
        found = anatomy(body, before)
        sizes = [1 + 2 * each.size for each in found.read()]
        digests = tuple(each.digest for each in found.read())
        marked = [at for at, each in enumerate(found.read(), 1) if each.mark]
        cached = sum(sizes[: marked[-1]]) if marked else 0
        held = [len(each) for each in stored if marked and len(each) <= marked[-1] and each == digests[: len(each)]]
        read = sum(sizes[: data.draw(st.sampled_from([0, *held]))])
        stored += [digests[:at] for at in marked]
        thread.add(found, Sent(turn, Usage(sum(sizes) - cached, 0, cached - read, read)))
        for piece, size in zip(thread.held, sizes, strict=True):
            assert not piece.exact or piece.tokens == size
        before = found


def test_a_long_conversation_is_read_in_the_time_of_what_is_new() -> None:
    """By the pieces that are made: as many as are new."""
    messages = [("user", "x" * 100, False)]
    before: Anatomy | None = None
    for _ in range(50):
        messages.append(("user", "y" * 100, False))
        found = anatomy(body_of(3, "s", messages, order=False), before)
        if before is not None:
            known = {id(part) for field in before.fields for part in field.parts}
            new = [part for field in found.fields for part in field.parts if id(part) not in known]
            assert len(new) <= 2
        before = found
