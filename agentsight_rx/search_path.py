"""The environment -> PATH of the person who started us, also where sudo did not keep it."""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Mapping
from itertools import chain
from pathlib import Path

__all__ = ["search_path"]

# Below a home directory; a * stands for versions, of which the newest comes first
_IN_HOME = (
    ".local/bin",
    "bin",
    ".nvm/versions/node/*/bin",
    ".local/share/fnm/node-versions/*/installation/bin",
    ".volta/tools/image/node/*/bin",
    ".volta/bin",
    ".local/share/mise/installs/*/*/bin",
    ".local/share/mise/shims",
    ".local/share/pnpm",
    ".asdf/shims",
    ".bun/bin",
    ".deno/bin",
    ".cargo/bin",
)


def search_path(env: Mapping[str, str], home: Path | None = None) -> str:
    """
    PATH of the invoking user: the one of `env` and, under sudo, which does not keep theirs, the usual directories in their
    home. `home` is by default looked up where `env` comes from sudo.
    """
    home = home or _home_behind_sudo(env)
    own = env.get("PATH", os.defpath)
    if home is None:
        return own
    more = chain.from_iterable(sorted(home.glob(pattern), key=_version, reverse=True) for pattern in _IN_HOME)
    return ":".join([own, *map(str, more), "/snap/bin"])


def _home_behind_sudo(env: Mapping[str, str]) -> Path | None:
    uid = env.get("SUDO_UID", "")
    if os.geteuid() != 0 or not uid.isdecimal():
        return None
    try:
        return Path(pwd.getpwuid(int(uid)).pw_dir)
    except (KeyError, OverflowError):
        return None


def _version(directory: Path) -> list[int]:
    """A sort key: v9.0 comes before v20.0."""
    return [int(number) for number in re.findall(r"\d+", str(directory))]
