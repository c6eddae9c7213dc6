"""The interface of a provider: names to recognise it by, and functions from its JSON to requests and answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from urllib.parse import unquote

from msgspec import Raw, Struct, field
from msgspec.structs import replace

from ..events import Headers, Reply, Usage
from .canonical import Answer, Asked
from .prompt import Prompt, prompt_of
from .reader import BODY, Draft, StreamReader, Take, TakeAll
from .resent import Failure, Resent

_TARGETS_MOST, _SHORT = 512, 256  # targets that are remembered, and characters of one: agents have a few


class _Wrapped(Struct, gc=False):
    candidates: list[Raw] | None = None
    usage_metadata: Raw = field(default=Raw(), name="usageMetadata")


class IdentifyingFields(Struct, gc=False):
    """Fields of an event that identify the provider. They are decoded once for all providers; values inside them are not."""

    type: str = ""
    status: object = None
    error: Failure | str | None = None
    sequence_number: object = None
    event_id: object = None
    kind: object = field(default=None, name="object")
    token: Raw = Raw()
    results: list[Raw] | None = None
    choices: list[Raw] | None = None
    candidates: list[Raw] | None = None
    usage_metadata: Raw = field(default=Raw(), name="usageMetadata")
    prompt_feedback: Raw = field(default=Raw(), name="promptFeedback")
    response: _Wrapped | None = None
    jsonrpc: object = None
    event_type: str | None = None
    done: object = None
    created_at: object = None
    server_content: Raw = field(default=Raw(), name="serverContent")
    tool_call: Raw = field(default=Raw(), name="toolCall")
    message_start: Raw = field(default=Raw(), name="messageStart")
    content_block_delta: Raw = field(default=Raw(), name="contentBlockDelta")
    invocation_metrics: Raw = field(default=Raw(), name="amazon-bedrock-invocationMetrics")


def never_speaks(fields: IdentifyingFields, /) -> bool:
    """Of a dialect whose events do not show it."""
    return False


class Provider(Struct, frozen=True):
    """One dialect for talking to a model. Many vendors speak the same, so the path decides; `hosts` only gives the label."""

    name: str  # the dialect
    label: str  # `gen_ai.provider.name` of OpenTelemetry for an unknown host that speaks it
    # (part of the lower-case host, its `gen_ai.provider.name`): who wins where two providers match a path, and the label of a
    # host that hosts.py does not know
    hosts: tuple[tuple[str, str], ...]
    # Matches the path, without query, of a call to a model. Its groups `model`, `stream` and `conversation` stand in for
    # these fields of the body. None: the dialect has no calls to a model.
    path: re.Pattern[str] | None
    speaks: Callable[[IdentifyingFields], bool]  # is such an event sent by this provider only?
    asks: Callable[[bytes], Asked]  # the body of a request; never raises: a body that is not a request gives an empty Asked
    answers: Callable[[bytes], Draft]  # the body of an answer that is not streamed; never raises
    take: Take
    take_all: TakeAll | None = None
    events: frozenset[str] = frozenset()  # types (`SseEvent.event`) that are sent by this provider only
    system_in_messages: bool = False  # the instructions of the system are messages like others
    operation: str = "chat"  # `gen_ai.operation.name` of OpenTelemetry
    # Matches the path of a GET that asks how far an answer is; its group `id` is `Answer.id` of the call that it belongs to
    poll: re.Pattern[str] | None = None
    # The same as `asks`, where what was asked before may save reading it again
    asks_again: Callable[[bytes, Resent], Asked] | None = None
    counts: Callable[[Headers], Usage | None] | None = None  # of a plain answer that has none in its body
    embeds: Callable[[bytes], bool] | None = None  # asks the body of a request for vectors, which is no call?
    has_mark: bool = True  # False: its streams have no end mark, and an answer ends with its last finish reason
    anywhere: bool = True  # False: such a path is common, and a call only at `hosts`
    # An event that ends an answer has one of these, of at most 32 bytes, or an escape of a letter (`\\u00`). (): any may end it
    end_marks: tuple[bytes, ...] = ()

    def reader(self) -> StreamReader:
        """A reader for one streamed answer."""
        return StreamReader(self.take, self.take_all, has_mark=self.has_mark)

    def is_call(self, target: str, /) -> bool:
        """True if a request for `target` (path, perhaps with a query) is a call to a model."""
        return self._found(target) is not None

    def is_home(self, host: str, /) -> bool:
        """Is it one of `hosts`? It must be in lower case."""
        return any(part in host for part, _ in self.hosts)

    def polled(self, target: str, /) -> str | None:
        """The id of the answer that a GET for `target` asks for; None if it does not ask for one."""
        found = self.poll.search(target.partition("?")[0]) if self.poll else None
        return unquote(found["id"]) if found else None

    def asked(self, body: bytes, target: str, /, *, resent: Resent | None = None) -> Asked:
        """
        A request, whole; the path may name a model that the body does not. Never raises. `resent` keeps the decoded messages,
        so that they are not decoded again where they are sent again.
        """
        again = self.asks_again
        asked = self.asks(body) if again is None or resent is None else again(body, resent)
        found = self._found(target)
        if found is None or found.lastindex is None:  # no group of it has anything
            return asked
        named = found.groupdict()
        return replace(
            asked,
            model=asked.model or unquote(named.get("model") or ""),
            stream=asked.stream or bool(named.get("stream")),
            conversation_id=asked.conversation_id or unquote(named.get("conversation") or "") or None,
        )

    def prompt(self, body: bytes, target: str, /) -> Prompt:
        """A request in short. Never raises."""
        return prompt_of(self.asked(body, target))

    def request(self, body: bytes, /) -> Prompt:
        """A request in short, of its body alone. Never raises."""
        return prompt_of(self.asks(body))

    def read(self, body: bytes, headers: Headers = (), /) -> Draft:
        """An answer that is not streamed. A body of which nothing was understood is named as unknown. Never raises."""
        draft = self.answers(body)
        if draft.usage is None and self.counts is not None:
            draft.usage = self.counts(headers)
        if not draft.understood and body.strip():
            draft.note([BODY])
        return draft

    def response(self, body: bytes, /) -> Reply:
        """An answer that is not streamed, in short. Never raises."""
        return self.answers(body).reply()

    def answer(self, body: bytes, /) -> Answer:
        """An answer that is not streamed, whole. Never raises."""
        return self.read(body).answer()

    def _found(self, target: str) -> re.Match[str] | None:
        if self.path is None:
            return None
        return _match(self.path, target) if len(target) <= _SHORT else self.path.search(target.partition("?")[0])


@lru_cache(_TARGETS_MOST)
def _match(path: re.Pattern[str], target: str) -> re.Match[str] | None:
    return path.search(target.partition("?")[0])
