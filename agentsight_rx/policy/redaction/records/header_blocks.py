"""Header blocks of HTTP/2 (HPACK, RFC 7541) in raw records -> the same with the values that are secrets overwritten."""

from __future__ import annotations

from collections import deque

from hpack.exceptions import HPACKDecodingError
from hpack.huffman_table import decode_huffman
from hpack.table import HeaderTable

from ....wire.hpack_fields import read_integer
from ..find import find_secrets
from ..names import is_secret_header

__all__ = ["HeaderBlocks"]

_STATIC = [name.decode() for name, _ in HeaderTable.STATIC_TABLE]
_NAMES_MOST = 512  # of the dynamic table, which has 4 KiB in most programs and 32 bytes for each entry at least
_UNKNOWN = ""  # the name of an entry that was not seen
_PLAIN, _CODED = b"*", b"\xf9"  # an asterisk, as it is and in Huffman's code (RFC 7541 appendix B)


class HeaderBlocks:
    """
    The blocks of one direction. Of the table only the names are kept, so that a snapshot contains no secret.

    A block that is not whole in one piece is overwritten: where its fields begin is not known, and nothing may be held back.
    """

    def __init__(self) -> None:
        self.names: deque[str] = deque(maxlen=_NAMES_MOST)  # newest first

    def lose(self) -> None:
        """A block was not read: which entries the table has is not known."""
        self.names.clear()
        self.names.extend([_UNKNOWN] * _NAMES_MOST)

    def masked(self, block: bytes) -> bytes:
        """A whole block."""
        made = bytearray(block)
        try:
            at = 0
            while at < len(block):
                at = self._field(block, at, made)
        except (HPACKDecodingError, IndexError):  # IndexError: it ends within a field
            self.lose()
            return _PLAIN * len(block)
        return bytes(made)

    def _field(self, block: bytes, at: int, made: bytearray) -> int:
        first = block[at]
        if first >= 0x80:
            return read_integer(block, at, 0x7F)[1]
        if first & 0xE0 == 0x20:  # the size of the table
            return read_integer(block, at, 0x1F)[1]
        index, at = read_integer(block, at, 0x3F if first >= 0x40 else 0x0F)
        if index:
            name = self._name(index)
        else:
            text, at, _ = _string(block, at)
            name = text.decode("latin-1").lower()
        value, end, start = _string(block, at)
        if name == _UNKNOWN or is_secret_header(name) or find_secrets(value):
            made[start:end] = (_CODED if block[at] & 0x80 else _PLAIN) * (end - start)
        if first >= 0x40:
            self.names.appendleft(name)
        return end

    def _name(self, index: int) -> str:
        if index <= len(_STATIC):
            return _STATIC[index - 1]
        place = index - len(_STATIC) - 1
        return self.names[place] if place < len(self.names) else _UNKNOWN


def _string(block: bytes, at: int) -> tuple[bytes, int, int]:
    """The string at `at` (RFC 7541 5.2), where it ends, and where its octets begin."""
    length, start = read_integer(block, at, 0x7F)
    end = start + length
    if end > len(block):
        raise HPACKDecodingError("a string longer than its block")
    text = block[start:end]
    return (decode_huffman(text) if block[at] & 0x80 else text), end, start
