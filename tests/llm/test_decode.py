from __future__ import annotations

import msgspec
import pytest

from agentsight_rx.llm.decode import decoded

TEXTS = msgspec.json.Decoder(list[str])


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (rb'["\ud83d\ude00"]', ["😀"]),
        (rb'["\ud83d", "ok"]', ["�", "ok"]),
        (rb'["a\ude00\ud83d\ud83d\ude00"]', ["a��😀"]),
        (rb'["\ud83d", "\\ud83d", "\n\u00e9"]', ["�", r"\ud83d", "\né"]),
        (b'["a\xffb"]', ["a�b"]),
        (rb'["\ud83d"', None),
        (rb'["\ud83', None),
        (b"[1]", None),
        (b"[" * 100_000, None),
    ],
)
def test_one_invalid_character_does_not_invalidate_a_body(body: bytes, expected: list[str] | None) -> None:
    assert decoded(TEXTS, body) == expected
