"""What the Python clients share: when they begin, what they ask, and a record of the bodies of a call."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

__all__ = ["CODINGS", "Tap", "prompt", "wait_for_gate"]

CODINGS = ("gzip", "br", "zstd", "deflate", "raw-deflate", "gzip,br", "none")


def wait_for_gate() -> None:
    """Wait for the file named by WAIT_FOR, if that is set."""
    while (path := os.environ.get("WAIT_FOR")) and not Path(path).exists():
        time.sleep(0.01)


def prompt(number: int, size: int) -> str:
    """The prompt of call `number`: short, of `size` bytes and more, or one whose answer has `size` bytes."""
    extra = ("", "x" * size, f"size={size}")[number % 3]
    return f"Call {number} é 模 🙂 {extra}"


class Tap:
    """
    Keeps the bodies of the latest call. It sits between an SDK and its HTTP library, which is httpx or httpx2 depending on the
    version of the SDK, hence `Any`. Of the answer it keeps what the method `reads` returns: `iter_bytes` removes the coding.
    """

    def __init__(self, reads: Literal["iter_raw", "iter_bytes"]) -> None:
        self.coding = ""  # what the next request asks for
        self._reads = reads
        self._request = b""
        self._response = b""

    def ask(self, request: Any) -> None:
        request.headers["x-want-coding"] = self.coding

    def watch(self, response: Any) -> None:
        self._request, self._response = response.request.content, b""
        read = getattr(response, self._reads)

        def watched(chunk_size: int | None = None) -> Iterator[bytes]:
            for part in read(chunk_size):
                self._response += part
                yield part

        setattr(response, self._reads, watched)

    def line(self) -> str:
        """The line of CLIENT_LOG for the latest call."""
        return json.dumps({"request_body_hex": self._request.hex(), "response_body_hex": self._response.hex()})
