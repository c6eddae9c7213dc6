"""What the parsers find in a session file, one by one -> a Transcript: bounded, each thing once, without secrets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import cast

import msgspec
from msgspec.structs import replace

from ...core.bounded import Recent
from ...events import SessionEntry, Usage, milliseconds
from ...llm.agents.said import MADE_UP, typed
from ...llm.resent import decoded
from ...policy.redaction.redactor import Redactor
from ...wire.lines import Line, LineDecoder
from .transcript import Transcript, TranscriptCall, TranscriptTool

_LINE_MOST = 8 << 20  # bytes; a tool's result with a picture in base64 fits
_ENTRIES_MOST = 20_000  # calls, and as many tools: days of work
_MODELS_MOST = 64
_FILES_MOST = 256
_NAME_MOST = 256  # characters of an id or a name
_PATH_MOST = 4096
_PROMPT_MOST = 2000
_TEXT_MOST = 16_384  # of a tool's input or output, as in the rows of a capture
_TEXTS_MOST = 32 << 20  # of all tools together
_BEHIND = 4096  # characters behind a cut, in which the end of a secret is looked for

_JSON: msgspec.json.Decoder[object] = msgspec.json.Decoder(object)


class Draft:
    """A Transcript that is being read. `redactor` removes secrets from each text before it is cut."""

    def __init__(self, agent: str, name: str, redactor: Redactor) -> None:
        self._agent = agent
        self._name = name
        self._redactor = redactor
        self._calls: dict[str, TranscriptCall] = {}
        self._tools: dict[str, TranscriptTool] = {}
        self._sums: dict[str, Usage] = {}
        self._models: dict[str, None] = {}
        self._files: Recent[str, None] = Recent(_FILES_MOST)
        self._texts_left = _TEXTS_MOST
        self._start = self._end = 0
        self._unreadable = self._dropped = 0
        self._unfinished = False
        self.session_id = ""
        self.cwd = ""
        self.project = ""
        self.title = ""
        self.prompt = ""

    # -- lines ---------------------------------------------------------------------------------------------------------

    def lines(self, chunks: Iterable[bytes]) -> Iterator[Mapping[str, object]]:
        """The JSON objects of a file of lines; other lines are counted."""
        cutter = LineDecoder(_LINE_MOST)
        for chunk in chunks:
            for line in cutter.feed(chunk):
                yield from self._object(line)
        for line in cutter.finish():
            yield from self._object(line)

    def _object(self, line: Line) -> Iterator[Mapping[str, object]]:
        if not line.lost and not line.head.strip():
            return
        value = None if line.lost else decoded(_JSON, line.head)
        if isinstance(value, dict):
            yield cast("dict[str, object]", value)
        elif line.ended or line.lost:
            self._unreadable += 1
        else:
            self._unfinished = True

    def whole(self, chunks: Iterable[bytes]) -> Mapping[str, object]:
        """The JSON object that a file is; an empty one, counted, where it is not JSON."""
        value = decoded(_JSON, b"".join(chunks))
        if isinstance(value, dict):
            return cast("dict[str, object]", value)
        self._unreadable += 1
        return {}

    # -- what was found ------------------------------------------------------------------------------------------------

    def saw(self, times: list[int]) -> None:
        """Something happened at these times, which are taken."""
        for time_ms in times:
            self.seen(time_ms)
        times.clear()

    def seen(self, time_ms: int) -> None:
        """Something happened then; 0: it is unknown when."""
        if time_ms:
            self._start = min(self._start or time_ms, time_ms)
            self._end = max(self._end, time_ms)

    def model(self, name: str) -> None:
        if name and len(self._models) < _MODELS_MOST:
            self._models[self._text(name, _NAME_MOST)] = None

    def call(self, key: str, found: TranscriptCall) -> None:
        """A call under a key that is its own; several lines of one call are one."""
        before = self._calls.get(key)
        if before is None and len(self._calls) >= _ENTRIES_MOST:
            self.drop()
            return
        if before is not None:
            found = replace(before, usage=before.usage.largest(found.usage), time_ms=max(before.time_ms, found.time_ms))
        else:
            ids = {name: self._text(getattr(found, name), _NAME_MOST) for name in ("id", "request_id", "model")}
            found = replace(found, **ids)
        self._calls[key] = found
        self.model(found.model)

    def tool(self, found: TranscriptTool) -> None:
        """A tool was asked for; one without an id gets a made-up key."""
        key = found.id or f"{MADE_UP}{len(self._tools)}"
        if key in self._tools:
            return
        if len(self._tools) >= _ENTRIES_MOST:
            self.drop()
            return
        self._tools[key] = replace(
            found,
            id="" if key.startswith(MADE_UP) else self._text(found.id, _NAME_MOST),
            name=self._text(found.name, _NAME_MOST),
            input=self._long(found.input),
        )

    def result(self, key: str, output: str, *, is_error: bool, time_ms: int) -> None:
        """The result of a tool that was asked for before."""
        tool = self._tools.get(key)
        if tool is not None and not tool.answered:
            self._tools[key] = replace(tool, output=self._long(output), is_error=is_error, answered=True, end_ms=time_ms)

    def file(self, path: str) -> None:
        """A file that a tool was asked to work on."""
        if path and not _NOISE.search(path):
            self._files.put(self._text(path, _PATH_MOST), None)

    def prompted(self, text: str) -> None:
        """What the user may have typed; the first that no program wrote is kept."""
        if not self.prompt and (said := typed(text)):
            self.prompt = self._text(said, _PROMPT_MOST)

    def total(self, model: str, usage: Usage) -> None:
        """Tokens in the agent's own sums, which count more than the sums of its calls."""
        name = self._text(model, _NAME_MOST)
        if name in self._sums or len(self._sums) < _MODELS_MOST:
            self._sums[name] = self._sums.get(name, Usage()) + usage

    def drop(self) -> None:
        """Something was one too many."""
        self._dropped += 1

    def done(self, dropped: int = 0, unreadable: int = 0) -> Transcript:
        """`dropped`, `unreadable`: by the parser."""
        sums = self._sums
        if not sums:
            for call in self._calls.values():
                if call.usage.total:
                    sums[call.model] = sums.get(call.model, Usage()) + call.usage
        return Transcript(
            agent=self._agent,
            session_id=self._text(self.session_id or self._name, _NAME_MOST),
            cwd=self._text(self.cwd, _PATH_MOST),
            project=self._text(self.project, _NAME_MOST),
            models=tuple(self._models),
            start_ms=self._start,
            end_ms=self._end,
            title=self._text(" ".join(self.title[: 2 * _PROMPT_MOST].split()), _PROMPT_MOST),
            prompt=self.prompt,
            calls=tuple(self._calls.values()),
            tools=tuple(self._tools.values()),
            totals=sums,
            files=tuple(self._files),
            unreadable=self._unreadable + unreadable,
            dropped=self._dropped + dropped,
            unfinished=self._unfinished,
        )

    def take(self, entry: SessionEntry) -> None:
        """What a parser has found."""
        time_ms = milliseconds(entry.origin.wall_ns)
        match entry.kind:
            case "session":
                self.cwd = self.cwd or entry.folder
                self.project, self.title = entry.project or self.project, entry.text or self.title
                self.model(entry.model)
            case "prompt" if not entry.thread:
                self.prompted(entry.text)
            case "hint":
                self.prompted(entry.text)
            case "answer":
                self._answer(entry, time_ms)
            case "result":
                self.result(entry.id, entry.text, is_error=entry.is_error, time_ms=time_ms)
            case "sum":
                self.total(entry.model, entry.usage or Usage())
                self.model(entry.model)
            case _:
                pass

    def _answer(self, entry: SessionEntry, time_ms: int) -> None:
        usage = entry.usage
        if usage is not None and (usage.total or entry.model):
            identity = "" if entry.id.startswith(MADE_UP) else entry.id
            call = TranscriptCall(id=identity, request_id=entry.request_id, model=entry.model, usage=usage, time_ms=time_ms)
            self.call(entry.request_id or entry.id, call)
        for tool in entry.tools:
            self.tool(TranscriptTool(id=tool.id, name=tool.name, input=tool.input, time_ms=time_ms))
        for path in entry.paths:
            self.file(path)

    # -- texts ---------------------------------------------------------------------------------------------------------

    def _text(self, text: str, longest: int) -> str:
        """Without secrets, and then at most so long. The text behind the cut shows a secret that the cut divides."""
        if not text:
            return ""
        kept = text[: longest + _BEHIND]
        return self._redactor.text(kept, cut=len(kept) < len(text))[:longest]

    def _long(self, text: str) -> str:
        made = self._text(text, min(_TEXT_MOST, self._texts_left)) if self._texts_left else ""
        self._texts_left -= len(made)
        if text and not made:
            self.drop()
        return made


# Files of the agents themselves and of caches
_NOISE = re.compile(r"/\.(?:claude|codex|gemini|git|npm|cache)/|/node_modules/|(?:\A|/)(?:CLAUDE|AGENTS|GEMINI)\.md\Z")
