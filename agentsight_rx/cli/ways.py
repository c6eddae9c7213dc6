"""How processes are seen: by the kernel, or by breakpoints in them where the kernel refuses this user."""

from __future__ import annotations

from collections.abc import Collection, Generator
from contextlib import contextmanager

from msgspec import Struct

from ..core.errors import CaptureError, Unavailable, UsageError
from ..core.messages import program, say
from ..sources import HookOptions, Tracing
from ..sources.hooks.source import why_not
from ..sources.kernel.features import require_kernel
from ..sources.kernel.rights import own_rights
from ..sources.opened import HOOKED, Inputs, SourceOptions, hooked, inputs, launched

__all__ = ["Way", "way_to_see"]

_WAYS = ("auto", "kernel", "hooks")


class Way(Struct, frozen=True):
    """`tracing` follows processes, where the kernel does not show them."""

    tracing: Tracing | None = None

    def inputs(self, options: SourceOptions, pid: int | None, *, held: bool = False) -> Inputs:
        """The sources of a graph. `held`: the process is a command of ours that has not begun."""
        if self.tracing is None or pid is None:
            return inputs(launched(options) if held else options)
        kinds = tuple(name for name in HOOKED if getattr(options, name) is not None)
        return hooked(options, HookOptions(pid, kinds, held=held), self.tracing)

    def needed(self, required: Collection[str]) -> Collection[str]:
        """The sources without which nothing starts."""
        return required if self.tracing is None else {*required, "hooks"}


@contextmanager
def way_to_see(by: str, required: Collection[str] = ()) -> Generator[Way]:
    """
    The way for a process that is forked inside of this block, or runs. Raises UsageError for a wrong word, Unavailable where no
    way works here, CaptureError where this way does not show a `required` source.
    """
    if by not in _WAYS:
        raise UsageError(f"--by {by!r} is not a way to see processes: use {', '.join(_WAYS)}")
    refused = ""
    if by != "hooks":
        try:
            require_kernel()
        except Unavailable as error:
            refused = str(error)
            if by == "kernel":
                raise
    if by != "hooks" and not refused:
        yield Way()
        return
    if why := why_not():
        first = f"{refused}. Without the kernel: {why}" if refused else why
        raise Unavailable(f"{first}. `{program()} demo` shows a recording, and `{program()} doctor` each way")
    only = _lacking() or refused
    unseen = sorted({*required} - {*HOOKED, "all", "system"} | ({"stdio"} if "all" in required else set[str]()))
    if unseen:
        raise CaptureError(
            f"--require {unseen[0]}: only the kernel shows it{f', and {only}' if refused else ': leave out --by hooks'}"
        )
    say(f"seen by breakpoints in the processes of this user{f': for the kernel {only}' if refused else ''}")
    tracing = Tracing()
    try:
        yield Way(tracing)
    finally:
        tracing.close()


def _lacking() -> str:
    lacking = own_rights().lacking("program")
    return f"{' and '.join(lacking)} {'is' if len(lacking) == 1 else 'are'} missing" if lacking else ""
