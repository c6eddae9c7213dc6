"""
Bodies of requests -> the secrets in them, without a second search of what an earlier request of the conversation said.

An agent sends the whole conversation with each request: a body begins like the one before, and only its end is new.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from ...core.bounded import Recent, Weighed, common_front
from ...core.start import regex
from ...events import AnswerPiece, AnswerProgress, Connection, Origin
from .fields import RUNS, Secret, find_fields
from .find import PEM_MOST, find_secrets
from .lines import begun_octet, continued, is_open_string
from .redactor import Redactor, settled
from .shapes import BESIDE_MOST, find_beside

# -- stream --------------------------------------------------------------------------------------------------------
# Pieces of a byte stream -> the same without secrets, even cut ones, without holding any bytes back.


_TAIL = 64  # last bytes of the output that are kept: the longest beginning of a secret, or a line end and the name of a header
_LINE_MOST = 65_536  # bytes of a header value
_PEM_END = b"-----END"

_STARS = bytes(byte if byte in b"\r\n" else b"*"[0] for byte in range(256))
_STARS_IN_STRING = bytes(byte if byte in b"\r\n\\" else b"*"[0] for byte in range(256))  # so that its end is recognised


def _hidden(data: bytes, run: str) -> bytes:
    """The bytes of a secret that ends in this run, but for those by which its end is recognised."""
    kept = data[len(data) - begun_octet(run) :]
    return data[: len(data) - len(kept)].translate(_STARS_IN_STRING if is_open_string(run) else _STARS) + kept


class SecretStream:
    """
    Masks one direction of a connection, a channel or a body.

    A secret that began in an earlier piece is overwritten by `*`, byte by byte, as far as it may continue. So is one that only
    begins at the end of a piece. Only masked output is kept, so a snapshot contains no secret.
    """

    __slots__ = ("_after_id", "_run", "_spent", "_tail", "offset")

    def __init__(self) -> None:
        self.offset = -1  # where the next piece is expected; only the caller uses it
        self._tail = b"\n"  # the stream begins at the beginning of a line
        self._run = ""  # name in RUNS of the unfinished secret; "": there is none; "fold": after the end of its line
        self._spent = 0  # bytes of that secret so far
        self._after_id = -1  # bytes since the last key id of AWS, whose secret may follow; -1: too many

    def gap(self) -> None:
        """Bytes are missing here. A secret that is open goes on after them; otherwise a new line begins."""
        self._tail = b"\n"

    def feed(self, data: bytes, /, *, labels: Redactor | None = None, heads: bool = False, last: bool = False) -> bytes:
        """
        The next piece without secrets; `data` itself if there are none. Its length stays the same, unless `labels` is given:
        then labels replace the secrets that are whole in it. `heads`: it may hold lines of HTTP heads. `last`: nothing follows.
        """
        run = self._run
        masked = self._rest(data) if run else 0
        if run and masked == len(data):
            made = _hidden(data, self._run)
            self._tail = (self._tail + made[-_TAIL:])[-_TAIL:]
            self._after_id += len(data) if self._after_id >= 0 else 0
            return made
        self._run = ""
        begun = _hidden(data[:masked], run if is_open_string(run) else "")
        tail = (self._tail + begun[-_TAIL:])[-_TAIL:]
        buffer = tail + data[masked:]
        found = list(find_secrets(buffer, cut=not last))
        if heads:
            found += find_fields(buffer)
        self._find_beside(buffer, len(tail), run, last, found)
        made = self._masked(buffer, len(tail), found, labels) if found else buffer
        self._tail = made[-_TAIL:]
        out = begun + made[len(tail) :]
        return data if out == data else out

    def _find_beside(self, buffer: bytes, start: int, run: str, last: bool, found: list[Secret]) -> None:
        """The secret of an AWS key whose id was in an earlier piece."""
        if run == "capitals":
            self._after_id = 0
        if self._after_id >= 0:
            find_beside(buffer, not last, [max(0, start - self._after_id)], found)
        ids = [secret.end for secret in found if secret.kind == "aws" and not secret.run]
        after = len(buffer) - max(ids) if ids else self._after_id + len(buffer) - start if self._after_id >= 0 else -1
        self._after_id = after if after <= BESIDE_MOST else -1

    def _masked(self, buffer: bytes, start: int, found: list[Secret], labels: Redactor | None) -> bytes:
        parts: list[bytes] = []
        done = 0
        for secret in settled(buffer, found):
            if secret.run:
                self._run, self._spent = secret.run, len(buffer) - secret.start
                self._after_line(buffer)
            begin = max(secret.start, start)
            if secret.end <= begin:
                continue
            value = buffer[begin : secret.end]
            whole = labels is not None and begin == secret.start and not secret.run
            parts.append(buffer[done:begin])
            stars = _hidden(value, secret.run)
            parts.append(labels.label(secret.kind, value) if labels is not None and whole else stars)
            done = secret.end
        return b"".join([*parts, buffer[done:]])

    def _rest(self, data: bytes) -> int:
        """How many bytes of `data` belong to the open secret. If it ends, the caller closes it."""
        if self._run == "fold":
            if data and data[:1] not in (b" ", b"\t"):
                return 0
            self._run = "line" if data else "fold"
        in_string = continued(self._run, data)
        if in_string is not None:
            end, self._run = in_string
        else:
            matched = RUNS[self._run].match(data) if data else None
            end = matched.end() if matched else 0
        if self._run in ("pem", "line"):
            end = min(end, max(0, (PEM_MOST if self._run == "pem" else _LINE_MOST) - self._spent))
        if self._run == "pem":
            mark = data.find(_PEM_END, 0, end)
            end = end if mark < 0 else mark
        self._spent += end
        if end == len(data):
            self._after_line(data)
        return end

    def _after_line(self, data: bytes) -> None:
        if self._run == "line" and data.endswith(b"\n"):
            self._run = "fold"

    def snapshot(self) -> list[bytes | str | int]:
        return [self._tail, self._run, self._spent, self.offset, self._after_id]

    def restore(self, tail: bytes, run: str, spent: int, offset: int, after_id: int, /) -> None:
        self._tail, self._run, self._spent, self.offset, self._after_id = tail, run, spent, offset, after_id


# -- answers -------------------------------------------------------------------------------------------------------
# Answers that go on -> the new text of each without secrets, also secrets that are cut between two pieces.


AnswerKey: TypeAlias = tuple[Connection | None, int, int]  # connection, process where that is not known, exchange

_ANSWERS_MOST = 1024
_BLOCKS_MOST = 256  # of one answer


def key_of_answer(origin: Origin, exchange: int, /) -> AnswerKey:
    return origin.connection, 0 if origin.connection else origin.pid, exchange


class Answers:
    """A SecretStream for each part of each answer; answers that said nothing for longest are dropped."""

    def __init__(self) -> None:
        self._table: Recent[AnswerKey, Recent[int, SecretStream]] = Recent(_ANSWERS_MOST)

    def clean(self, event: AnswerProgress, labels: Redactor, /) -> tuple[AnswerPiece, ...]:
        """The pieces of the event without secrets: the event's own where there are none."""
        key = key_of_answer(event.origin, event.exchange)
        blocks = self._table.use_or_make(key, lambda: Recent[int, SecretStream](_BLOCKS_MOST))
        made = tuple(_clean(piece, blocks.use_or_make(piece.block, SecretStream), labels) for piece in event.pieces)
        return event.pieces if made == event.pieces else made

    def ended(self, origin: Origin, exchange: int, /) -> None:
        """Nothing of this answer follows."""
        if self._table:
            self._table.pop(key_of_answer(origin, exchange), None)

    def snapshot(self) -> list[tuple[AnswerKey, list[tuple[int, bytes]]]]:
        return [
            (key, [(block, msgspec.msgpack.encode(stream.snapshot())) for block, stream in blocks.items()])
            for key, blocks in self._table.items()
        ]

    def restore(self, state: list[tuple[AnswerKey, list[tuple[int, bytes]]]], /) -> None:
        for key, saved in state:
            blocks = self._table[key] = Recent(_BLOCKS_MOST)
            for block, stream in saved:
                blocks.use_or_make(block, SecretStream).restore(*msgspec.msgpack.decode(stream))


def _clean(piece: AnswerPiece, stream: SecretStream, labels: Redactor) -> AnswerPiece:
    data = piece.text.encode("utf-8", "surrogatepass")
    made = stream.feed(data, labels=labels)
    name = labels.text(piece.name)
    if made is data and name is piece.name:
        return piece
    return replace(piece, text=piece.text if made is data else made.decode("utf-8", "replace"), name=name)


# ------------------------------------------------------------------------------------------------------------------------


_LEAST = 16 << 10  # bytes: less is searched at once
_LONGEST = 4 << 20  # bytes of a body that is kept
_KEPT_MOST = 8 << 20  # bytes of all that are kept
_CONVERSATIONS = 64
_NAMED_BY = 256  # first bytes, by which a conversation is recognised
_OVERLAP = 2048  # bytes that are searched once more: farther apart no two things belong together, see BESIDE_MOST

# Between two members of a list, outside of any string: a quote that ends a string stands before no letter
_BEHIND = regex(rb'\{"[A-Za-z_]{2,20}": ?[\["{]')
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
