from __future__ import annotations

import msgspec
import pytest

from agentsight_rx.llm.resent import decoded

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


@pytest.mark.parametrize(("count", "expected"), [(249_000, True), (251_000, False)])
def test_a_body_of_far_too_many_values_is_not_decoded(count: int, expected: bool) -> None:
    """Each takes a hundred times the memory that it has bytes."""
    body = b"[" + b"{}," * count + b"{}]"
    values = msgspec.json.Decoder(list[dict[str, int]])
    assert (decoded(values, body) is not None) == expected
    assert (decoded(values, body.decode()) is not None) == expected


def test_a_very_long_body_is_decoded_but_not_repaired() -> None:
    text = "x" * (9 << 20)
    assert decoded(TEXTS, f'["{text}"]') == [text]
    assert decoded(TEXTS, f'["{text}", "'.encode() + b'\xff"]') is None
