"""One request to a fake model, and perhaps its answer -> a recording of it, redacted as every recording is."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from agentsight_rx.events import PLAIN, Connection, Event, Headers, HttpRequest, HttpResponse, Origin
from agentsight_rx.operators import merge_sse, remove_auth
from tests.cli.report.story import Story, recorded
from tests.operators import run

__all__ = ["KEY", "answer_of", "request_to", "stored"]

KEY = "sk-ant-api03-QZXW7VYJKQ-ZXWVY7JKQZ_XWVYJ7"
_WALL_NS = 1_764_266_404_000_000_000  # 2025-11-27 18:00:04 UTC


def request_to(base_url: str, target: str, body: bytes, *headers: tuple[str, str], version: str = "HTTP/1.1") -> HttpRequest:
    """As an agent sends it to a server there."""
    place = urlsplit(base_url)
    head: Headers = (("host", place.netloc), ("content-length", str(len(body))), *headers)
    at = Origin(
        1_000_000_000,
        4242,
        comm="agent",
        wall_ns=_WALL_NS,
        connection=Connection(4242, 1, PLAIN if place.scheme == "http" else "libssl.so", 7),
        direction="out",
    )
    return HttpRequest(at, 1, "POST", target, version, headers=head, body=body, end_ns=at.time_ns)


def answer_of(request: HttpRequest, body: bytes, *, kind: str = "application/json", status: int = 200) -> HttpResponse:
    """Its answer, half a second later."""
    asked = request.origin
    at = Origin(
        asked.time_ns + 500_000_000,
        asked.pid,
        comm=asked.comm,
        wall_ns=asked.wall_ns + 500_000_000,
        connection=asked.connection,
        direction="in",
    )
    host = next(value for name, value in request.headers if name == "host")
    return HttpResponse(
        at, 1, status, phrase="", version=request.version, headers=(("content-type", kind),), body=body, end_ns=at.time_ns,
        method=request.method, target=request.target, host=host,
    )  # fmt: skip


def stored(path: Path, *events: Event, redacted: bool = True) -> Path:
    """A store at `path`."""
    given: list[Any] = list(events)
    merged = run(merge_sse(), given)
    story = Story()
    story.events = run(remove_auth(key=bytes(32)), merged) if redacted else [*merged]
    return recorded(path, story)
