"""The name of a file in the configuration of the invoking user -> its path, under sudo of the person who ran it."""

from __future__ import annotations

import os
import pwd
from contextlib import suppress
from pathlib import Path

__all__ = ["own_file"]


def own_file(name: str, /) -> Path | None:
    """`~/.config/agentsight-rx/NAME`; None without a home."""
    uid = os.getuid()
    sudo = os.environ.get("SUDO_UID", "")
    if os.geteuid() == 0 and sudo.isdecimal():
        uid = int(sudo)
    is_ours = uid == os.getuid()
    base = os.environ.get("XDG_CONFIG_HOME", "") if is_ours else ""
    home = os.environ.get("HOME", "") if is_ours else ""
    if not base.startswith("/") and not home.startswith("/"):
        with suppress(KeyError):
            home = pwd.getpwuid(uid).pw_dir
    place = Path(base) if base.startswith("/") else Path(home) / ".config"
    return place / "agentsight-rx" / name if place.is_absolute() else None
