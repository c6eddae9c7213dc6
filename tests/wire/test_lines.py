from __future__ import annotations

import pytest

from agentsight_rx.wire.lines import is_binary


@pytest.mark.parametrize(
    ("data", "binary"),
    [
        (b"hello\n", False),
        (b"\x1b[31mred\x1b[0m\a\b\r\n", False),
        ("é€😀".encode(), False),
        ("é".encode()[1:] + b"a", False),
        ("a€".encode()[:-1], False),
        (b"\0", True),
        (b"\x00\x00\x00\x1ehello", True),
        (b"caf\xe9 ol\xe9", True),
        (b"\x1f\x8b\x08", True),
        (b"x" * 5000 + b"\0", False),
    ],
)
def test_text_and_binary_are_distinguished(data: bytes, binary: bool) -> None:
    assert binary == is_binary(data)
