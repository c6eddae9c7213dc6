"""Protocols: bytes in, values out, without I/O, clock or Rx."""

from __future__ import annotations

from msgspec import Struct


class Unparsed(Struct, frozen=True):
    """
    Bytes that are not the protocol of the decoder (HTTP/1, HTTP/2, WebSocket), or that come from an unknown place in it.

    `at`: offset of the first one in the record that was fed last; negative where it came in an earlier record.
    """

    at: int
    data: bytes
