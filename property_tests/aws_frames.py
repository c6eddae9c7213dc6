"""An encoder of Amazon Event Stream frames, by the specification."""

from __future__ import annotations

import base64
import json
import struct
from zlib import crc32

__all__ = ["chunk", "event", "failure", "frame"]

Header = tuple[str, int, bytes]  # name, type and encoded value


def frame(payload: bytes, *headers: tuple[str, str], raw: tuple[Header, ...] = ()) -> bytes:
    """A frame with headers that are strings, behind those in `raw`."""
    block = b"".join(_header(name, kind, value) for name, kind, value in raw)
    block += b"".join(_header(name, 7, struct.pack(">H", len(text.encode())) + text.encode()) for name, text in headers)
    prelude = struct.pack(">II", len(block) + len(payload) + 16, len(block))
    begun = prelude + struct.pack(">I", crc32(prelude)) + block + payload
    return begun + struct.pack(">I", crc32(begun))


def _header(name: str, kind: int, value: bytes) -> bytes:
    return bytes([len(name)]) + name.encode() + bytes([kind]) + value


def event(kind: str, data: str) -> bytes:
    headers = ((":event-type", kind), (":content-type", "application/json"), (":message-type", "event"))
    return frame(data.encode(), *headers)


def chunk(inner: str) -> bytes:
    """An event of a model's own API, as InvokeModelWithResponseStream of Bedrock wraps it."""
    return event("chunk", json.dumps({"bytes": base64.b64encode(inner.encode()).decode(), "p": "abcdefghijk"}))


def failure(kind: str, message: str) -> bytes:
    headers = ((":exception-type", kind), (":content-type", "application/json"), (":message-type", "exception"))
    return frame(json.dumps({"message": message}).encode(), *headers)
