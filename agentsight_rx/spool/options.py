"""Where segments go and when they are cut; and the name of this machine among others."""

from __future__ import annotations

import platform
import re
from pathlib import Path

from msgspec import Struct

__all__ = ["SpoolOptions", "host_of_machine"]


class SpoolOptions(Struct, frozen=True):
    """
    Where segments go and when they are cut: after `seconds`, or `size` bytes before they are compressed. `host` is the name of
    this machine in all that is made of them.
    """

    folder: str
    host: str
    parts: int = 1
    seconds: float = 60.0
    size: int = 64 << 20
    redacted: bool = True


def host_of_machine() -> str:
    """The name of this machine, with what makes it the only one of that name where that is known."""
    name = re.sub(r"[^A-Za-z0-9._-]", "-", platform.node()).strip(".-_")[:48] or "host"
    try:
        machine = Path("/etc/machine-id").read_text().strip()
    except OSError:
        machine = ""
    return f"{name}-{machine[:8]}" if re.fullmatch(r"[0-9a-f]{32}", machine) else name
