"""The flags that choose sources, and the processes that these watch -> the sources of a graph."""

from typing import TYPE_CHECKING, Annotated

from msgspec.structs import asdict

from ...core.errors import UsageError
from ...sources import AgentOptions, FileOptions, NetOptions, PlainHttpOptions, ProcessOptions, ReadlineOptions, Target
from ...sources.opened import SourceOptions
from ..values import comms_of, required_of
from .group import WATCH, Group, Of, flag
from .sources import Stdio, System, Tls

if TYPE_CHECKING:
    from ...core.stream import Stream
    from ...events import Event
    from ...graphs import TraceOptions


_ALONE = Of()  # a command of one source has no flag for it


class Watch(Group, frozen=True):
    """The sources that are on, and the processes that they watch."""

    ssl: Annotated[bool, flag(WATCH, "--ssl", "Plaintext of TLS, and the HTTP in it."), _ALONE] = False
    plain_http: Annotated[bool, flag(WATCH, "--plain-http", "HTTP without TLS, of clients and servers."), _ALONE] = False
    process: Annotated[bool, flag(WATCH, "--process", "Processes: start, program, end; lines typed in bash."), _ALONE] = False
    stdio: Annotated[bool, flag(WATCH, "--stdio", "Standard streams, and the JSON-RPC in them (MCP)."), _ALONE] = False
    system: Annotated[bool, flag(WATCH, "--system", "Processor and memory use."), _ALONE] = False
    files: Annotated[bool, flag(WATCH, "--files", "Files opened, written, renamed and removed."), _ALONE] = False
    net: Annotated[bool, flag(WATCH, "--net", "Connections, and whether they succeeded."), _ALONE] = False
    pid: Annotated[int | None, flag(WATCH, "-p --pid", "This process and its descendants.", "PID", min=1)] = None
    comm: Annotated[str | None, flag(WATCH, "-c --comm", "Processes of exactly these names (comma list).", "NAMES")] = None
    session: Annotated[int | None, flag(WATCH, "--session", "Processes of this session.", "SID", min=0)] = None
    cgroup: Annotated[str | None, flag(WATCH, "--cgroup", "Only in this control group (v2) or below.", "PATH")] = None
    uid: Annotated[int | None, flag(WATCH, "--uid", "Only of this user.", "UID", min=0)] = None
    children: Annotated[bool, flag(WATCH, "--children/--no-children", "Descendants too.")] = True
    source: Annotated[
        list[str] | None, flag(WATCH, "--source", "Source of another package; repeatable.", "NAME[=TEXT]"), _ALONE
    ] = None
    by: Annotated[str, flag(WATCH, "--by", "kernel, hooks (needs no rights), or auto.", "WAY")] = "auto"
    require: Annotated[list[str] | None, flag(WATCH, "--require", "Do not start without this source (or all).", "SOURCE")] = (
        None
    )
    mode: Annotated[
        int | None,
        flag(WATCH, "--mode", "0: all; 1: all, files and net of chosen; 2: chosen.", "0|1|2", min=0, max=2),
        Of("process"),
    ] = None
    duration: Annotated[
        int | None, flag(WATCH, "--duration", "Only ends of processes that ran this long.", "MS", min=0), Of("process")
    ] = None

    def target(self) -> Target:
        """The processes that the flags choose."""
        return Target(
            self.pid,
            comms_of(self.comm),
            session=self.session,
            uid=self.uid,
            children=self.children,
            cgroup=self.cgroup,
        )

    def required(self) -> frozenset[str]:
        """The sources without which nothing starts."""
        return required_of(self.require)

    def sources(self, tls: Tls, stdio: Stdio, system: System, agents: AgentOptions | None = None) -> SourceOptions:
        """
        The sources of a graph; with `agents`, of the agents that it finds. Raises UsageError.

        Modes of the process source: 0 and 1 show the start and end of every process (in the control group, where one is
        given), 2 only of the chosen ones; mode 1 shows files and connections of the chosen ones only.
        """
        target = tls.widened(self.target()) if agents is None else Target(roots=agents.roots)
        of_tls, of_stdio = tls.options(target), stdio.options(target)  # a wrong flag is an error also where its source is off
        if self.mode == 2 and target.everything:
            raise UsageError("mode 2 shows chosen processes only: choose some with --pid, --comm or --session")
        if self.stdio and target.pid is None and agents is None:
            raise UsageError("stdio capture currently requires --pid")
        everyone = Target(uid=target.uid, cgroup=target.cgroup)
        seen = everyone if self.mode in (0, 1) else target
        touched = everyone if self.mode == 0 else target
        return SourceOptions(
            agents=agents,
            tls=of_tls if self.ssl else None,
            plain_http=PlainHttpOptions(target) if self.plain_http else None,
            process=ProcessOptions(seen) if self.process else None,
            files=FileOptions(touched) if self.files else None,
            net=NetOptions(touched) if self.net else None,
            readline=ReadlineOptions(seen) if self.process else None,
            stdio=of_stdio if self.stdio else None,
            system=system.options(target) if self.system else None,
        )

    def options(self, tls: Tls, stdio: Stdio, system: System, agents: AgentOptions | None = None) -> "TraceOptions":
        """A graph of them. Raises UsageError."""
        chosen = self.sources(tls, stdio, system, agents)
        from ...graphs import TraceOptions

        return TraceOptions(
            **asdict(chosen),
            http=tls.ssl_http,
            raw=tls.ssl_raw_data,
            stdio_raw=stdio.stdio_raw,
            shortest_ms=self.duration,
            sources=tuple(map(_plugin_source, self.source or ())),
        )


def _plugin_source(text: str) -> "Stream[Event]":
    from ...runtime import plugins

    return plugins.source(text)
