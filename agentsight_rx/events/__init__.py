"""
The typed events: what the kernel saw and what it means. Frozen, one kind a meaning, bytes stay bytes.

Longer than 300 lines because all kinds of events are read together, and one union names them.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Literal, TypeAlias

from msgspec import Struct

from .loss import Reason
from .tokens import Usage

__all__ = [
    "EMULATED",
    "NO_CODE",
    "NO_FILES",
    "NO_HTTP",
    "PLAIN",
    "SEARCHED",
    "UNOPENED",
    "AnswerPiece",
    "AnswerProgress",
    "BlindSpot",
    "BodyPart",
    "Channel",
    "Connection",
    "Direction",
    "EntryKind",
    "Event",
    "FileEvent",
    "HostsKnown",
    "HttpEvent",
    "HttpRequest",
    "HttpResponse",
    "Loss",
    "NetEvent",
    "Origin",
    "ProcessEvent",
    "ProcessExec",
    "ProcessExit",
    "ProcessFork",
    "ProcessSeen",
    "Readline",
    "Reply",
    "RpcMessage",
    "RulesLoaded",
    "SessionEntry",
    "SseEvent",
    "SseMessage",
    "StdioChunk",
    "StdioClose",
    "StdioEvent",
    "SystemEvent",
    "SystemSample",
    "SystemWide",
    "TcpTraffic",
    "Tick",
    "TlsChunk",
    "TlsClose",
    "TlsEvent",
    "TlsHandshake",
    "TlsOpen",
    "TlsUse",
    "ToolCall",
    "UnreadTls",
    "Usage",
    "WebSocketKind",
    "WebSocketMessage",
    "Witness",
    "milliseconds",
    "moment_of",
    "time_of",
]

Direction: TypeAlias = Literal["in", "out"]  # seen from the process: "out" is what it wrote

PLAIN = "TCP"  # the `library` of a connection without TLS


class Connection(Struct, frozen=True, gc=False, cache_hash=True):
    """
    One TLS connection of one process, or one TCP connection without TLS, of the process that used it first: (pid, process
    start, library, handle) is unique while it lives.
    """

    pid: int
    start_ns: int  # start of the process, nanoseconds of CLOCK_BOOTTIME
    library: str  # path of the TLS library or program that was probed; PLAIN: there is none
    handle: int  # address of the SSL object; without TLS a number of the capture

    @property
    def plain(self) -> bool:
        """True without TLS."""
        return self.library == PLAIN

    @property
    def id(self) -> str:
        """A short text that names this connection in rows and exports."""
        return f"{self.pid}-{self.start_ns:x}-{self.handle:x}"


class Origin(Struct, frozen=True, gc=False):
    """Where and when an event happened. `time_ns` is CLOCK_MONOTONIC, as the kernel stamped it."""

    time_ns: int
    pid: int
    tid: int = 0
    uid: int = 0
    comm: str = ""
    wall_ns: int = 0  # Unix time in ns, set once by normalize(); 0 = not yet
    connection: Connection | None = None
    direction: Direction | None = None


class TlsChunk(Struct, frozen=True, gc=False, tag="tls_chunk"):
    """
    Plaintext of one TLS read or write, or a part of a long one.

    `offset` is the position of its first byte in all that this direction of the connection carried, `seq` its number there:
    a hole in either is a loss on this connection. `lost` bytes behind `data` were not captured. A `marked` chunk was dropped
    by a filter: it still takes part in reassembly, and goes no further by itself.
    """

    origin: Origin
    data: bytes
    offset: int
    seq: int
    lost: int = 0
    latency_ns: int = 0
    marked: bool = False


class TlsHandshake(Struct, frozen=True, gc=False, tag="tls_handshake"):
    """A handshake that succeeded, and how long the call took."""

    origin: Origin
    latency_ns: int = 0


class TlsClose(Struct, frozen=True, gc=False, tag="tls_close"):
    """
    The connection object, or the socket below it, is gone. The offsets say how many bytes each direction carried at least; -1:
    its process is gone.
    """

    origin: Origin
    in_offset: int = -1
    out_offset: int = -1


class TlsOpen(Struct, frozen=True, gc=False, tag="tls_open"):
    """
    A process uses a TLS object: what it carries is read. The `first` one comes before any byte, if the object is seen so early.
    The next one says which TCP connection is below it, by its two ends: `sure` where bytes came from there while the object was
    read, else they came from there just before. Each later one replaces it.
    """

    origin: Origin
    first: bool = True
    local_port: int = 0  # 0: it is not known after all; -1: the process did not open this connection while it was watched
    port: int = 0  # of the peer
    sure: bool = True
    local: str = ""  # address:port of this end; "": not known
    peer: str = ""
    since_ns: int = 0  # when the first bytes of this connection came; 0: not before this event


class TcpTraffic(Struct, frozen=True, gc=False, tag="tcp_traffic"):
    """
    Bytes that a watched process has written to a TCP connection and read from it, each once. It comes at the end of the
    connection or of the capture, and earlier where no plaintext of the process was seen. `number` is one for each connection of
    a run. `judged`: by `find_blind_spots`.
    """

    origin: Origin
    start_ns: int  # of the process
    number: int
    peer: str
    port: int
    sent: int
    received: int
    ended: bool = True
    judged: bool = False
    local_port: int = 0  # 0: not known


SEARCHED = "TLS code that was still being searched for"  # as `looks_like` of a file that is read from then on
# Why no file of a process looks like TLS code
NO_CODE = "no known TLS code"
NO_HTTP = "no known TLS code, and no HTTP without TLS"  # where that was looked for as well
NO_FILES = "its files are not known, since it had ended by then"
UNOPENED = "files that could not be opened"
EMULATED = "emulated on this machine: a program for "  # and the name of the other machine


class UnreadTls(Struct, frozen=True, gc=False, tag="unread_tls"):
    """
    A process has code of a TLS implementation that cannot be read, or was not yet: the file, and what it looks like, or
    SEARCHED. Without a `path` it says why no such file is known.
    """

    origin: Origin
    start_ns: int
    path: str
    looks_like: str


class TlsUse(Struct, frozen=True, tag="tls_use"):
    """
    The reading of one process through one TLS implementation in one file: `method` says how its functions were found, `proven`
    whether a connection began as HTTP does, or its functions were found by name. A later one of the same process, file and
    stack includes what an earlier one said.
    """

    origin: Origin
    start_ns: int  # of the process
    path: str
    stack: str
    method: str
    proven: bool
    connections: int
    size: int  # bytes of plaintext, both ways
    midway: int = 0  # of the connections: those that had begun before the probes were there


class BlindSpot(Struct, frozen=True, tag="blind_spot"):
    """
    A process of which traffic was not read: TCP connections carried bytes, and nothing that was read came from them. A later
    one of the same process includes what an earlier one said.

    Where some plaintext came from an unknown connection, `connections` of these `among` were not read, and nothing says which
    ones: bytes and peers are the sums of all `among`.
    """

    origin: Origin
    start_ns: int
    connections: int  # that were not read
    size: int  # bytes that they carried, both ways, encrypted or not
    peers: tuple[str, ...] = ()  # address:port of each, once
    files: tuple[str, ...] = ()  # with TLS code that is not read
    looks_like: tuple[str, ...] = ()  # what it looks like, one for each file
    among: int = 0  # 0: these connections alone
    why: str = ""  # no file with TLS code is known


WebSocketKind: TypeAlias = Literal["text", "binary", "ping", "pong", "close"]
Headers: TypeAlias = tuple[tuple[str, str], ...]  # (lower-case name, value) in wire order, duplicates kept


class HttpRequest(Struct, frozen=True, tag="http_request"):
    """One request. `complete` is False if any of its bytes is missing, and `reason` says why."""

    origin: Origin
    exchange: int  # number of the exchange on its connection, from 1; counts on where the connection's address is used again
    method: str
    target: str  # as sent: path and query, or host:port of CONNECT
    version: str  # "HTTP/1.1"
    headers: Headers
    body: bytes = b""
    complete: bool = True
    reason: str | None = None
    end_ns: int = 0  # time of its last byte
    body_lost: int = 0  # bytes of the body that were not captured or not kept
    size: int = 0  # bytes on the wire that this event stands for
    stream: int = 0  # its HTTP/2 stream; 0 with HTTP/1
    headers_complete: bool = True  # False: some fields could not be known, since earlier ones were not captured
    trailers: Headers = ()
    encoding: str = ""  # the content coding that was removed from `body`, as the head named it
    tail: int = 0  # where bytes inside the body are missing: those of `body` that stand behind the first of them


class HttpResponse(Struct, frozen=True, tag="http_response"):
    """One response. Where `streaming`, the body follows as `BodyPart`s and this is the head alone."""

    origin: Origin
    exchange: int
    status: int
    phrase: str
    version: str
    headers: Headers
    body: bytes = b""
    streaming: bool = False
    complete: bool = True
    reason: str | None = None
    end_ns: int = 0
    body_lost: int = 0
    size: int = 0
    method: str | None = None  # of its request, where that was seen
    target: str | None = None
    host: str | None = None
    stream: int = 0
    headers_complete: bool = True
    trailers: Headers = ()
    encoding: str = ""
    tail: int = 0
    inferred: bool = False  # which request it answers: others may have been in a hole


class BodyPart(Struct, frozen=True, gc=False, tag="body_part"):
    """
    Bytes of a streamed response body, as they arrive, transfer coding removed. The part with `last` ends it and may be empty.

    `encoding` is the content coding that `data` still has, as the head named it; `decode_content` removes it. Where `data` came
    in several records, `origin` is the origin of the last one, and `cuts` has the size and the time of the part of each.
    """

    origin: Origin
    exchange: int
    data: bytes
    last: bool = False
    complete: bool = True
    reason: str | None = None
    lost: int = 0  # bytes missing before `data`; -1: perhaps some, the number is unknown
    size: int = 0  # bytes on the wire that this part stands for
    encoding: str = ""
    trailers: Headers = ()  # of the last part
    cuts: tuple[tuple[int, int], ...] = ()  # (bytes of data, time_ns); (): one record


class WebSocketMessage(Struct, frozen=True, tag="websocket_message"):
    """
    One message of a WebSocket (RFC 6455), its fragments joined, unmasked and decompressed; or one control frame.

    `exchange` is a number of its own on the connection, as requests have one; `upgrade` the number of the request that opened
    the WebSocket, 0 where it was not seen. `data` of a text is UTF-8; of a close it is the reason and `code` the status code.
    """

    origin: Origin  # of its first byte
    exchange: int
    upgrade: int
    kind: WebSocketKind
    data: bytes = b""
    code: int = 0
    complete: bool = True
    reason: str | None = None
    end_ns: int = 0
    lost: int = 0  # bytes of the payload that were not captured, not kept or could not be decompressed
    size: int = 0  # bytes on the wire that this event stands for
    target: str | None = None  # of the request that opened the WebSocket
    host: str | None = None
    missed: int = 0  # bytes of this direction that were not captured since the message before: others may be missing
    sender: Literal["client", "server"] = "client"  # who opened the WebSocket is the client


class ToolCall(Struct, frozen=True):
    """A model asked for a tool. `input` is the JSON text of its arguments, as sent."""

    id: str
    name: str
    input: str = ""


class Reply(Struct, frozen=True):
    """What a model answered, whole or streamed, in one shape for every provider."""

    id: str = ""
    model: str = ""
    text: str = ""
    thinking: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage | None = None
    finish_reason: str | None = None
    error: str | None = None
    unknown: tuple[str, ...] = ()  # fields that could not be read, as `choices[].delta`


class SseEvent(Struct, frozen=True, gc=False):
    """One event of an event stream (WHATWG HTML 9.2): its type, data and last id."""

    event: str
    data: str
    id: str | None = None


class SseMessage(Struct, frozen=True, tag="sse_message"):
    """
    Everything one event stream said. `complete` only if the stream's own end mark was seen and no byte was missing.

    `revision` counts up where a stream went on after it was emitted as partial; a later one says all that the earlier said.
    """

    origin: Origin  # of the first byte of the response
    exchange: int
    dialect: str  # "anthropic", "openai", … or "" where no provider's stream was recognised
    reply: Reply
    events: tuple[SseEvent, ...]
    end_ns: int
    first_chunk_ns: int = 0  # time of the first event with content; 0 = none
    chunks: int = 0  # events with content
    complete: bool = True
    reason: str | None = None
    revision: int = 0
    size: int = 0  # bytes of the body that came since the revision before
    method: str | None = None
    target: str | None = None
    host: str | None = None
    status: int = 0
    events_lost: int = 0  # events of a very long stream that are not in `events`; `reply` has what they said
    trailers: Headers = ()
    inferred: bool = False  # which request it answers: others may have been in a hole


class AnswerPiece(Struct, frozen=True, gc=False):
    """New text of one part of an answer. `block` numbers the parts as they began; `name` is the name of a tool."""

    block: int
    kind: Literal["text", "reasoning", "call"]
    text: str
    name: str = ""


class AnswerProgress(Struct, frozen=True, tag="answer_progress"):
    """
    What an answer that goes on said since the progress before, to be shown meanwhile. The SseMessage at its end says all of it
    again, so this stands for no bytes, is kept nowhere, and costs nothing where it is dropped.
    """

    origin: Origin  # of the answer, at the time of its newest bytes
    exchange: int
    number: int  # from 1, in one answer
    pieces: tuple[AnswerPiece, ...] = ()


class ProcessFork(Struct, frozen=True, gc=False, tag="process_fork"):
    """A process began as a copy of `ppid`. `origin.pid` is the new one."""

    origin: Origin
    ppid: int
    start_ns: int


class ProcessExec(Struct, frozen=True, tag="process_exec"):
    """A process became another program."""

    origin: Origin
    ppid: int
    start_ns: int
    filename: str  # as given to execve
    argv: tuple[str, ...]
    cwd: str
    sid: int = 0
    argv_lost: int = 0  # bytes of argv beyond what is kept
    container_id: str = ""  # "" for a process of the machine itself
    ns_pid: int = 0  # its number in the container; 0: unknown, or none
    pod: str = ""  # UID of the Kubernetes pod
    container: str = ""  # its name, of a pod NAMESPACE/POD/NAME; without one the begin of its id
    home: str = ""  # HOME in its environment, where that is none of the usual homes


class ProcessSeen(Struct, frozen=True, tag="process_seen"):
    """A process that ran already when the capture began, as /proc shows it: its program was started before."""

    origin: Origin
    ppid: int
    start_ns: int  # to 10 ms, since /proc counts in clock ticks
    filename: str  # of the program; "" where it is not known
    argv: tuple[str, ...]
    cwd: str
    container: str = ""  # as in ProcessExec
    home: str = ""  # as in ProcessExec


class ProcessExit(Struct, frozen=True, gc=False, tag="process_exit"):
    """
    A process ended: by itself with `exit_code`, or killed by `signal` (then exit_code is None). `duration_ns` counts from its
    first program, or from its fork where it ran none: the fork of a recorded command waits until everything is attached.
    `cpu_ns` is the time of all its threads, to a tick of the scheduler; `peak_bytes` the most memory that its last program had,
    0 where the program before it had as much, or no begin of one was seen.
    """

    origin: Origin
    ppid: int
    start_ns: int
    exit_code: int | None
    signal: int = 0
    core_dumped: bool = False
    duration_ns: int = 0
    cpu_ns: int = 0
    peak_bytes: int = 0


class FileEvent(Struct, frozen=True, gc=False, tag="file"):
    """
    An operation on a file and how it ended. `path` is absolute as the process sees it; `lexical`: joined from text, symbolic
    links in the middle unresolved. A `close` carries the bytes that went through the open file.
    """

    origin: Origin
    start_ns: int  # of the process
    action: str  # open, close, rename, link, unlink, mkdir, rmdir, truncate, chdir
    path: str
    target: str = ""  # the new name of a rename or a link
    flags: int = 0  # of an open: O_* of fcntl.h
    error: int = 0  # errno; 0 = it succeeded
    count: int = 1  # so many equal ones
    read_bytes: int = 0
    written_bytes: int = 0
    lexical: bool = False
    existed: bool = False  # of an open that would have made the file: it was there
    known_as: str = ""  # of an open: the other name of the same file, where it is one that was to be recognised


class NetEvent(Struct, frozen=True, gc=False, tag="net"):
    """An operation on a socket and how it ended; of a TCP connect this is the outcome, not the attempt."""

    origin: Origin
    start_ns: int
    action: str  # connect, bind, listen, accept, send
    family: str  # ipv4, ipv6, unix
    protocol: str  # tcp, udp, or stream, dgram, seqpacket of a unix socket
    local: str = ""
    peer: str = ""  # address without the port, or path
    port: int = 0  # of the peer; of bind and listen the local one
    error: int = 0
    latency_ns: int = 0
    count: int = 1
    size: int = 0  # bytes, where the operation moves some
    local_port: int = 0  # of an accept


class Readline(Struct, frozen=True, gc=False, tag="readline"):
    """A line that a person typed into an interactive bash."""

    origin: Origin
    command: str


class Channel(Struct, frozen=True, gc=False, cache_hash=True):
    """
    One direction of a pipe or a unix socket: the inode of the pipe, or of the receiving end of the socket; of a regular file
    its inode. Of JSON-RPC over HTTP it is the handle of the connection.
    """

    kind: Literal["pipe", "unix", "tty", "file", "http"]
    inode: int


class StdioChunk(Struct, frozen=True, gc=False, tag="stdio_chunk"):
    """
    Bytes of one read or write on a channel; `origin.direction` says which: "in" it was read, "out" it was written.

    `offset` and `seq` count per channel and side, as of a TlsChunk; `lost` bytes behind `data` were not captured. `unread`: not
    since they are more than is kept of a call, but since the kernel did not show them.
    """

    origin: Origin
    channel: Channel
    fd: int
    data: bytes
    offset: int
    seq: int
    lost: int = 0
    latency_ns: int = 0
    unread: bool = False


class StdioClose(Struct, frozen=True, gc=False, tag="stdio_close"):
    """
    A reader came to the end of `channel`, behind `offset` bytes; or, where there is no channel, a process ended that had used
    some.
    """

    origin: Origin
    channel: Channel | None = None
    offset: int = -1


class RpcMessage(Struct, frozen=True, tag="rpc_message"):
    """
    One JSON-RPC request with its answer, or a notification, or another line; seen once, whoever was watched.

    `outcome`: ok, tool_error (MCP `isError`), rpc_error, unknown (it came, and the part that would say is missing), cancelled,
    no_answer, or sent for what wants no answer.
    """

    origin: Origin  # of the first byte, at the end that was read where that is known
    channel: Channel
    kind: str  # request, notification, text; response where its request was not seen
    method: str = ""
    id: str = ""  # as JSON text: 1 and "1" differ
    tool: str = ""
    params: str = ""  # JSON text; of a text line the line
    result: str = ""  # JSON text of result or error
    outcome: str = "sent"
    writer_pid: int = 0
    reader_pid: int = 0
    server: str = ""  # name and version, once known
    end_ns: int = 0  # when the answer was read
    complete: bool = True
    reason: str | None = None
    latency_ns: int = 0  # from the request's being written to the answer's being read, as far as both ends were seen
    lost: int = 0  # bytes of it that were not captured or not kept
    size: int = 0  # captured bytes that this event stands for, of one end of each channel


class SystemSample(Struct, frozen=True, gc=False, tag="system_sample"):
    """What a process and, where asked, its descendants used. `cpu_percent` is None in the first sample: 100 = one core."""

    origin: Origin
    cpu_percent: float | None
    cores: int
    cpu_seconds: float
    rss_bytes: int
    vsz_bytes: int
    threads: int
    fds: int
    read_bytes: int
    written_bytes: int
    processes: int
    alert: bool = False


class SystemWide(Struct, frozen=True, gc=False, tag="system_wide"):
    """The whole machine: load averages, and memory in bytes."""

    origin: Origin
    cores: int
    load_1: float
    load_5: float
    load_15: float
    total_bytes: int
    free_bytes: int
    available_bytes: int


class Loss(Struct, frozen=True, gc=False, tag="loss"):
    """Something was lost at `stage`: `count` things, `size` bytes where known, on one connection where known."""

    origin: Origin
    stage: str
    reason: Reason
    count: int
    size: int = 0
    note: str = ""


class HostsKnown(Struct, frozen=True, gc=False, tag="hosts_known"):
    """At the begin of a guarded capture: the hosts that earlier recordings of the user's have, by workspace; homes of users."""

    origin: Origin
    pairs: tuple[tuple[str, str], ...]  # workspace, host
    homes: tuple[str, ...] = ()  # of the machine, beside the usual ones


class Witness(Struct, frozen=True, gc=False, tag="witness"):
    """
    Who saw what follows: `view`, the kernel; `hooked`, breakpoints in processes of the user. Without one it was the kernel.
    """

    origin: Origin
    seen_by: str


class RulesLoaded(Struct, frozen=True, gc=False, tag="rules_loaded"):
    """
    The file of a guard's rules has changed while a capture runs: `rules`, as JSON, hold from here on. `error` says why the
    file cannot be used: then the earlier rules stay.
    """

    origin: Origin
    file: str
    rules: str = ""
    sha256: str = ""
    error: str = ""


EntryKind: TypeAlias = Literal["session", "prompt", "answer", "result", "note", "sum", "hint"]


class SessionEntry(Struct, frozen=True, tag="session_entry"):
    """
    What an agent wrote into its own session file: its word, which the kernel has not seen. `origin` has no process; its
    `wall_ns` is the time that the agent says, 0 where it says none, and its `time_ns` counts up in the order of reading.

    - session: what it says of the whole: `folder`, `branch`, `version`, `text` as its title, `project` in place of a folder.
    - prompt: `text` that went to the model beside results of tools.
    - answer: of the model, with the `id` of the answer where the file has one, else one that is made of its place. A later one
      of the same id replaces it, but for its `tools` and `paths`, which are those that are new in it: agents write an answer
      part by part.
    - result: of the tool call `id`; `text` is its output.
    - note: `text` is compacted, interrupted or refused; `id` the tool call that was refused. The reader itself adds gone and
      returned, where all files of a session vanished from the agent's folder, or one came back.
    - sum: tokens in sums of the agent's own, which may count more than its answers.
    - hint: `text` that a person typed, written beside the messages, where it may stand again.

    `thread` names a sub-agent of the session; "": the main one. `paths`: files that tools work on.
    """

    origin: Origin
    agent: str
    session: str
    kind: EntryKind
    id: str = ""
    request_id: str = ""
    thread: str = ""
    text: str = ""
    thinking: str = ""
    model: str = ""
    provider: str = ""
    usage: Usage | None = None
    tools: tuple[ToolCall, ...] = ()
    paths: tuple[str, ...] = ()
    is_error: bool = False
    folder: str = ""
    branch: str = ""
    version: str = ""
    project: str = ""


class Tick(Struct, frozen=True, gc=False, tag="tick"):
    """Time reached `origin.time_ns` and nothing happened: lets a recording be replayed with the same timeouts."""

    origin: Origin


TlsEvent: TypeAlias = TlsChunk | TlsHandshake | TlsClose | TlsOpen | TcpTraffic | UnreadTls | TlsUse | BlindSpot | Loss | Tick
HttpEvent: TypeAlias = TlsEvent | HttpRequest | HttpResponse | BodyPart | SseMessage | AnswerProgress | WebSocketMessage
ProcessEvent: TypeAlias = ProcessFork | ProcessExec | ProcessExit | ProcessSeen | FileEvent | NetEvent | Readline | Loss | Tick
StdioEvent: TypeAlias = StdioChunk | StdioClose | RpcMessage | Loss | Tick
SystemEvent: TypeAlias = SystemSample | SystemWide | Loss | Tick
Event: TypeAlias = (
    HttpEvent  # connections and what they carried
    | ProcessEvent  # what processes did
    | StdioEvent  # pipes
    | SystemEvent  # what processes used
    | RulesLoaded  # the guard
    | HostsKnown
    | Witness
    | SessionEntry  # what agents wrote down themselves
)


# The kernel's time of an event, in ns. Written as a function it takes twice as long.
time_of: Callable[[Event], int] = attrgetter("origin.time_ns")

_MESSAGES = frozenset({HttpRequest, HttpResponse, SseMessage, RpcMessage})


def moment_of(event: Event, /) -> int:
    """When an event was over, in the kernel's ns: a message with its last byte, anything else at its time."""
    return (event.end_ns if type(event) in _MESSAGES else 0) or event.origin.time_ns  # type: ignore[union-attr]  # one of these


def milliseconds(ns: int, /) -> int:
    """Whole milliseconds of a time or a duration in ns."""
    return ns // 1_000_000
