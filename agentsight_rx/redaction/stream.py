"""Pieces of a byte stream -> the same without secrets, also those that are cut: nothing is held back for it."""

from __future__ import annotations

from .names import find_fields
from .redactor import PEM_MOST, Redactor, find_secrets, settled
from .shapes import RUNS, Secret

__all__ = ["SecretStream"]

_TAIL = 64  # bytes kept of what went out: the longest beginning of a secret, or name of a header with the line end before it
_LINE_MOST = 65_536  # of a header value
_PEM_END = b"-----END"

_STARS = bytes(byte if byte in b"\r\n" else b"*"[0] for byte in range(256))


class SecretStream:
    """
    What one direction of a connection, a channel or a body has shown so far, as far as secrets go.

    A secret that began in an earlier piece is overwritten by `*`, byte by byte and up to the end of what it may consist of.
    So is one that has only begun at the end of a piece. Only what already went out is kept, so a snapshot tells no secret.
    """

    __slots__ = ("_run", "_spent", "_tail", "offset")

    def __init__(self) -> None:
        self.offset = -1  # where the next piece is expected; for who feeds it
        self._tail = b"\n"  # the beginning counts as that of a line
        self._run = ""  # what the secret consists of that has not ended, "" if there is none, "fold" behind the end of its line
        self._spent = 0  # bytes of it so far

    def gap(self) -> None:
        """Something is missing here: what comes next is still masked where a secret was open, and begins anew else."""
        self._tail = b"\n"

    def feed(self, data: bytes, /, *, labels: Redactor | None = None, heads: bool = False, last: bool = False) -> bytes:
        """
        The next piece without secrets; `data` itself where there are none. Its length stays the same, unless `labels` puts
        labels into the place of the secrets that it holds as a whole. `heads`: it may hold lines of HTTP heads. `last`: nothing
        comes behind it.
        """
        masked = self._rest(data) if self._run else 0
        if self._run and masked == len(data):
            made = data.translate(_STARS)
            self._tail = (self._tail + made[-_TAIL:])[-_TAIL:]
            return made
        self._run = ""
        begun = data[:masked].translate(_STARS)
        tail = (self._tail + begun[-_TAIL:])[-_TAIL:]
        buffer = tail + data[masked:]
        found = list(find_secrets(buffer, cut=not last))
        if heads:
            found += find_fields(buffer)
        made = self._masked(buffer, len(tail), found, labels) if found else buffer
        self._tail = made[-_TAIL:]
        out = begun + made[len(tail) :]
        return data if out == data else out

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
            parts.append(labels.label(secret.kind, value) if labels is not None and whole else value.translate(_STARS))
            done = secret.end
        return b"".join([*parts, buffer[done:]])

    def _rest(self, data: bytes) -> int:
        """How many bytes of `data` belong to the secret that is open. Where it ends, it is closed by the caller."""
        if self._run == "fold":
            if data and data[:1] not in (b" ", b"\t"):
                return 0
            self._run = "line" if data else "fold"
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
        return [self._tail, self._run, self._spent, self.offset]

    def restore(self, tail: bytes, run: str, spent: int, offset: int, /) -> None:
        self._tail, self._run, self._spent, self.offset = tail, run, spent, offset
