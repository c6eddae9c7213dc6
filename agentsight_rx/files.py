"""Files for captured data: readable by their owner only."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["create_private"]


def create_private(path: Path, owner: tuple[int, int] | None = None) -> int:
    """Create or truncate `path` with mode 0600, owned by `owner` (uid, gid) if given; returns the open file descriptor."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    os.fchmod(fd, 0o600)
    if owner is not None:
        os.fchown(fd, *owner)
    return fd
