"""What the decoders of HTTP/1, HTTP/2 and WebSocket emit for bytes that are not their protocol."""

from __future__ import annotations

from msgspec import Struct


class Unparsed(Struct, frozen=True):
    """
    Bytes that are not the decoder's protocol, or that come from an unknown place in it.

    `at`: offset of the first one in the record that was fed last; negative where it came in an earlier record.
    """

    at: int
    data: bytes
