"""
Where the user that we run as keeps things that are made once and used again: programs of the kernel, places of TLS functions.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

__all__ = ["own_folder"]

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
