"""
Bytes after an HTTP/1 head -> bytes of the body and its end: chunked, by length, or until the close (RFC 9112 6.3, 7.1).

Longer than 300 lines because chunks that are whole in a record are read in a fast way besides the general one.
"""

from __future__ import annotations

from typing import Literal, Protocol, Self, TypeAlias

from msgspec import Struct
from msgspec import field as default
from msgspec.structs import replace

from ..core.start import regex
from ..events import Headers
from .http1_head import LONGEST_HEAD, ResponseHead, by_hand, field, headers_of

LONGEST_LINE = 4096  # bytes of a chunk size with its extensions

# First line of a record that is exactly one chunk, by the size of the record: a look-up is faster than to parse the line
_CHUNK_LINES = {size + len(line) + 2: line for size in range(1, 4096) for line in (b"%x\r\n" % size,)}
chunk_line = _CHUNK_LINES.get

_EMPTY_LINE = regex(rb"\n\r*\n")
_CHUNK_SIZE = regex(rb"[0-9A-Fa-f]{1,16}\Z")
_JOINED_LEAST = 32  # bytes: no event of a stream is shorter
_CHUNK_LINE = regex(rb"([0-9A-Fa-f]{1,16})\r\n")


class Body(Struct, frozen=True):
    """Bytes of a body without its framing. `lost` bytes are missing before them. `size`: bytes on the wire, with framing."""

    data: bytes
    lost: int = 0
    size: int = 0


class End(Struct, frozen=True):
    """The message ends. `reason`: why it is incomplete. `size`: bytes of framing since the last Body."""

    reason: str | None = None
    size: int = 0
    trailers: Headers = ()


class _Bodies(Protocol):
    """A list that takes bodies among other items."""

    def append(self, body: Body, /) -> None: ...


class _Reader(Struct, array_like=True):
    """Reads one body, from the first byte after its head."""

    lost: int = 0  # bytes missing since the last Body
    damage: str | None = None  # why the body is incomplete: the reason of the last gap, or a limit
    left: int = 0  # bytes of the body, or of this chunk, that are announced and not yet read
    ended: bool = False  # the whole body, framing included, was read

    def read(self, data: bytes, at: int, out: _Bodies) -> int:
        """
        Read on from `at` and append the bytes of the body; return where reading stopped.

        That is the end of `data`, the end of the body (`ended`), or else the beginning of a line that is malformed.
        """
        raise NotImplementedError

    def skip(self, size: int, reason: str) -> bool:
        """`size` bytes are missing here, for `reason`. False, and nothing changes, where the body may end within them."""
        raise NotImplementedError

    def spent(self) -> int:
        """Bytes of framing that were read since the last Body."""
        return 0

    def unfinished(self) -> bytes:
        """The line of framing that was read in part."""
        return b""

    def trailers(self) -> Headers:
        return ()

    def copy(self) -> Self:
        return replace(self)


class UntilClose(_Reader, tag="close"):
    """The body of a response without a length: it ends when the connection is closed."""

    def read(self, data: bytes, at: int, out: _Bodies) -> int:
        out.append(Body(data[at:] if at else data, self.lost, len(data) - at))
        self.lost = 0
        return len(data)

    def skip(self, size: int, reason: str) -> bool:
        self.lost += size
        self.damage = reason
        return True


class ByLength(_Reader, tag="length"):
    """A body whose size is its Content-Length."""

    def read(self, data: bytes, at: int, out: _Bodies) -> int:
        end = min(len(data), at + self.left)
        part = data if at == 0 and end == len(data) else data[at:end]
        out.append(Body(part, self.lost, len(part)))
        self.lost = 0
        self.left -= len(part)
        self.ended = not self.left
        return end

    def skip(self, size: int, reason: str) -> bool:
        if size > self.left:
            return False
        self.left -= size
        self.ended = not self.left
        self.lost += size
        self.damage = reason
        return True


# The next part of a chunked body: the line with the size of a chunk, its data, the line end after the data, or a line of the
# trailer section, whose empty line ends the body
_Place: TypeAlias = Literal["size", "data", "data end", "trailer"]


class Chunked(_Reader, tag="chunked"):
    """A body in chunks, each after a line with its size; one of size 0 and the trailer section end it."""

    place: _Place = "size"
    framing: int = 0  # bytes of whole lines since the last Body
    line: bytearray = default(default_factory=bytearray)  # the line that was read in part
    fields: bytearray = default(default_factory=bytearray)  # the trailer section, each line with its LF

    def between(self) -> bool:
        """True where a chunk may begin and no bytes are held."""
        return self.place == "size" and not (self.line or self.lost or self.framing)

    def read(self, data: bytes, at: int, out: _Bodies) -> int:
        while at < len(data) and not self.ended:
            if self.place == "data":
                at = self._data(data, at, out)
                continue
            if self.place == "size" and not self.line:
                at = self._whole(data, at, out)
                if at == len(data):
                    break
            stop = self._framing(data, at)
            if stop == at:
                return at
            at = self._skip_trailers(data, stop) if self.place == "trailer" and not self.ended else stop
        return at

    def _whole(self, data: bytes, at: int, out: _Bodies) -> int:
        """
        Read the chunks from `at` on that are whole in `data`, as one Body; return where they end. Small ones are left to the
        general way, which takes four times as long and makes a Body of each: many of them are a flood.
        """
        parts: list[bytes] = []
        begin = at
        line = _CHUNK_LINE.match(data, at)
        while line is not None:
            end = line.end() + int(line[1], 16)
            if end - line.end() < _JOINED_LEAST or not data.startswith(b"\r\n", end):
                break
            parts.append(data[line.end() : end])
            at = end + 2
            line = _CHUNK_LINE.match(data, at)
        if parts:
            out.append(Body(parts[0] if len(parts) == 1 else b"".join(parts), self.lost, self.framing + at - begin))
            self.lost = self.framing = 0
        return at

    def _data(self, data: bytes, at: int, out: _Bodies) -> int:
        end = min(len(data), at + self.left)
        part = data if at == 0 and end == len(data) else data[at:end]
        self.left -= len(part)
        if not self.left:
            self.place = "data end"
            if data.startswith(b"\r\n", end):  # else what this line end takes would keep the next record from the fast way
                self.place = "size"
                end += 2
        out.append(Body(part, self.lost, self.framing + end - at))
        self.lost = self.framing = 0
        return end

    def _framing(self, data: bytes, at: int) -> int:
        """Read the line that begins or continues at `at`; return where it stops, `at` itself if it is malformed."""
        end = data.find(b"\n", at)
        stop = len(data) if end < 0 else end + 1
        if len(self.line) + stop - at > (LONGEST_HEAD if self.place == "trailer" else LONGEST_LINE):
            return at
        if end < 0:
            self.line += data[at:]
            return stop
        line = bytes(self.line) + data[at:stop]
        if not self._take(line.strip(b"\r\n")):
            return at
        self.framing += len(line)
        self.line.clear()
        return stop

    def _skip_trailers(self, data: bytes, at: int) -> int:
        """Trailers that are not kept, many at a time: those before the empty line, or before the end of the last whole line."""
        if self.damage != "trailer_limit" or self.line or len(data) > LONGEST_HEAD:
            return at
        found = _EMPTY_LINE.search(data, at - 1)  # the LF of the line before
        stop = max(at, found.start() + 1 if found else data.rfind(b"\n", at) + 1)
        self.framing += stop - at
        return stop

    def _take(self, line: bytes) -> bool:
        """Take one whole line of framing; False if it is malformed."""
        if self.place == "data end":
            self.place = "size"
            return not line
        if self.place == "trailer":
            if not line:
                self.ended = True
            elif self.damage != "trailer_limit" and len(self.fields) + len(line) < LONGEST_HEAD:
                self.fields += line + b"\n"
            else:
                self.damage = self.damage or "trailer_limit"
            return True
        size = line.partition(b";")[0].strip(b" \t")
        if not _CHUNK_SIZE.match(size):
            return False
        self.left = int(size, 16)
        self.place = "data" if self.left else "trailer"
        return True

    def skip(self, size: int, reason: str) -> bool:
        if self.place != "data" or size > self.left:
            return False
        self.left -= size
        self.lost += size
        self.damage = reason
        if not self.left:
            self.place = "data end"
        return True

    def spent(self) -> int:
        return self.framing

    def unfinished(self) -> bytes:
        return bytes(self.line)

    def trailers(self) -> Headers:
        return headers_of(by_hand(b"\n" + bytes(self.fields))[1]) if self.fields else ()

    def copy(self) -> Self:
        return replace(self, line=bytearray(self.line), fields=bytearray(self.fields))


BodyReader: TypeAlias = UntilClose | ByLength | Chunked


# -- which framing a head announces, in the order of RFC 9112 6.3 -----------------------------------------------------------

_NO_BODY = End()
_UNKNOWN_LENGTH = End("malformed")


def request_body(headers: Headers) -> BodyReader | End:
    """The reader of a request's body; if there is none, or its length is unknown, the End that follows the head at once."""
    coding = field(headers, "transfer-encoding")
    if coding is not None:
        return Chunked() if _is_chunked(coding) else _UNKNOWN_LENGTH
    return _by_length(headers) or _NO_BODY


def response_body(head: ResponseHead, method: str | None) -> BodyReader | End:
    """The same for the response to a request with `method`; None: unknown."""
    if method == "HEAD" or head.status < 200 or head.status in (204, 304):
        return _NO_BODY
    if method == "CONNECT" and head.status < 300:
        return _NO_BODY
    coding = field(head.headers, "transfer-encoding")
    if coding is not None:
        return Chunked() if _is_chunked(coding) else UntilClose()
    return _by_length(head.headers) or UntilClose()


def _is_chunked(coding: str) -> bool:
    return coding.rpartition(",")[2].strip(" \t").lower() == "chunked"


def _by_length(headers: Headers) -> ByLength | End | None:
    """The body that Content-Length announces; None: there is no Content-Length."""
    values = {part.strip(" \t") for key, value in headers if key == "content-length" for part in value.split(",")}
    if not values:
        return None
    value = values.pop()
    if values or not (value.isascii() and value.isdigit() and len(value) <= 18):
        return _UNKNOWN_LENGTH
    left = int(value)
    return ByLength(left=left) if left else _NO_BODY
