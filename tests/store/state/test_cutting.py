from __future__ import annotations

import json
from random import Random

from agentsight_rx.store.state.cutting import cut

WORDS = ["def", "feed", "self", "event", "return", "table", "of", "the", "kernel", "in", "order", "and", "none", "is", "lost"]


def text(random: Random, size: int) -> str:
    return " ".join(random.choice(WORDS) for _ in range(size // 5))


def body(turns: int, seed: int = 1) -> bytes:
    random = Random(seed)
    messages = [{"role": "user", "content": [{"type": "text", "text": text(random, 900)}]} for _ in range(turns)]
    tools = [{"name": f"tool_{number}", "description": text(Random(number), 400)} for number in range(20)]
    return json.dumps({"model": "m", "messages": messages, "tools": tools}).encode()


def new_bytes(content: bytes, *before: bytes) -> int:
    known = {piece for each in before for piece in cut(each)}
    return sum(len(piece) for piece in cut(content) if piece not in known)


def test_the_pieces_are_the_content() -> None:
    for content in (b"", b"x", body(7), b"\n" * 40_000, bytes(30_000), Random(1).randbytes(50_000)):
        assert content == b"".join(cut(content))
        assert all(0 < len(piece) <= 4096 for piece in cut(content))


def test_a_conversation_that_was_sent_again_costs_its_new_part() -> None:
    before, now = body(30), body(31)
    assert new_bytes(now, before) < 2 * (len(now) - len(before))


def test_behind_something_inserted_the_pieces_are_the_same_again() -> None:
    before = body(30)
    at = before.index(b'"role"', 9_000)
    assert new_bytes(before[:at] + b'"cache_control": {"type": "ephemeral"}, ' + before[at:], before) < 3_000


def test_a_long_text_without_any_structure_is_found_again() -> None:
    image = Random(1).randbytes(60_000).hex().encode()
    before, now = (b'{"messages": [%b{"data": "%b"}]}' % (b'{"role": "user"},' * turns, image) for turns in (40, 90))
    assert new_bytes(now, before) < 2 * 4096 + 1_000
