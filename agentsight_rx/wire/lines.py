"""Bytes of a stream -> its lines, over any cut and any gap; and whether bytes of a stream are text."""

from __future__ import annotations

from msgspec import Struct, field

from ..core.start import regex

LONGEST = 16 << 20  # bytes of a line: the answer of a tool with a picture in base64 fits
TEXT_MOST = 4096  # bytes kept of a line that is not JSON: enough to see what it is


class Line(Struct, frozen=True):
    """
    One line without its end. With a gap in it, `head` are the bytes before the gap and `tail` those after it.

    `size` counts its captured bytes, `lost` the bytes that were not captured or not kept. `ended` is False if the stream ended
    before the line did.
    """

    head: bytes
    tail: bytes | None = None
    size: int = 0
    lost: int = 0
    ended: bool = True


class LineDecoder(Struct):
    """
    Cuts one stream at LF, and only there: CR, U+2028 and the like are part of a line; a CR right before the LF is not.

    Of a line that is not JSON the first 4 KiB are kept, of any other up to `longest` bytes. The rest is counted.
    """

    longest: int = LONGEST
    _head: bytearray = field(default_factory=bytearray)
    _tail: bytearray | None = None
    _size: int = 0
    _lost: int = 0
    _text: bool | None = None  # it is not JSON; None: it is blank so far
    _cr: bool = False  # its last byte so far is a CR

    def feed(self, data: bytes, /) -> list[Line]:
        """The lines that these bytes complete."""
        *ended, rest = data.split(b"\n")
        lines: list[Line] = []
        if ended and self._begun():
            self._keep(ended[0])
            lines.append(self._line())
            del ended[0]
        lines += [Line(part.removesuffix(b"\r"), None, len(part) + 1) for part in ended]
        if rest:
            self._keep(rest)
        return lines

    def gap(self, size: int, /) -> None:
        """`size` bytes are missing here. They may contain line ends."""
        self._lost += size + len(self._tail or b"")
        self._tail = bytearray()
        self._cr = False

    def finish(self) -> list[Line]:
        """The stream ends: the line that has no end."""
        return [self._line(ended=False)] if self._begun() else []

    @property
    def in_hole(self) -> bool:
        """True while nothing came after a gap, so that the line may have ended in it."""
        return self._tail is not None and not self._tail

    def held(self) -> int:
        """Captured bytes of the line that has not ended."""
        return self._size

    def _begun(self) -> bool:
        return self._size > 0 or self._tail is not None

    def _keep(self, part: bytes) -> None:
        self._size += len(part)
        self._cr = part.endswith(b"\r") if part else self._cr
        if self._tail is None:
            self._head += part
            if self._text is None:
                self._text = is_text(part)
        else:
            self._tail += part
        most = TEXT_MOST if self._text and self._tail is None else self.longest
        if len(self._head) + len(self._tail or b"") > most:
            self._shorten()

    def _shorten(self) -> None:
        self._text = True
        before = len(self._head) + len(self._tail or b"")
        del self._head[TEXT_MOST:]
        if self._tail is not None:
            del self._tail[:-TEXT_MOST]
        self._lost += before - len(self._head) - len(self._tail or b"")

    def _line(self, *, ended: bool = True) -> Line:
        head, tail, lost = bytes(self._head), None if self._tail is None else bytes(self._tail), self._lost
        if ended and self._cr:
            if tail is not None:
                tail = tail.removesuffix(b"\r")
            elif lost:
                lost -= 1
            else:
                head = head.removesuffix(b"\r")
        line = Line(head, tail, size=self._size + ended, lost=lost, ended=ended)
        self._head.clear()
        self._tail, self._size, self._lost, self._text, self._cr = None, 0, 0, None, False
        return line


_FIRST = regex(rb"[ \t\r]*([^ \t\r])")


def first_byte(line: bytes | bytearray) -> bytes:
    """The first byte of a line that is not blank; b"": there is none."""
    found = _FIRST.match(line)
    return found[1] if found else b""


def is_text(line: bytes | bytearray) -> bool | None:
    """Does the line begin like no JSON object or array? None: it is blank so far."""
    first = first_byte(line)
    return first not in (b"{", b"[") if first else None


_CONTROL = regex(rb"[\x00-\x06\x0e-\x1a\x1c-\x1f]")  # all except bell, backspace, white space and escape
_CUT = regex(rb"\A[\x80-\xbf]{1,3}|[\xc2-\xf4][\x80-\xbf]{0,2}\Z")  # parts of a character at either end


def is_binary(data: bytes) -> bool:
    """Are these bytes, cut out of a stream, not text?"""
    data = data[:TEXT_MOST]
    if data.isascii():
        return _CONTROL.search(data) is not None
    try:
        _CUT.sub(b"", data).decode()
    except UnicodeDecodeError:
        return True
    return _CONTROL.search(data) is not None
