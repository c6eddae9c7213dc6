"""Flags of trace, record and debug -> the options of the graph: which sources are on, and what each of them watches."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from ..errors import UsageError
from ..graphs import TraceOptions
from ..sources import (
    FileOptions,
    NetOptions,
    PlainHttpOptions,
    ProcessOptions,
    ReadlineOptions,
    StdioOptions,
    SystemOptions,
    Target,
    TlsOptions,
)
from ..sources.containers.references import is_reference, resolve_reference
from ..sources.tls.stacks.finding import Placement
from .values import numbers_of

__all__ = ["Listening", "descriptors_of"]

_STANDARD = (0, 1, 2)


def descriptors_of(text: str | None, *, every: bool) -> tuple[int, ...]:
    """The file descriptors that `--stdio-fds` and `--stdio-all-fds` choose; empty: all."""
    if every and text is not None:
        raise UsageError("--stdio-fds and --stdio-all-fds do not go together: give one of them")
    return () if every else numbers_of(text, "--stdio-fds") or _STANDARD


class Listening(Struct, frozen=True):
    """The sources that are on, and what each of them watches."""

    target: Target
    ssl: bool = False
    plain_http: bool = False
    process: bool = False
    files: bool = False
    net: bool = False
    stdio: bool = False
    system: bool = False
    mode: int | None = None
    shortest_ms: int | None = None
    ssl_uid: int | None = None
    stdio_uid: int | None = None
    ssl_http: bool = True
    ssl_raw_data: bool = False
    ssl_handshake: bool = False
    binaries: tuple[str, ...] = ()
    candidates: tuple[str, ...] = ()
    group: str = ""
    placement: Placement = "cheap"
    tls_filters: tuple[str, ...] = ()
    http_filters: tuple[str, ...] = ()
    compat_filters: bool = False
    remove_auth: bool = True
    stdio_fds: tuple[int, ...] = ()
    stdio_raw: bool = False
    stdio_tty: bool = False
    stdio_max_bytes: int = 8192
    system_interval: float = 2.0
    cpu_threshold: float | None = None
    memory_threshold: int | None = None

    def options(self) -> TraceOptions:
        """
        The options of the graph. Raises UsageError.

        Modes of the process source: 0 and 1 show the start and end of every process (in the control group, where one is
        given), 2 only of the chosen ones; mode 1 shows files and connections of the chosen ones only.
        """
        target = self._scope()
        if self.mode == 2 and target.everything:
            raise UsageError("mode 2 shows chosen processes only: choose some with --pid, --comm or --session")
        everyone = Target(uid=target.uid, cgroup=target.cgroup)
        seen = everyone if self.mode in (0, 1) else target
        touched = everyone if self.mode == 0 else target
        return TraceOptions(
            tls=self._tls(target) if self.ssl else None,
            plain_http=PlainHttpOptions(target) if self.plain_http else None,
            process=ProcessOptions(seen) if self.process else None,
            files=FileOptions(touched) if self.files else None,
            net=NetOptions(touched) if self.net else None,
            readline=ReadlineOptions(seen) if self.process else None,
            stdio=self._stdio(target) if self.stdio else None,
            system=self._system(target) if self.system else None,
            http=self.ssl_http,
            raw=self.ssl_raw_data,
            stdio_raw=self.stdio_raw,
            tls_filters=self.tls_filters,
            http_filters=self.http_filters,
            compat_filters=self.compat_filters,
            remove_auth=self.remove_auth,
            shortest_ms=self.shortest_ms,
        )

    def _scope(self) -> Target:
        """The target, with the containers among the binaries: their processes are watched besides, by every source."""
        containers = tuple(resolve_reference(each) for each in self.binaries if is_reference(each))
        return replace(self.target, containers=containers) if containers else self.target

    def _tls(self, target: Target) -> TlsOptions:
        target = target if self.ssl_uid is None else replace(target, uid=self.ssl_uid)
        return TlsOptions(
            target,
            self.binaries,
            self.candidates,
            handshakes=self.ssl_handshake,
            group=self.group,
            placement=self.placement,
        )

    def _stdio(self, target: Target) -> StdioOptions:
        if target.pid is None:
            raise UsageError("stdio capture currently requires --pid")
        target = target if self.stdio_uid is None else replace(target, uid=self.stdio_uid)
        return StdioOptions(target, self.stdio_max_bytes, self.stdio_fds, self.stdio_tty)

    def _system(self, target: Target) -> SystemOptions:
        return SystemOptions(target, self.system_interval, self.cpu_threshold, self.memory_threshold)
