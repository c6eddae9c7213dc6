"""The pictures of the README: those that it shows are there, of the size that the test makes them, and small."""

from __future__ import annotations

import re
import struct
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "pictures"
SIZES = {"task.png": (1280, 1130), "serve.png": (1280, 860), "context.png": (1280, 1160)}  # pixels
BYTES_MOST = 200_000
SHOWN = re.findall(r"!\[[^\]]+\]\(docs/pictures/([^)]+)\)", (ROOT / "README.md").read_text())


def test_the_readme_shows_what_a_task_was_and_where_its_time_went() -> None:
    assert [*SIZES] == SHOWN
    assert sorted(SIZES) == sorted(path.name for path in FOLDER.iterdir())


def test_each_picture_has_the_size_of_the_page_and_is_small() -> None:
    for name in SHOWN:
        content = (FOLDER / name).read_bytes()
        assert b"\x89PNG\r\n\x1a\n" == content[:8], name
        assert SIZES[name] == struct.unpack(">II", content[16:24]), name
        assert len(content) < BYTES_MOST, name
