"""What these tests share: files that look like programs and scripts."""

from __future__ import annotations

import os
from pathlib import Path

TRUE = Path(os.path.realpath("/bin/true"))


def make_program(path: Path, *, trailing: bytes = b"") -> str:
    """Machine code for this machine, with some bytes after it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(TRUE.read_bytes() + trailing)
    path.chmod(0o755)
    return str(path)


def make_script(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return str(path)
