"""agentsight-rx doctor: what this machine can capture, and why not."""

from __future__ import annotations

from rich.console import Console

from ..doctor import checks, render

__all__ = ["doctor"]


def doctor() -> int:
    """Show what can be captured here, what cannot, and what to do about it; exits with 1 if no capture is possible."""
    found = checks()
    Console(highlight=False).print(render(found))
    return 0 if all(check.ok for check in found if check.needed_for == "every capture") else 1
