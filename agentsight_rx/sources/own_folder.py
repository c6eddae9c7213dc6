"""
Where the user that we run as keeps things that are made once and used again: programs of the kernel, places of TLS functions.
"""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from ..core.files import create_new

_NAME = "agentsight-rx"


def own_folder() -> Path | None:
    """
    In the cache directory of the effective user. Under sudo that is root's: who can write to it chooses what runs in the
    kernel, and where programs of other users are probed.
    """
    ours: Mapping[str, str] = {} if "SUDO_UID" in os.environ else os.environ
    if base := ours.get("XDG_CACHE_HOME"):
        return Path(base) / _NAME
    home = ours.get("HOME", "")
    if not home.startswith("/"):
        with suppress(KeyError):  # a user of a container may have no entry
            home = pwd.getpwuid(os.geteuid()).pw_dir
    return Path(home) / ".cache" / _NAME if home.startswith("/") else None


def read_own(path: Path, size_most: int, /) -> bytes | None:
    """The content of a file in it; None where there is none, and of one that another user can write or that is too large."""
    with suppress(OSError):
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(fd, "rb") as file:
            seen = os.fstat(fd)
            ours = stat.S_ISREG(seen.st_mode) and seen.st_uid == os.geteuid() and not seen.st_mode & 0o022
            if ours and seen.st_size <= size_most:
                return file.read(size_most)
    return None


def replace_own(path: Path, content: bytes, /) -> None:
    """Replace the file at once: another process reads the old one or the new one. Without a place for it, do nothing."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    with suppress(OSError):
        path.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
        fresh.unlink(missing_ok=True)
        with os.fdopen(create_new(fresh), "wb") as file:
            file.write(content)
        fresh.replace(path)
