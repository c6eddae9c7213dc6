"""What every provider gives: names to recognise it by, and functions from its JSON to `Prompt` and `Reply`."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import unquote

from msgspec import Raw, Struct, field
from msgspec.structs import replace

from ..events import Reply
from .decode import Failure
from .prompt import Prompt
from .reader import StreamReader, Take, TakeAll

__all__ = ["IdentifyingFields", "Provider"]


class _Wrapped(Struct, gc=False):
    candidates: list[Raw] | None = None
    usage_metadata: Raw = field(default=Raw(), name="usageMetadata")


class IdentifyingFields(Struct, gc=False):
    """What shows whose event it is. It is decoded once, whoever asks; what is deeper inside stays undecoded."""

    type: str = ""
    status: object = None
    error: Failure | str | None = None
    sequence_number: object = None
    choices: list[Raw] | None = None
    candidates: list[Raw] | None = None
    usage_metadata: Raw = field(default=Raw(), name="usageMetadata")
    prompt_feedback: Raw = field(default=Raw(), name="promptFeedback")
    response: _Wrapped | None = None
    jsonrpc: object = None


class Provider(Struct, frozen=True):
    """One way of talking to a model. Servers of many vendors speak it: the path decides, `hosts` only gives the label."""

    name: str  # the dialect
    label: str  # `gen_ai.provider.name` of OpenTelemetry where a host that nobody knows speaks it
    hosts: tuple[tuple[str, str], ...]  # (part of the lower-case host, its `gen_ai.provider.name`)
    # Found in the path, without its query, of a request for an answer. What the groups `model` and `stream` find there
    # need not be in the body. None: no model is asked in this dialect.
    path: re.Pattern[str] | None
    speaks: Callable[[IdentifyingFields], bool]  # does only this provider send such an event?
    request: Callable[[bytes], Prompt]  # never raises: what is no request gives an empty Prompt
    response: Callable[[bytes], Reply]  # of a body that is not streamed; never raises
    take: Take
    take_all: TakeAll | None = None

    def reader(self) -> StreamReader:
        """A reader for one streamed answer."""
        return StreamReader(self.take, self.take_all)

    def is_call(self, target: str, /) -> bool:
        """True if a request for `target` (path, perhaps with a query) asks a model for an answer."""
        return self._found(target) is not None

    def prompt(self, body: bytes, target: str, /) -> Prompt:
        """What a request asks; where its body does not name the model, the path may. Never raises."""
        prompt = self.request(body)
        found = self._found(target)
        named = found.groupdict() if found else {}
        model = prompt.model or unquote(named.get("model") or "")
        return replace(prompt, model=model, stream=prompt.stream or bool(named.get("stream")))

    def _found(self, target: str) -> re.Match[str] | None:
        return self.path.search(target.partition("?")[0]) if self.path else None
