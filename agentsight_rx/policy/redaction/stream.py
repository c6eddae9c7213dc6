"""Pieces of a byte stream -> the same without secrets, even cut ones, without holding any bytes back."""

from __future__ import annotations

from .fields import find_fields
from .find import PEM_MOST, find_secrets
from .redactor import Redactor, settled
from .secret import RUNS, Secret
from .shapes import BESIDE_MOST, find_beside
from .strings import begun_octet, continued, is_open_string

__all__ = ["SecretStream"]

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
