"""Results of tools -> the ids of the calls that they answer, where ids are missing: the order of both is the same then."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["CallOrder", "made_up_id"]


def made_up_id(name: str, position: int, /) -> str:
    """An id for a call without one. `position` counts the calls of one answer."""
    return f"{name}-{position}"


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
