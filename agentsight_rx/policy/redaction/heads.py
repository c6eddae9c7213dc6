"""
Fields of heads -> the same without secrets, without a second search of what earlier heads said.

A client sends nearly the same fields with each request, and a server with each answer. To search them takes as long as to
search 10 KB of a body.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...core.bounded import Recent
from ...events import Headers
from .masking import mask_field
from .names import HEADER_ENDS, SECRET_HEADERS, is_secret_header
from .redactor import Redactor

__all__ = ["Heads"]

_SEARCHED = SECRET_HEADERS | {"sec-websocket-protocol"}  # their values are not all of them a secret
_KNOWN_MOST = 2048  # fields: those of a client and a server are 40, and of an answer four are its own
_LONGEST = 512  # characters of one that is kept: 1 MB of all


class Heads:
    """It remembers fields without secrets, and never a secret one. That changes no outcome."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self.known: Recent[tuple[str, str], bool] = Recent(_KNOWN_MOST)  # without secrets

    def without_secret_fields(
        self, headers: Headers, trailers: Headers, *texts: str, said: str = ""
    ) -> tuple[Headers, Headers] | None:
        """
        Both without their secret fields, where neither another field nor one of `texts` nor `said` holds a secret; else None.
        One search of all is faster than one of each. `texts` are such as other heads have too.
        """
        known = self.known
        new = [field for field in (*headers, *trailers, *[("", text) for text in texts]) if field not in known]
        said = "\n".join([*[value for name, value in new if name not in SECRET_HEADERS], said])
        if self._redactor.finds(said, is_head=True):
            return None
        for field in new:
            if len(field[0]) + len(field[1]) <= _LONGEST and not _may_be_secret(field[0]):
                known.put(field, True)
        return self._fields(headers, new), self._fields(trailers, new)

    def clean(self, headers: Headers) -> Headers:
        """All fields without secrets."""
        fields = self._fields(headers, headers)
        made = tuple((name, value if is_secret_header(name) else self._redactor.short(value)) for name, value in fields)
        return headers if all(new[1] is old[1] for new, old in zip(made, headers, strict=True)) else made

    def _fields(self, headers: Headers, new: Sequence[tuple[str, str]]) -> Headers:
        """The secret fields among `new` without secrets."""
        changed = {
            (name, value): masked
            for name, value in new
            if _may_be_secret(name) and (masked := mask_field(name, value, self._redactor)) is not value
        }
        if not changed:
            return headers
        return tuple([(field[0], changed.get(field, field[1])) for field in headers])


def _may_be_secret(name: str) -> bool:
    return name in _SEARCHED or name.endswith(HEADER_ENDS)
