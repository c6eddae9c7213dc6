"""The flags of sources -> their options: TLS, stdio, figures of the system."""

from typing import Annotated, ClassVar

from msgspec.structs import replace

from ...core.errors import UsageError
from ...sources import StdioOptions, SystemOptions, Target, TlsOptions
from ...sources.containers.references import is_reference, resolve_reference
from ..values import numbers_of, placement_of
from .group import STDIO, SYSTEM, TLS, Group, Of, flag

# -- stdio ---------------------------------------------------------------------------------------------------------
# The flags of standard streams -> the options of their source.


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


# -- system --------------------------------------------------------------------------------------------------------
# The flags of processor and memory use -> the options of their source.


class System(Group, frozen=True):
    """How often processor and memory use are measured, and from where on they are an alert."""

    concerned: ClassVar[tuple[str, ...] | None] = ("system",)

    system_interval: Annotated[float, flag(SYSTEM, "--system-interval", "Seconds between samples.", "S")] = 2.0
    cpu_threshold: Annotated[float | None, flag(SYSTEM, "--cpu-threshold", "Alert from so much CPU on.", "PERCENT")] = None
    memory_threshold: Annotated[int | None, flag(SYSTEM, "--memory-threshold", "Alert from so much memory on.", "MB")] = None

    def options(self, target: Target) -> SystemOptions:
        """The options of the source."""
        return SystemOptions(target, self.system_interval, self.cpu_threshold, self.memory_threshold)


# ------------------------------------------------------------------------------------------------------------------------


_HTTP = Of("ssl", "plain_http")


class Tls(Group, frozen=True):
    """How TLS is read, and in which files."""

    concerned: ClassVar[tuple[str, ...] | None] = ("ssl",)

    ssl_uid: Annotated[int | None, flag(TLS, "--ssl-uid", "TLS only of this user.", "UID", min=0)] = None
    ssl_http: Annotated[bool, flag(TLS, "--ssl-http/--no-ssl-http", "Parse HTTP; without it, TLS records."), _HTTP] = True
    ssl_raw_data: Annotated[bool, flag(TLS, "--ssl-raw-data", "TLS records too, not only HTTP."), _HTTP] = False
    ssl_handshake: Annotated[bool, flag(TLS, "--ssl-handshake", "TLS handshakes too.")] = False
    binary_path: Annotated[
        list[str] | None, flag(TLS, "--binary-path", "This file, docker://NAME, k8s://POD; repeatable.", "PATH")
    ] = None
    probe_placement: Annotated[str, flag(TLS, "--probe-placement", "cheap; or entry: where functions begin.", "WHERE")] = (
        "cheap"
    )

    def widened(self, target: Target) -> Target:
        """The target, with the containers among the binaries: their processes are watched besides, by every source."""
        containers = tuple(resolve_reference(each) for each in self.binary_path or () if is_reference(each))
        return replace(target, containers=containers) if containers else target

    def options(self, target: Target) -> TlsOptions:
        """The options of the source. Raises UsageError."""
        return TlsOptions(
            target if self.ssl_uid is None else replace(target, uid=self.ssl_uid),
            tuple(self.binary_path or ()),
            handshakes=self.ssl_handshake,
            placement=placement_of(self.probe_placement),
        )
