"""What an agent wrote down of one session, in one shape for every agent."""

from __future__ import annotations

from msgspec import Struct

from ...events import Usage


class TranscriptCall(Struct, frozen=True, kw_only=True):
    """
    One call of a model. `id` is the id of the model's answer, `request_id` the id of the HTTP answer; an agent that writes
    neither leaves them empty. `time_ms` is when the answer was written down; 0: unknown.
    """

    id: str = ""
    request_id: str = ""
    model: str = ""
    usage: Usage = Usage()
    time_ms: int = 0


class TranscriptTool(Struct, frozen=True, kw_only=True):
    """One call of a tool. `input` is JSON text. `answered`: there is a result, which is `output` and `is_error`."""

    id: str = ""
    name: str = ""
    input: str = ""
    output: str = ""
    is_error: bool = False
    answered: bool = False
    time_ms: int = 0
    end_ms: int = 0


class Transcript(Struct, frozen=True, kw_only=True):
    """
    One session file, without secrets. `totals` are the tokens of each model: the agent's own sums where it writes them, else
    the sums of the calls. `project` is what an agent writes in place of `cwd`: its SHA-256, in hexadecimal digits.

    `unreadable` counts lines that are not JSON objects or are too long, `dropped` calls, tools and texts that were one too
    many, `unread` bytes in the middle of a file that is too large. `unfinished`: the file ended within a line, as it is being
    written.
    """

    agent: str
    session_id: str
    cwd: str = ""
    project: str = ""
    models: tuple[str, ...] = ()
    start_ms: int = 0
    end_ms: int = 0
    title: str = ""
    prompt: str = ""
    calls: tuple[TranscriptCall, ...] = ()
    tools: tuple[TranscriptTool, ...] = ()
    totals: dict[str, Usage] = {}
    files: tuple[str, ...] = ()
    unreadable: int = 0
    dropped: int = 0
    unread: int = 0
    unfinished: bool = False

    @property
    def is_empty(self) -> bool:
        """Nothing of a session is in it: no tokens, tools, prompt or model."""
        return not (self.totals or self.calls or self.tools or self.prompt or self.models)

    @property
    def weight(self) -> int:
        """About how many bytes of memory it takes."""
        return _ENTRY * (len(self.calls) + len(self.tools) + 4) + sum(len(tool.input) + len(tool.output) for tool in self.tools)


_ENTRY = 500  # bytes of a call or a tool without its texts
_SHORT_MOST = 12
_HEAD, _TAIL = 6, 5


def display_id(agent: str, path: str, /) -> str:
    """`claude:1a2b3c.4d5e6`: a name short enough for a table, of the file's name."""
    name = path.rpartition("/")[2].removesuffix(".jsonl").removesuffix(".json")
    return f"{agent}:{name if len(name) <= _SHORT_MOST else f'{name[:_HEAD]}.{name[-_TAIL:]}'}"


def together(parts: list[Transcript], /) -> Transcript:
    """
    The files of one session as one, such as the files of its sub-agents: an entry of several files is there once. The first one
    has the title and the prompt.
    """
    first = parts[0]
    calls = list({_call_key(call): call for part in reversed(parts) for call in reversed(part.calls)}.values())
    tools = list({tool.id or id(tool): tool for part in reversed(parts) for tool in reversed(part.tools)}.values())
    return Transcript(
        agent=first.agent,
        session_id=first.session_id,
        cwd=next((part.cwd for part in parts if part.cwd), ""),
        project=next((part.project for part in parts if part.project), ""),
        models=tuple(dict.fromkeys(model for part in parts for model in part.models)),
        start_ms=min((part.start_ms for part in parts if part.start_ms), default=0),
        end_ms=max(part.end_ms for part in parts),
        title=next((part.title for part in parts if part.title), ""),
        prompt=next((part.prompt for part in parts if part.prompt), ""),
        calls=tuple(sorted(calls, key=lambda call: call.time_ms)),
        tools=tuple(sorted(tools, key=lambda tool: tool.time_ms)),
        totals=_sums(parts) if any(part.totals for part in parts) else {},
        files=tuple(dict.fromkeys(file for part in parts for file in part.files)),
        unreadable=sum(part.unreadable for part in parts),
        dropped=sum(part.dropped for part in parts),
        unread=sum(part.unread for part in parts),
        unfinished=any(part.unfinished for part in parts),
    )


def _call_key(call: TranscriptCall) -> object:
    return call.request_id or call.id or id(call)


def _sums(parts: list[Transcript]) -> dict[str, Usage]:
    seen: set[object] = set()
    sums: dict[str, Usage] = {}
    for part in parts:
        again: dict[str, Usage] = {}
        for call in part.calls:
            if _call_key(call) in seen:
                again[call.model] = again.get(call.model, Usage()) + call.usage
            seen.add(_call_key(call))
        for model, usage in part.totals.items():
            sums[model] = sums.get(model, Usage()) + usage.without(again.get(model, Usage()))
    return sums
