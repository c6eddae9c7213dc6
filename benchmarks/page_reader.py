"""
The address of a page -> one that reads it as a browser does while it is open, until its own input ends.

    python -m benchmarks.page_reader http://127.0.0.1:PORT/#token=TOKEN

At each change it requests what is on the screen, and one tab after the other, and then waits four times as long as that took,
as the page does (`refresh` in frontend/src/state.ts). At the end it prints how often it did.
"""

from __future__ import annotations

import json
import select
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from itertools import cycle
from urllib.parse import urlsplit

__all__ = ["main"]

_RECORDING = "live"
_TABS = ("turns", "timeline", "processes", "files", "network", "mcp", "http")
_PAUSE_S = 0.3  # between two looks at least
_SLOWEST_S = 5.0  # and at most
_PAUSES = 4  # times as long as the look took


def main(url: str) -> int:
    """How often it looked."""
    place = urlsplit(url)
    asking = HTTPConnection(place.netloc, timeout=600)
    head = {"authorization": f"Bearer {place.fragment.removeprefix('token=')}"}

    def get(path: str) -> object:
        asking.request("GET", f"/api/v1/{path}", headers=head)
        answer = asking.getresponse()
        body = answer.read()
        return json.loads(body) if answer.status == 200 else None

    looks = 0
    with suppress(OSError, HTTPException):  # the page has ended
        for tab in _until_the_end():
            get("sessions")
            get(f"r/{_RECORDING}/session/-")
            get(f"r/{_RECORDING}/session/-/{tab}?since=0&count=200")
            get(f"r/{_RECORDING}/health")
            looks += 1
    return looks


def _until_the_end() -> Iterator[str]:
    for tab in cycle(_TABS):
        began = time.monotonic()
        yield tab
        pause_s = min(_SLOWEST_S, max(_PAUSE_S, _PAUSES * (time.monotonic() - began)))
        if select.select([sys.stdin], [], [], pause_s)[0]:
            return


if __name__ == "__main__":
    print(main(sys.argv[1]))
