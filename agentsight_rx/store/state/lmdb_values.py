"""The value of a row <-> the bytes that LMDB holds: short values are compressed by a dictionary that is in the store."""

from __future__ import annotations

from functools import lru_cache
from threading import local

import zstandard

from ...core.errors import StoreError
from .table import Table

__all__ = ["DICTIONARY", "LEAST", "Values"]

DICTIONARY = Table("dictionary", bytes)  # one row

_COMPRESSED = b"\xc1"  # no value of msgpack begins with it
LEAST, _MOST = 48, 16 << 10  # bytes of a value; a longer one is compressed already, or needs no dictionary
_FORMAT = zstandard.FORMAT_ZSTD1_MAGICLESS
_LEVEL = 3
_CONTENTS_MOST = 4  # of many values, that are kept: some 60 KB each


class Values:
    """
    Values as bytes, packed and unpacked. Rows of a few hundred bytes repeat the names of their fields and little else within
    themselves: compressed alone they keep most of their size, with typical rows as a dictionary a third.
    """

    def __init__(self, dictionary: bytes | None = None) -> None:
        self._known = (
            zstandard.ZstdCompressionDict(dictionary, dict_type=zstandard.DICT_TYPE_RAWCONTENT) if dictionary else None
        )
        if self._known is not None:
            self._known.precompute_compress(level=_LEVEL)  # pyright: ignore[reportUnknownMemberType]  # stubs without types
        self._mine = local()  # a compressor is for one thread
        self._decompressed = lru_cache(_CONTENTS_MOST)(self._decompress)

    def pack(self, value: bytes, /) -> bytes:
        """A single value, compressed only where a dictionary helps."""
        if self._known is None or not LEAST <= len(value) <= _MOST:
            return value
        packed = self.compress(value)
        return _COMPRESSED + packed if len(packed) + 1 < len(value) else value

    def unpack(self, raw: bytes, /) -> bytes:
        """Raises StoreError for what `pack` did not make."""
        if raw[:1] != _COMPRESSED:
            return raw
        if self._known is None:
            raise StoreError("The dictionary of the store is missing: use a whole copy of it.")
        return self._decompress(raw[1:])

    def compress(self, content: bytes, /) -> bytes:
        """Many values together."""
        found: zstandard.ZstdCompressor | None = getattr(self._mine, "compressor", None)
        if found is None:
            asked = zstandard.ZstdCompressionParameters.from_level(  # pyright: ignore[reportUnknownMemberType]
                _LEVEL, format=_FORMAT, write_content_size=True, write_checksum=False, write_dict_id=False
            )
            found = self._mine.compressor = zstandard.ZstdCompressor(dict_data=self._known, compression_params=asked)
        return found.compress(content)

    def decompress(self, content: bytes, /) -> bytes:
        """The same content is often asked for again. Raises StoreError for what `compress` did not make."""
        return self._decompressed(content)

    def _decompress(self, content: bytes) -> bytes:
        found: zstandard.ZstdDecompressor | None = getattr(self._mine, "decompressor", None)
        if found is None:
            found = self._mine.decompressor = zstandard.ZstdDecompressor(dict_data=self._known, format=_FORMAT)
        try:
            return found.decompress(content)
        except zstandard.ZstdError as error:
            raise StoreError(f"A compressed row of the store cannot be read ({error}): use a whole copy of it.") from error
