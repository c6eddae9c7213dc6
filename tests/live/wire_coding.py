"""Parts of a body -> coded parts, each decodable at once; and a coded request body -> the decoded body."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

import brotli  # type: ignore[import-untyped]  # it has no types
import zstandard

__all__ = ["CODINGS", "agreed", "content_encoding", "decoded", "encoded"]

_brotli: Any = brotli
_GZIP, _ZLIB, _RAW = 31, 15, -15  # zlib's window bits, which also choose the wrapper of the data


def agreed(wanted: str, accept_encoding: str) -> tuple[str, ...]:
    """
    The names of `CODINGS` to apply, in this order: those in `wanted`, a comma list, if the client takes them all (RFC 9110,
    section 12.5.3), else none. ValueError: there is no such coding.
    """
    names = tuple(name for name in (part.strip() for part in wanted.split(",")) if name not in ("", "none"))
    if unknown := set(names) - CODINGS.keys():
        raise ValueError(f"no such coding: {', '.join(sorted(unknown))}; there are {', '.join(CODINGS)}")
    accepted = _accepted(accept_encoding)
    return names if all(_token(name) in accepted for name in names) else ()


def _accepted(accept_encoding: str) -> set[str]:
    accepted: set[str] = set()
    for item in accept_encoding.split(","):
        token, _, weight = item.partition(";")
        if not weight.strip() or float(weight.strip().removeprefix("q=")):
            accepted.add(token.strip().lower())
    return accepted


def content_encoding(names: Sequence[str]) -> str:
    """The header's value for codings that were applied in this order."""
    return ", ".join(map(_token, names))


def _token(name: str) -> str:
    return "deflate" if name == "raw-deflate" else name


def encoded(names: Sequence[str], parts: Iterable[bytes], *, flush: bool) -> Iterator[bytes]:
    """One coded part for each of `parts`, and one more that ends the codings. With `flush` each part can be decoded at once."""
    coders = [CODINGS[name]() for name in names]
    for part in parts:
        coded = part
        for coder in coders:
            coded = coder.code(coded) + (coder.flush() if flush else b"")
        yield coded
    end = b""
    for coder in coders:
        end = coder.code(end) + coder.end()
    yield end


def decoded(body: bytes, content_encoding: str) -> bytes:
    """A request body without its codings (RFC 9110, section 8.4). ValueError: it is not coded like this."""
    for token in reversed([token for part in content_encoding.split(",") if (token := part.strip().lower())]):
        if token not in _DECODERS:
            raise ValueError(f"the content coding {token!r} is not known here")
        try:
            body = _DECODERS[token](body)
        except (zlib.error, _brotli.error, zstandard.ZstdError) as error:
            raise ValueError(f"the body is not {token}: {error}") from error
    return body


class _Coder(Protocol):
    def code(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...
    def end(self) -> bytes: ...


class _Zlib:
    def __init__(self, window: int) -> None:
        self._coder = zlib.compressobj(wbits=window)

    def code(self, data: bytes, /) -> bytes:
        return self._coder.compress(data)

    def flush(self) -> bytes:
        return self._coder.flush(zlib.Z_SYNC_FLUSH)

    def end(self) -> bytes:
        return self._coder.flush(zlib.Z_FINISH)


class _Brotli:
    def __init__(self) -> None:
        self._coder: Any = _brotli.Compressor(quality=4)

    def code(self, data: bytes, /) -> bytes:
        return bytes(self._coder.process(data))

    def flush(self) -> bytes:
        return bytes(self._coder.flush())

    def end(self) -> bytes:
        return bytes(self._coder.finish())


class _Zstd:
    def __init__(self) -> None:
        self._coder = zstandard.ZstdCompressor().compressobj()

    def code(self, data: bytes, /) -> bytes:
        return self._coder.compress(data)

    def flush(self) -> bytes:
        return self._coder.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)

    def end(self) -> bytes:
        return self._coder.flush(zstandard.COMPRESSOBJ_FLUSH_FINISH)


CODINGS: dict[str, Callable[[], _Coder]] = {
    "gzip": lambda: _Zlib(_GZIP),
    "deflate": lambda: _Zlib(_ZLIB),
    "raw-deflate": lambda: _Zlib(_RAW),  # wrong, but some servers send it as deflate
    "br": _Brotli,
    "zstd": _Zstd,
}
_DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "identity": lambda body: body,
    "gzip": lambda body: zlib.decompress(body, _GZIP),
    "deflate": lambda body: zlib.decompress(body, _ZLIB),
    "br": lambda body: bytes(_brotli.decompress(body)),
    "zstd": lambda body: zstandard.ZstdDecompressor().decompressobj().decompress(body),
}
