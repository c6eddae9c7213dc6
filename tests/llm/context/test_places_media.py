"""The begin of an image in base64 -> its size; and what providers count for it."""

from __future__ import annotations

import base64
import struct

import pytest

from agentsight_rx.llm.context.places import image_tokens, pixels_of

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">II", 1200, 800)
GIF = b"GIF89a" + struct.pack("<HH", 40, 30)
JPEG = b"\xff\xd8\xff\xe0\x00\x10" + bytes(14) + b"\xff\xc2\x00\x11\x08" + struct.pack(">HH", 600, 900)
EXTENDED = b"RIFF\x00\x00\x00\x00WEBPVP8X" + bytes(8) + (639).to_bytes(3, "little") + (479).to_bytes(3, "little")
LOSSLESS = b"RIFF\x00\x00\x00\x00WEBPVP8L" + bytes(4) + b"\x2f" + (99 | 49 << 14).to_bytes(4, "little")
LOSSY = b"RIFF\x00\x00\x00\x00WEBPVP8 " + bytes(10) + struct.pack("<HH", 320, 200)


def base64_of(data: bytes) -> bytes:
    return base64.b64encode(data.ljust(64, b"\0"))


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (PNG, (1200, 800)),
        (GIF, (40, 30)),
        (JPEG, (900, 600)),
        (EXTENDED, (640, 480)),
        (LOSSLESS, (100, 50)),
        (LOSSY, (320, 200)),
        (b"%PDF-1.7", None),
        (PNG[:16] + bytes(8), None),
        (b"RIFF\x00\x00\x00\x00WEBPICCP", None),
        (b"\xff\xd8\xff\xe0\x00\x10", None),
    ],
)
def test_the_size_of_each_format(data: bytes, size: tuple[int, int] | None) -> None:
    text = base64_of(data)
    assert pixels_of(b'{"source":{"type":"base64","data": "' + text + b'"}}') == size
    assert pixels_of(b'{"image_url":{"url":"data:image/png;base64,' + text + b'"}}') == size
    assert pixels_of(b'"' + text + b'"') == size


def test_what_was_not_sent_along_has_no_size() -> None:
    assert pixels_of(b'{"source":{"type":"url","url":"https://example.com/a.png"}}') is None


@pytest.mark.parametrize(
    ("size", "dialect", "tokens"),
    [
        ((1000, 750), "anthropic", 1000),
        ((4000, 3000), "anthropic", 1600),
        ((300, 300), "gemini", 258),
        ((1000, 800), "gemini", 4 * 258),
        ((1024, 1024), "openai", 85 + 4 * 170),
        ((300, 200), "openai_responses", 255),
        ((300, 200), "ollama", None),
    ],
)
def test_what_providers_count(size: tuple[int, int], dialect: str, tokens: int | None) -> None:
    assert image_tokens(size, dialect) == tokens
