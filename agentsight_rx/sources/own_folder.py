"""Where the user that we run as keeps what is made once and used again: programs of the kernel, places of TLS functions."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

__all__ = ["own_folder"]

_NAME = "agentsight-rx"


def own_folder() -> Path | None:
    """
    In the cache directory of the effective user. Under sudo that is root's: who can write to it chooses what runs in the
    kernel, and where programs of other users are probed.
    """
    base = os.environ.get("XDG_CACHE_HOME") if "SUDO_UID" not in os.environ else None
    try:
        home = Path(base) if base else Path(pwd.getpwuid(os.geteuid()).pw_dir) / ".cache"
    except KeyError:
        return None
    return home / _NAME
