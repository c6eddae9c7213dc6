"""
Bodies of requests -> the secrets in them, without a second search of what an earlier request of the conversation said.

An agent sends the whole conversation with each request: a body begins like the one before, and only its end is new.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from ...core.bounded import Weighed
from ...core.common import common_front
from .find import find_secrets
from .secret import Secret

__all__ = ["Resent"]

_LEAST = 16 << 10  # bytes: less is searched at once
_LONGEST = 4 << 20  # bytes of a body that is kept
_KEPT_MOST = 8 << 20  # bytes of all that are kept
_CONVERSATIONS = 64
_NAMED_BY = 256  # first bytes, by which a conversation is recognised
_OVERLAP = 2048  # bytes that are searched once more: farther apart no two things belong together, see BESIDE_MOST

# Between two members of a list, outside of any string: a quote that ends a string stands before no letter
_BEHIND = re.compile(rb'\{"[A-Za-z_]{2,20}": ?[\["{]')
_TRIES = 64
_WINDOW = 16 << 10  # bytes: a message that is longer has the conversation searched whole


class _Known(Struct, gc=False):
    """`closed`: a border of the body at which no secret is open: those before it end there, whatever follows. 0: none."""

    body: bytes
    found: Sequence[Secret]
    closed: int = 0


class Resent:
    """
    Of the newest bodies, the secrets that were found. It changes no outcome: where a secret may go on across a border, or the
    part that is searched again gives another result than before, the whole body is searched.
    """

    def __init__(self, *, least: int = _LEAST) -> None:
        self._least = least
        self._known: Weighed[bytes, _Known] = Weighed(_CONVERSATIONS, _KEPT_MOST, lambda known: len(known.body))

    def find(self, body: bytes, /) -> Sequence[Secret]:
        """As `find_secrets(body)`."""
        if not self._least <= len(body) <= _LONGEST:
            return find_secrets(body)
        name = body[:_NAMED_BY]
        before = self._known.use(name)
        known = None if before is None else _continued(before, body)
        if known is None:
            known = _Known(body, find_secrets(body))
        self._known.put(name, known)
        return known.found


def _continued(known: _Known, body: bytes) -> _Known | None:
    """A body that begins like a known one; None: it has to be searched whole."""
    end = _border(body, common_front(known.body, body))
    start = _border(body, end - _OVERLAP)
    if start <= 0 or known.closed > end:
        return None
    if any(secret.run for secret in find_secrets(body[known.closed : end], cut=True)):
        return None
    again = [secret._replace(start=secret.start + start, end=secret.end + start) for secret in find_secrets(body[start:])]
    overlap = sorted(secret for secret in again if secret.start < end)
    if overlap != sorted(secret for secret in known.found if start <= secret.start < end):
        return None
    if any(secret.start < start < secret.end for secret in known.found) or any(secret.end > end for secret in overlap):
        return None
    return _Known(body, [*(secret for secret in known.found if secret.start < start), *again], end)


def _border(body: bytes, before: int) -> int:
    """Where the last member of a list begins whose first field is in front of `before`; 0: there is none near."""
    at = before
    for _ in range(_TRIES):
        at = body.rfind(b"{", max(0, before - _WINDOW), max(at, 0))  # of one letter, since of two it takes 15 times as long
        if at < 0:
            return 0
        if body.endswith((b"},", b"}, "), 0, at) and _BEHIND.match(body, at, before):
            return at
    return 0
