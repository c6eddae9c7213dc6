"""Where segments go and when they are cut; and the name of this machine among others."""

from __future__ import annotations

import platform
import re
from pathlib import Path
from typing import Annotated

from ...core.options import Fits, Options, above, between
from .folder import HOST

__all__ = ["SpoolOptions", "host_of_machine"]

_PARTS_MOST = 256


class SpoolOptions(Options, frozen=True):
    """
    Where segments go and when they are cut: after `seconds`, or `size` bytes before they are compressed. `host` is the name of
    this machine in all that is made of them.
    """

    folder: str
    host: Annotated[str, Fits(HOST.fullmatch, "of up to 64 letters, digits, '.', '_' and '-'")]
    parts: Annotated[int, between(1, _PARTS_MOST)] = 1
    seconds: Annotated[float, above(0)] = 60.0
    size: Annotated[int, above(0)] = 64 << 20
    redacted: bool = True


def host_of_machine() -> str:
    """The name of this machine, with what makes it the only one of that name where that is known."""
    name = re.sub(r"[^A-Za-z0-9._-]", "-", platform.node()).strip(".-_")[:48] or "host"
    try:
        machine = Path("/etc/machine-id").read_text().strip()
    except OSError:
        machine = ""
    return f"{name}-{machine[:8]}" if re.fullmatch(r"[0-9a-f]{32}", machine) else name
