"""The wire format of Protocol Buffers, as in the examples of its documentation."""

from __future__ import annotations

import pytest

from agentsight_rx.view.exports.perfetto_packets import Field, Fixed64, message


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ((1, 150), "089601"),
        ((2, "testing"), "120774657374696e67"),
        ((1, 0), "0800"),
        ((1, -2), "08feffffffffffffffff01"),
        ((3, message((1, 150))), "1a03089601"),
        ((1, 1.0), "09000000000000f03f"),
        ((47, Fixed64(1)), "f9020100000000000000"),
        ((1, None), ""),
    ],
)
def test_a_field_is_its_bytes(field: Field, expected: str) -> None:
    assert message(field).hex() == expected


def test_a_text_with_half_a_character_can_be_written() -> None:
    assert message((1, "a\ud800")) == b"\x0a\x07a\\ud800"
