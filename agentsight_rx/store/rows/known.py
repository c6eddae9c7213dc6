"""What each id added to a sum: of what goes on as many as the view has, of what is over the newest, which may be amended."""

from __future__ import annotations

from typing import Generic, TypeVar

from ...core.bounded import Recent

V = TypeVar("V")

_MOST = 4096  # ids: 2 MB each kind


class Known(Generic[V]):
    """What each id added so far. Ended things make room for others, and running ones never do."""

    def __init__(self, most: int = _MOST) -> None:
        self._going_on: Recent[str, V] = Recent(most)
        self._over: Recent[str, V] = Recent(_MOST)

    def __contains__(self, id: str) -> bool:
        return id in self._going_on or id in self._over

    def get(self, id: str) -> V | None:
        found = self._going_on.get(id)
        return self._over.get(id) if found is None else found

    def put(self, id: str, value: V, *, over: bool) -> None:
        if over:
            self._going_on.pop(id, None)
            self._over.put(id, value)
        else:
            self._over.pop(id, None)
            self._going_on.put(id, value)

    def pop(self, id: str) -> V | None:
        found = self._going_on.pop(id, None)
        return self._over.pop(id, None) if found is None else found
