"""Results of tools -> the ids of the calls that they answer, where ids are missing: the order of both is the same then."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from .canonical import Message, ToolCallPart, ToolResultPart


def made_up_id(name: str, position: int, /) -> str:
    """An id for a call without one. `position` counts the calls of one answer."""
    return f"{name}-{position}"


def is_made_up(id: str, name: str, /) -> bool:
    """Whether `made_up_id` may have made this id of a call of that tool."""
    return id.startswith(f"{name}-") and _NUMBER.fullmatch(id, len(name) + 1) is not None


_NUMBER = re.compile(r"\d{1,6}")


def new_results(messages: Sequence[Message], /) -> list[tuple[ToolResultPart, str]]:
    """
    The results behind the newest answer of the model, each with the id that its call has if the API gave it none: a client may
    give such a call an id of its own where it sends it back. Empty where the answer does not have the call.
    """
    said = [at for at, each in enumerate(messages) if each.role == "assistant"]
    end = said[-1] + 1 if said else len(messages)
    begin = end
    while begin and messages[begin - 1].role == "assistant":  # in some APIs each part is a message of its own
        begin -= 1
    calls = [part for each in messages[begin:end] for part in each.parts if isinstance(part, ToolCallPart)]
    made = {call.id: made_up_id(call.name, position) for position, call in enumerate(calls)}
    return [(result, made.get(result.id, "")) for each in messages[end:] for result in each.results()]


class CallOrder:
    """
    The calls of the newest answer, and which of them has its result.

    A result names its call by its id, where the client gave both the same, or else by its order. For calls without an id, a
    client may give the results ids of its own.
    """

    def __init__(self, calls: Iterable[tuple[str | None, str | None]] = ()) -> None:
        """`calls`: id and name of each."""
        self._ids = [id or made_up_id(name or "", position) for position, (id, name) in enumerate(calls)]
        self._open = list(self._ids)

    def answered(self, id: str | None) -> str:
        """The id of the call that a result with this `id`, or without one, answers."""
        if id is None or id not in self._ids:
            return self._open.pop(0) if self._open else id or ""
        if id in self._open:
            self._open.remove(id)
        return id
