"""What every provider gives: names to recognise it by, and functions from its JSON to `Prompt` and `Reply`."""

from __future__ import annotations

import re
from collections.abc import Callable

from msgspec import Struct

from ..events import Reply, SseEvent
from .prompt import Prompt
from .reader import StreamReader, Take

__all__ = ["Provider"]


class Provider(Struct, frozen=True):
    """One way of talking to a model. Servers of many vendors speak it: the path decides, `hosts` only gives the label."""

    name: str  # the dialect
    hosts: tuple[tuple[str, str], ...]  # (part of the lower-case host, `gen_ai.provider.name` of OpenTelemetry)
    path: re.Pattern[str]  # found in the path, without its query, of a request for an answer
    speaks: Callable[[SseEvent], bool]  # does only this provider send such an event?
    request: Callable[[bytes], Prompt]  # never raises: what is no request gives an empty Prompt
    response: Callable[[bytes], Reply]  # of a body that is not streamed; never raises
    take: Take

    def reader(self) -> StreamReader:
        """A reader for one streamed answer."""
        return StreamReader(self.take)

    def is_call(self, target: str, /) -> bool:
        """True if a request for `target` (path, perhaps with a query) asks a model for an answer."""
        return self.path.search(target.partition("?")[0]) is not None
