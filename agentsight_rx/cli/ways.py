"""How a command is seen: by the kernel, or by breakpoints in its processes where the kernel refuses this user."""

from __future__ import annotations

from collections.abc import Collection, Generator
from contextlib import contextmanager

from ..errors import CaptureError, Unavailable, UsageError
from ..inputs import HOOKED, SourceOptions
from ..say import program, say
from ..sources.hooks.source import HookOptions, Tracing, why_not
from ..sources.kernel.features import require_kernel

__all__ = ["WAYS", "hooks_of", "tracing", "way_of"]

WAYS = ("auto", "kernel", "hooks")


def way_of(text: str) -> str:
    """Raises UsageError."""
    if text not in WAYS:
        raise UsageError(f"--by {text!r} is not a way to see a command: use {', '.join(WAYS)}")
    return text


@contextmanager
def tracing(by: str, required: Collection[str] = ()) -> Generator[Tracing | None]:
    """
    What follows a command that is forked inside of this block; None where the kernel shows it. Raises Unavailable where neither
    way works here, CaptureError where a `required` source is not seen in this way.
    """
    refused = _kernel_refuses() if by != "hooks" else ""
    if by == "kernel" and refused:
        raise Unavailable(refused)
    if by != "hooks" and not refused:
        yield None
        return
    if why := why_not():
        first = f"{refused}. " if refused else ""
        raise Unavailable(
            f"{first}Without the kernel: {why}. `{program()} demo` shows a recording, and `{program()} doctor` why"
        )
    unseen = sorted({each for each in required if each not in (*HOOKED, "all")} | ({"stdio"} if "all" in required else set()))
    if unseen:
        raise CaptureError(f"--require {unseen[0]}: only the kernel shows it; {refused or 'leave out --by hooks'}")
    say(f"by breakpoints in the processes of this user{f', since {refused}' if refused else ''}")
    made = Tracing()
    try:
        yield made
    finally:
        made.close()


def _kernel_refuses() -> str:
    """Why nothing can be captured by the kernel; "" where it can."""
    try:
        require_kernel()
    except Unavailable as error:
        return str(error)
    return ""


def hooks_of(options: SourceOptions, pid: int, *, held: bool) -> HookOptions:
    """What is followed, for the sources that are on."""
    return HookOptions(pid, tuple(name for name in HOOKED if getattr(options, name) is not None), held=held)
