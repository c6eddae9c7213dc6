"""The pictures of the README: those that it shows are there, of the size that the test makes them, and small."""

from __future__ import annotations

import re
import struct
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "pictures"
SIZE = (1280, 860)  # pixels
BYTES_MOST = 200_000
SHOWN = re.findall(r"!\[[^\]]+\]\(docs/pictures/([^)]+)\)", (ROOT / "README.md").read_text())


def test_the_readme_shows_the_page_live_and_served() -> None:
    assert ["live.png", "serve.png"] == SHOWN


def test_each_picture_has_the_size_of_the_page_and_is_small() -> None:
    for name in SHOWN:
        content = (FOLDER / name).read_bytes()
        assert b"\x89PNG\r\n\x1a\n" == content[:8], name
        assert SIZE == struct.unpack(">II", content[16:24]), name
        assert len(content) < BYTES_MOST, name
