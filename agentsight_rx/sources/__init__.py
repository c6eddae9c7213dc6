"""
Where events come from: each source is a noun, a function of its options that returns a Stream.

Observables: `process`, `files`, `net`, `plain_http`, `readline`, `system`; in folders `tls`, `stdio`, `replay`, and `hooks`,
which sees the same events by breakpoints, without rights. `opened` opens those of a capture before its graph is made.
Your own: `own` makes Streams of readers, iterables, async iterables and lines.
Processes: `target` says which ones to watch, `running_agents` finds the agents of a machine, `containers` the processes of a
container. `proc` and `running` list the running processes, and `hold` keeps a recorded command in a control group.
Kernel: `kernel` compiles, keeps and loads BPF programs and reads their records; `bpf` has the programs in C.
Agents' own files: `transcripts`, in `session_files`, needs no rights.
Others: `names` explains names that no process had, and `own_folder` is the place of cached files.
"""

from typing import TYPE_CHECKING

from ..core.hub import Reader
from ..core.start import deferred
from .files import FileOptions, files
from .hooks.source import HookOptions, Tracing, hooks
from .net import NetOptions, net
from .own import from_async_iterable, from_events, from_lines, from_reader
from .plain_http import PlainHttpOptions, plain_http
from .process import ProcessOptions, process
from .readline import ReadlineOptions, readline
from .replay.own_lines import spooled
from .replay.source import ReplayOptions, replay
from .running_agents.choice import Choice, Roots
from .running_agents.finder import AgentOptions, agents
from .stdio.source import StdioOptions, stdio
from .system import SystemOptions, system
from .target import Target
from .tls.source import TlsOptions, tls

if TYPE_CHECKING:
    from .session_files.look import TranscriptsOptions
    from .session_files.source import transcripts

__all__ = [
    "AgentOptions",
    "Choice",
    "FileOptions",
    "HookOptions",
    "NetOptions",
    "PlainHttpOptions",
    "ProcessOptions",
    "Reader",
    "ReadlineOptions",
    "ReplayOptions",
    "Roots",
    "StdioOptions",
    "SystemOptions",
    "Target",
    "TlsOptions",
    "Tracing",
    "TranscriptsOptions",
    "agents",
    "files",
    "from_async_iterable",
    "from_events",
    "from_lines",
    "from_reader",
    "hooks",
    "net",
    "plain_http",
    "process",
    "readline",
    "replay",
    "spooled",
    "stdio",
    "system",
    "tls",
    "transcripts",
]

if not TYPE_CHECKING:  # parsers of sixteen agents
    __getattr__ = deferred(
        __name__,
        {".session_files.look": ("TranscriptsOptions",), ".session_files.source": ("transcripts",)},
        {},
    )
