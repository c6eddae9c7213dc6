"""The flags of standard streams -> the options of their source."""

from typing import Annotated, ClassVar

from msgspec.structs import replace

from ...core.errors import UsageError
from ...sources import StdioOptions, Target
from ..values import numbers_of
from .group import STDIO, Group, flag

__all__ = ["Stdio"]

_STANDARD = (0, 1, 2)


class Stdio(Group, frozen=True):
    """Which standard streams are read, and how much of them."""

    concerned: ClassVar[tuple[str, ...] | None] = ("stdio",)

    stdio_uid: Annotated[int | None, flag(STDIO, "--stdio-uid", "Stdio only of this user.", "UID", min=0)] = None
    stdio_fds: Annotated[str | None, flag(STDIO, "--stdio-fds", "Only these descriptors; without it 0,1,2.", "LIST")] = None
    stdio_all_fds: Annotated[bool, flag(STDIO, "--stdio-all-fds", "Every descriptor: MCP servers may move theirs.")] = False
    stdio_raw: Annotated[bool, flag(STDIO, "--stdio-raw", "Each read and write too, not only lines and MCP.")] = False
    stdio_tty: Annotated[bool, flag(STDIO, "--stdio-tty", "What is written to terminals too.")] = False
    stdio_max_bytes: Annotated[
        int, flag(STDIO, "--stdio-max-bytes", "Bytes to keep of one read or write.", "N", min=1, max=262_144)
    ] = 8192

    def options(self, target: Target) -> StdioOptions:
        """The options of the source. Raises UsageError."""
        return StdioOptions(
            target if self.stdio_uid is None else replace(target, uid=self.stdio_uid),
            fds=self._descriptors(),
            tty=self.stdio_tty,
            max_bytes=self.stdio_max_bytes,
        )

    def _descriptors(self) -> tuple[int, ...]:
        """Empty: all."""
        if self.stdio_all_fds and self.stdio_fds is not None:
            raise UsageError("--stdio-fds and --stdio-all-fds do not go together: give one of them")
        return () if self.stdio_all_fds else numbers_of(self.stdio_fds, "--stdio-fds") or _STANDARD
