"""
The rows of a capture. A row that comes again under the same id replaces the earlier one.

Longer than 300 lines because all kinds stand side by side, as a reader of a capture meets them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

from msgspec import Struct

from ...events import Event
from ...events.tokens import Counts

SEEN, HOOKED, SAID = "view", "hooked", "said"  # as `view_source`
_ID_SHOWN = 8  # characters of an id
HUNG_UP = "the client hung up after the end"
REPORTED_AT = (1, 10, 100, 1000)  # deeds of one alert


class AnyRow(Struct, frozen=True, gc=False):
    """
    The common type of all rows. They hold numbers and texts alone, so the garbage collector need not look for cycles.
    `view_source` says how a row is known: `view`, the kernel saw it; `hooked`, breakpoints in processes of the user did;
    `said`, the agent wrote it into its own session file; `seed`, it ran before the capture began.
    """


class CallRow(Counts, AnyRow, frozen=True, tag="llm_call", omit_defaults=True):
    """
    One call of a model. `status`: pending, complete, partial (something is missing, `reason` says what), error, aborted.

    `twin`: a server in the watched tree received this call, or a proxy passed it on; the row of the client that made it is
    named here, and only the client's row counts, with its tokens and tools. It has `through`, the name of the proxy.

    Tokens are in normal form: `input_tokens` excludes tokens read from or written to a cache. `more`: the answer fell silent
    in the middle and may go on; then a later row of the same id follows.

    `prompt` is what this request sent for the first time beside tool results, without the notes that programs add. A person
    typed it, or, where `aside` is set, an agent asks for itself: retry, title, summary, check, other, …. `new_results` counts
    the tool results that it sent, which later turns of an agent consist of. `session_id` is the id of a SessionRow: the one
    that the client named in its request or head, else one made of the process. A request equal to an earlier one has `repeat`
    1, 2, … and names the first; it is a `retry` where the one before had failed.
    """

    id: str
    start_timestamp_ms: int
    end_timestamp_ms: int | None = None
    pid: int | None = None
    comm: str | None = None
    provider: str | None = None
    model: str | None = None
    call_kind: str | None = None
    host: str | None = None
    path: str | None = None
    status_code: int | None = None
    status: str = "pending"
    complete: bool = True
    reason: str | None = None
    error_type: str | None = None
    finish_reason: str | None = None
    session_id: str | None = None
    conversation_id: str | None = None
    time_to_first_chunk_ms: int | None = None
    prompt: str = ""
    text: str = ""
    thinking: str = ""
    response_id: str | None = None
    match_method: str = "connection"
    view_source: str = "view"
    confidence: float = 1.0
    process_id: str | None = None  # of its ProcessRow
    response_model: str | None = None
    stream: bool = False
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    start_ns: int = 0  # Unix time, as are the two below; 0: unknown
    first_chunk_ns: int = 0
    end_ns: int = 0
    more: bool = False
    twin: str | None = None
    scheme: str = "https"  # of the URL: http without TLS
    operation: str = "chat"  # `gen_ai.operation.name` of OpenTelemetry
    agent: str | None = None  # the program that made it, by its known name or the one that it gives itself
    agent_id: str | None = None  # of an agent within the program, as the client named it or by its tool; None: the main one
    parent_agent_id: str | None = None
    agent_tool: str | None = None  # id of the ToolRow whose task that agent works on
    agent_name: str = ""  # as the input of that tool names it
    previous_response_id: str | None = None  # the response that this request went on from
    turn: int = (
        0  # of the main agent: 1, 2, …; a retry has that of the first try, a sub-agent's call that of the turn it works for
    )
    own_turn: int = 0  # number among the turns of its agent, where that is a sub-agent
    new_results: int = 0
    messages: int = 0  # of the conversation that was sent
    tools: int = 0  # that the answer asked for
    repeat: int = 0
    repeat_of: str | None = None
    retry: bool = False
    retry_after_s: int | None = None  # that the answer of a failed call asks a client to wait
    unknown: tuple[str, ...] = ()  # fields that could not be read, as `choices[].delta`
    note: str | None = None  # what else there is to say of a call that is whole
    aside: str = ""
    through: str | None = None
    written: str = ""  # the begin of what the agent itself wrote as a user, where nothing else is new

    @property
    def is_prompted(self) -> bool:
        """A person typed what it sent, for the first time."""
        return bool(self.prompt) and not (self.aside or self.repeat) and self.agent_id is None

    @property
    def thread_turn(self) -> int:
        """Its number among the turns of the agent that made it."""
        return self.own_turn or self.turn

    @property
    def turn_name(self) -> str:
        """`30`, and the third turn of a sub-agent that works for turn 30: `30.3`; "": it is of no session."""
        return f"{self.turn or ''}{f'.{self.own_turn}' if self.own_turn else ''}"

    @property
    def sub_agent(self) -> str:
        """The name of the agent within the session that made it, else the begin of its id; "": the main one."""
        return self.agent_name or (self.agent_id or "")[:_ID_SHOWN]


class TokenRow(Counts, AnyRow, frozen=True, tag="token_usage", omit_defaults=True):
    """What one call cost."""

    id: str
    llm_call_id: str
    timestamp_ms: int
    pid: int | None = None
    comm: str | None = None
    provider: str | None = None
    model: str | None = None
    source: str = "response_usage"
    view_source: str = "view"
    confidence: float = 1.0


class ToolRow(AnyRow, frozen=True, tag="tool_call", omit_defaults=True):
    """
    A tool that a model asked for. `related_*` is the process that ran it, the first where there were several; `link` says how
    that process was found, and `confidence` how sure that is: `argv` (its arguments contain the command, or the command
    contains them), `time` (the only program that the agent started between the call and its result).

    `duration_ms` is the time of its processes, from the first to the end of the last that ended before the result; `pause_ms`
    is the agent's own, from there to the request with the result. Without a process all of it is `duration_ms`.

    A call that executes the same as earlier ones of its session has `repeat` 1, 2, …; `loop` where nothing else was asked for
    in between.
    """

    id: str
    timestamp_ms: int
    llm_call_id: str
    tool_call_id: str
    tool_name: str
    session_id: str | None = None
    conversation_id: str | None = None
    start_timestamp_ms: int | None = None
    end_timestamp_ms: int | None = None
    duration_ms: int | None = None
    status: str = "observed"  # then completed or failed, once its result went back to the model
    input: str = ""
    output: str = ""
    pid: int | None = None
    related_pid: int | None = None
    related_event_id: str | None = None
    related_argv: tuple[str, ...] = ()
    exit_code: int | None = None
    signal: int | None = None
    link: str | None = None
    view_source: str = "view"
    confidence: float = 1.0
    process_id: str | None = None  # of the ProcessRow that ran it
    agent: str | None = None
    agent_id: str | None = None
    repeat: int = 0
    repeat_of: str | None = None
    loop: bool = False
    result_call_id: str | None = None  # the call that sent the result to the model
    pause_ms: int | None = None
    is_answer: bool = False  # its exit code is none of a failure, as of a `grep` that found nothing


class ProcessRow(AnyRow, frozen=True, tag="process_node", omit_defaults=True):
    """
    One process. `status`: running, success, failure, killed; success too where the exit code is an answer, as of a `grep` that
    found nothing. A process that only forked has no `command`. `duration_ms` counts
    from its first program, or from the fork where it ran none; `view_source` is `seed` where it ran before the capture began.
    `tool_call_id` is the id of the ToolRow that it, or one of its ancestors, ran for. Its end has `cpu_ms` and `peak_bytes`.
    """

    id: str
    pid: int
    ppid: int | None = None
    root_pid: int | None = None
    start_timestamp_ms: int | None = None
    end_timestamp_ms: int | None = None
    comm: str | None = None
    command: str | None = None
    argv: tuple[str, ...] = ()
    argv_lost: int = 0
    cwd: str | None = None
    exit_code: int | None = None
    signal: int | None = None
    status: str = "running"
    duration_ms: int | None = None
    tool_call_id: str | None = None
    view_source: str = "view"
    confidence: float = 1.0
    agent: str | None = None  # the known agent that this program is
    session_id: str | None = None
    cpu_ms: int | None = None
    peak_bytes: int | None = None
    container: str | None = None  # its name, of a pod NAMESPACE/POD/NAME; None on the machine itself

    @property
    def has_failed(self) -> bool:
        """It ended by a signal, or with an exit code that is no answer."""
        return self.status in ("failure", "killed")


class AuditRow(AnyRow, frozen=True, tag="audit_event", omit_defaults=True):
    """One line of the audit trail: which process did what to which target, and how it ended."""

    id: str
    timestamp_ms: int
    audit_type: str  # llm, process, file, network, mcp, rpc: JSON-RPC of another protocol, guard: its rules
    pid: int | None = None
    comm: str | None = None
    subject: str | None = None
    action: str | None = None
    target: str | None = None
    status: str | None = None
    summary: str | None = None
    details: dict[str, str | int | bool | None] = {}
    view_source: str = "view"
    confidence: float = 1.0
    process_id: str | None = None
    session_id: str | None = None
    tool_id: str | None = None  # of the ToolRow whose process did it, or whose input names the target
    link: str | None = None  # how that tool was found: lineage, path


class NetworkRow(AnyRow, frozen=True, tag="network_target", omit_defaults=True):
    """The exchanges and connections of one process with one host and path, so far. The row comes again with each."""

    id: str
    pid: int
    host: str
    path: str = ""
    comm: str | None = None
    count: int = 0
    error_count: int = 0
    first_timestamp_ms: int | None = None
    last_timestamp_ms: int | None = None
    view_source: str = "view"
    process_id: str | None = None
    session_id: str | None = None
    sent_bytes: int = 0
    received_bytes: int = 0


class HttpRow(AnyRow, frozen=True, tag="http_exchange", omit_defaults=True):
    """
    One HTTP request with its answer, also of no model. `status`: pending, complete, partial (something is missing, `reason`
    says what), aborted. `call_id` is the id of its CallRow, where it is a call of a model. `server`: it was seen where a server
    read it. `local` and `peer` are the ends of its connection, as address:port; not `sure`: the thread that read it had
    received from there just before. Where both ends of its connection were seen, the client's row counts: it has `both_ends`,
    and the server's row names it as its `twin`.
    """

    id: str
    timestamp_ms: int
    pid: int
    comm: str
    method: str
    host: str | None = None
    path: str = ""
    status_code: int | None = None
    status: str = "pending"
    reason: str | None = None
    end_timestamp_ms: int | None = None
    request_bytes: int = 0
    response_bytes: int = 0
    content_type: str | None = None  # of the answer
    version: str = ""
    scheme: str = "https"
    process_id: str | None = None
    session_id: str | None = None
    call_id: str | None = None
    view_source: str = "view"
    server: bool = False
    local: str | None = None
    peer: str | None = None
    sure: bool = True
    twin: str | None = None
    both_ends: bool = False

    @property
    def is_passed_on(self) -> bool:
        """A client made it, so that where its call is another one's, it is a proxy that passed that one on."""
        return self.peer is not None and not self.server


class SessionRow(Counts, AnyRow, frozen=True, tag="session", omit_defaults=True):
    """
    What one agent did from its start to its end, as far as it was seen. `id`: as the client named it (`named`), else made of
    the agent's process. `status`: live, ended. Tokens are in normal form, as in CallRow. `title` is the first prompt.
    `view_source` is `seed` where the agent ran before the capture began, so that its earlier calls are not here.
    """

    id: str
    start_timestamp_ms: int
    end_timestamp_ms: int | None = None
    agent: str | None = None
    pid: int | None = None
    process_id: str | None = None
    comm: str | None = None
    cwd: str | None = None
    status: str = "live"
    named: bool = False
    title: str = ""
    model: str | None = None  # of the newest call
    models: tuple[str, ...] = ()
    calls: int = 0
    turns: int = 0  # of the main agent
    failed_calls: int = 0
    partial_calls: int = 0
    tools: int = 0
    failed_tools: int = 0
    sub_agents: int = 0
    parent_session_id: str | None = None
    conversation_id: str | None = None
    repeated_calls: int = 0
    repeated_tokens: int = 0  # that repeated requests cost
    model_ms: int = 0  # time in which a model was asked, calls at the same time added up
    view_source: str = "view"
    confidence: float = 1.0
    program: str = ""  # what the client or the package calls itself, where it is no known agent
    agent_version: str = ""  # as the newest request with one names it; "": none does
    container: str | None = None  # in which the agent runs, as in ProcessRow
    branch: str = ""  # of git, as the session file of the agent names it
    file_gone: bool = False  # the session file was read, and is not in the agent's folder any more

    @property
    def duration_ms(self) -> int:
        """From its first request to the end of its newest answer."""
        return max(0, (self.end_timestamp_ms or 0) - self.start_timestamp_ms)

    @property
    def who(self) -> str:
        """The name of the agent: its known one, else the one that it gives itself, else the name of its process."""
        return self.agent or self.program or self.comm or "unknown"

    @property
    def who_and_version(self) -> str:
        """`claude 2.1.4`."""
        return f"{self.who} {self.agent_version}".rstrip()


class UnknownRow(AnyRow, frozen=True, tag="unknown_field", omit_defaults=True):
    """A field of a provider's JSON that could not be read, and in how many calls. What stood beside it is in their rows."""

    id: str
    timestamp_ms: int  # of the newest
    provider: str  # the dialect
    field: str
    count: int
    first_call_id: str
    view_source: str = "view"


class ResourceRow(AnyRow, frozen=True, tag="resource_sample", omit_defaults=True):
    """What a process and its descendants used at one time. `cpu_percent`: 100 = one core."""

    id: str
    timestamp_ms: int
    pid: int
    comm: str | None = None
    cpu_percent: float | None = None
    rss_mb: int = 0
    processes: int = 1
    alert: bool = False


class BlindSpotRow(AnyRow, frozen=True, tag="blind_spot", omit_defaults=True):
    """
    A process of which traffic was not read: `connections` TCP connections carried `size` bytes both ways, and no plaintext was
    seen. `files` have TLS code that is not read, and `looks_like` says which, one for each file; `why` no such file is known.
    `among` not 0: so many carried these bytes, and it is not known which of them were not read.
    """

    id: str
    timestamp_ms: int
    pid: int
    comm: str
    process_id: str
    connections: int
    size: int
    peers: tuple[str, ...] = ()  # address:port
    files: tuple[str, ...] = ()
    looks_like: tuple[str, ...] = ()
    among: int = 0
    view_source: str = "view"
    why: str = ""


class TlsUseRow(AnyRow, frozen=True, tag="tls_use", omit_defaults=True):
    """
    The reading of a process through one TLS implementation in one file; `method` says how its functions were found. Not
    `proven`: no connection began as HTTP does, so it is not certain that these are the functions.
    """

    id: str
    timestamp_ms: int
    pid: int
    comm: str
    process_id: str
    path: str
    stack: str
    method: str
    proven: bool
    connections: int
    size: int
    midway: int = 0  # of the connections: those that had begun before
    view_source: str = "view"


class AlertRow(AnyRow, frozen=True, tag="alert", omit_defaults=True):
    """
    An agent did what a rule of the guard is about. One row a session, rule and target; `count` is how often, and the row comes
    again with each. `number` counts the alerts of a recording, from 1.

    `sentence` has only what the rows of `evidence` prove. Of the links prompt, tool, process, target `proven` of `links` are
    proven: by an id, by arguments, by the process itself. `part_of` is the id of an alert that says all of this and more.
    `sha256` is of the rules; `complete` is False where something that it rests on was seen in part. `cost` is that of the calls
    that it names, in US dollars, where it is known.
    """

    id: str
    timestamp_ms: int
    rule: str
    do: str  # note, warn, stop
    sentence: str
    target: str
    number: int = 0
    count: int = 1
    last_timestamp_ms: int = 0
    because: str = ""
    session_id: str | None = None
    agent: str | None = None
    workspace: str | None = None
    pid: int | None = None
    process_id: str | None = None
    agent_pid: int | None = None
    command: str = ""  # of the process
    tool_id: str | None = None
    tool: str = ""  # its name, and what it was asked for
    call_id: str | None = None  # the call that asked for the tool, or that something left in
    turn: int = 0
    prompt: str = ""
    host: str | None = None
    evidence: tuple[str, ...] = ()
    proven: int = 0
    links: int = 3
    complete: bool = True
    cost: float | None = None
    part_of: str | None = None
    sha256: str = ""
    view_source: str = "view"

    @property
    def name(self) -> str:
        """How a person calls it: `a31`."""
        return f"a{self.number}"

    @property
    def reports(self) -> int:
        """How often it was reported so far: at the 1st, 10th, 100th and 1,000th deed."""
        return reports_at(self.count)


def reports_at(count: int, /) -> int:
    """How often an alert of so many deeds is reported."""
    return sum(count >= each for each in REPORTED_AT)


KeptRow: TypeAlias = (
    CallRow
    | TokenRow
    | ToolRow
    | SessionRow
    | ProcessRow
    | AuditRow
    | NetworkRow
    | HttpRow
    | ResourceRow
    | BlindSpotRow
    | TlsUseRow
    | UnknownRow
    | AlertRow
)


class RowGone(AnyRow, frozen=True, tag="gone"):
    """
    A row that was emitted is not true: what came late shows that it stood in another place, such as the session of a program
    that was not known yet. Whoever keeps rows removes it; another row may follow under the same id.
    """

    row: KeptRow

    @property
    def id(self) -> str:
        return self.row.id


Row: TypeAlias = KeptRow | RowGone

# What the graphs of the product emit
Output: TypeAlias = Event | Row


_TICK_NS = 10_000_000  # of /proc, in which the start of a process that ran already is known
_PROCESSES = 4096  # whose ids are made once, and not for each event


@lru_cache(_PROCESSES)
def process_id(pid: int, start_ns: int, /) -> str:
    """The id of the ProcessRow of a process: a pid is used again, a pid with its start is not."""
    return f"process-{pid}-{start_ns // _TICK_NS:x}"
