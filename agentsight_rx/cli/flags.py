"""The flags of trace, record and debug -> what is listened to and where it goes."""

from __future__ import annotations

import re
from pathlib import Path

from msgspec import Struct

from .. import sinks
from ..errors import UsageError
from ..graphs import TraceOptions
from ..launch import invoking_user
from ..sink import Sink
from ..sinks import OtelOptions
from ..sources import (
    FileOptions,
    NetOptions,
    ProcessOptions,
    ReadlineOptions,
    StdioOptions,
    SystemOptions,
    Target,
    TlsOptions,
)
from ..sources.containers.references import is_reference, resolve_reference
from ..web import WebOptions, web

__all__ = ["Destinations", "Listening", "comms_of", "numbers_of", "seconds_of"]

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)?")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class Listening(Struct, frozen=True):
    """Which sources are on, and what each is told."""

    target: Target
    ssl: bool = False
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
    tls_filters: tuple[str, ...] = ()
    http_filters: tuple[str, ...] = ()
    compat_filters: bool = False
    remove_auth: bool = True
    stdio_fds: tuple[int, ...] = ()
    stdio_tty: bool = False
    stdio_max_bytes: int = 8192
    system_interval: float = 2.0
    cpu_threshold: float | None = None
    memory_threshold: int | None = None

    def options(self) -> TraceOptions:
        """
        The options of the graph. Raises UsageError.

        Modes of the process source: 0 and 1 see every process start and end (of the control group, where one is given), 2
        only the chosen ones; in mode 1 files and connections are those of the chosen ones.
        """
        target = self._scope()
        if self.mode == 2 and target.everything:
            raise UsageError("mode 2 shows chosen processes only: choose some by --pid, --comm or --session")
        everyone = Target(uid=target.uid, cgroup=target.cgroup)
        seen = everyone if self.mode in (0, 1) else target
        touched = everyone if self.mode == 0 else target
        return TraceOptions(
            tls=self._tls() if self.ssl else None,
            process=ProcessOptions(seen) if self.process else None,
            files=FileOptions(touched) if self.files else None,
            net=NetOptions(touched) if self.net else None,
            readline=ReadlineOptions(seen) if self.process else None,
            stdio=self._stdio() if self.stdio else None,
            system=self._system() if self.system else None,
            http=self.ssl_http,
            raw=self.ssl_raw_data,
            tls_filters=self.tls_filters,
            http_filters=self.http_filters,
            compat_filters=self.compat_filters,
            remove_auth=self.remove_auth,
            shortest_ms=self.shortest_ms,
        )

    def _scope(self) -> Target:
        """A container that is named instead of a process is the choice for every source."""
        named = next((each for each in self.binaries if is_reference(each)), None)
        if named is None or not self.target.everything:
            return self.target
        target = self.target
        return Target(resolve_reference(named).init_pid, (), None, target.uid, target.children, target.cgroup)

    def _tls(self) -> TlsOptions:
        target = self.target if self.ssl_uid is None else _of_user(self.target, self.ssl_uid)
        return TlsOptions(target, self.binaries, self.candidates, self.ssl_handshake)

    def _stdio(self) -> StdioOptions:
        if self.target.pid is None:
            raise UsageError("stdio capture currently requires --pid")
        target = self.target if self.stdio_uid is None else _of_user(self.target, self.stdio_uid)
        return StdioOptions(target, self.stdio_max_bytes, self.stdio_fds, self.stdio_tty)

    def _system(self) -> SystemOptions:
        return SystemOptions(self.target, self.system_interval, self.cpu_threshold, self.memory_threshold)


def _of_user(target: Target, uid: int) -> Target:
    return Target(target.pid, target.comms, target.session, uid, target.children, target.cgroup)


class Destinations(Struct, frozen=True):
    """Where events and rows go."""

    quiet: bool = False
    db: Path | None = None
    jsonl: Path | None = None
    otel: bool = False
    otel_endpoint: str | None = None
    otel_capture_content: bool = False
    server: bool = False
    listen: str = "127.0.0.1"
    server_port: int = 7395
    allow_remote: bool = False

    def sinks(self, key: bytes | None) -> list[Sink]:
        """`key`: of the labels that stand for secrets in what is written."""
        owner = invoking_user()
        chosen: list[Sink] = [] if self.quiet else [sinks.console()]
        if self.db is not None:
            chosen.append(sinks.store(self.db, owner=owner, key=key))
        if self.jsonl is not None:
            chosen.append(sinks.jsonl(self.jsonl, owner=owner))
        if self.otel or self.otel_endpoint:
            chosen.append(sinks.otel(OtelOptions(self.otel_endpoint, capture_content=self.otel_capture_content)))
        if self.server:
            chosen.append(web(WebOptions(self.listen, self.server_port, self.allow_remote)))
        return chosen


def comms_of(text: str | None) -> tuple[str, ...]:
    """A comma list of names. Raises UsageError where it holds nothing."""
    if text is None:
        return ()
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise UsageError(f"--comm {text!r} names no process; give one or more names, separated by commas")
    return names


def numbers_of(text: str | None, flag: str) -> tuple[int, ...]:
    """A comma list of numbers."""
    parts = [part.strip() for part in (text or "").split(",") if part.strip()]
    if not all(part.isdigit() for part in parts):
        raise UsageError(f"{flag} {text!r}: numbers separated by commas are expected, such as 0,1,2")
    return tuple(int(part) for part in parts)


def seconds_of(text: str | None, flag: str) -> float | None:
    """A duration such as 10s, 1.5m, 500ms, or 10 for seconds."""
    if text is None:
        return None
    found = _DURATION.fullmatch(text.strip())
    if found is None or float(found[1]) == 0:
        raise UsageError(f"{flag} {text!r}: a duration is expected, such as 10s, 500ms or 2m")
    return float(found[1]) * _UNITS[found[2] or "s"]
