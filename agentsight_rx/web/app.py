"""Requests of a browser -> the page, the snapshot and the stream of rows. Without the token nothing captured is sent."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
from base64 import b64encode
from collections.abc import AsyncIterator
from ipaddress import ip_address
from pathlib import Path

import msgspec
from msgspec import Struct
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..loss import Meter, Reason
from ..say import say
from ..sinks.web import Feed
from ..view.snapshot import AUDIT_DEFAULT
from ..view.snapshot_schema import Completeness, value_of

__all__ = ["Access", "application"]

_BEAT_S = 0.075  # how often a stream looks for rows: too short a wait to notice, and long enough for batches
_OPEN_TO_ALL = ("/", "/api/v1/info")  # neither has anything of a capture
_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[^:/@\[\]\s]+)(:\d{1,5})?", re.IGNORECASE)
_INFO = {"protocol_version": 1, "product": "agentsight-rx", "authorization_required": True, "node": None}
_NOTHING_ELSE = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_HEADERS = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


class Access(Struct, frozen=True):
    """Who may read: clients that send `token` and use a name of the address `listen`."""

    token: str
    listen: str = "127.0.0.1"


def application(feed: Feed, access: Access, meter: Meter) -> ASGIApp:
    """
    GET / is the page, /api/v1/info describes the server, /api/v1/snapshot?audit_limit=N and /api/v1/events have the capture.

    The events are one SSE stream: `rows` with an id, `completeness` when it changes, `gap` where rows were evicted, `end`.
    Bugs are counted on `meter`.
    """
    page = Path(__file__).with_name("page.html").read_text("utf-8")
    policy = _page_policy(page)

    async def show_page(_: Request) -> Response:
        return Response(page, media_type="text/html", headers={"content-security-policy": policy})

    async def info(_: Request) -> Response:
        return _json(_INFO)

    async def snapshot(request: Request) -> Response:
        limit = request.query_params.get("audit_limit", str(AUDIT_DEFAULT))
        if not re.fullmatch(r"[0-9]{1,9}", limit):
            raise HTTPException(400, f"audit_limit={limit[:40]!r} is not a count: give a number from 0 to 100000")
        return _json(feed.snapshot(audit_limit=int(limit)))

    async def events(request: Request) -> Response:
        return EventSourceResponse(_stream(feed, _last_seen(request, feed)), sep="\n")

    routes = [
        Route("/", show_page),
        Route("/api/v1/info", info),
        Route("/api/v1/snapshot", snapshot),
        Route("/api/v1/events", events),
    ]
    return _Guard(Starlette(routes=routes, exception_handlers={HTTPException: _answer, Exception: _answer}), access, meter)


def _last_seen(request: Request, feed: Feed) -> int:
    """The number of the row after which to go on; without one, every row that is kept is sent."""
    given = request.headers.get("last-event-id", "0")
    if not re.fullmatch(r"[0-9]{1,18}", given) or int(given) > feed.last:
        raise HTTPException(400, f"Last-Event-ID {given[:40]!r} is not a row of this capture: read the snapshot again")
    return int(given)


async def _stream(feed: Feed, after: int) -> AsyncIterator[ServerSentEvent]:
    """
    Each stream polls the feed, so the writer neither wakes nor waits for readers. A reader that is slower than the rows come
    misses the evicted ones and gets a `gap`.
    """
    sent: Completeness | None = None
    while True:
        ended = feed.ended  # read first: rows from before the end are sent before the end
        stretch = feed.after(after)
        if stretch.gone:
            yield _event("gap", {"count": stretch.gone}, after + stretch.gone)
        if stretch.rows:
            yield _event("rows", [{"type": row.__struct_config__.tag, **value_of(row)} for row in stretch.rows], stretch.last)
        after = stretch.last
        now = feed.completeness()
        if now != sent:
            sent = now
            yield _event("completeness", now)
        more = after != feed.last
        if ended and not more:
            yield _event("end", {})
            return
        await asyncio.sleep(0 if more else _BEAT_S)


def _event(name: str, value: object, number: int | None = None) -> ServerSentEvent:
    return ServerSentEvent(
        msgspec.json.encode(value).decode(), event=name, id=None if number is None else str(number), sep="\n"
    )


def _json(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def _error(status: int, text: str) -> Response:
    return _json({"error": text}, status)


async def _answer(_: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException):
        return _error(error.status_code, error.detail)
    return _error(500, "this is a bug of agentsight-rx; the capture goes on")


def _page_policy(page: str) -> str:
    """The page may use its own script and style, by their hashes, and connect to its own origin; nothing else."""
    hashes = {
        tag: b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for tag, text in re.findall(r"<(script|style)[^>]*>(.*?)</\1>", page, re.DOTALL)
    }
    return (
        f"{_NOTHING_ELSE}; script-src 'sha256-{hashes['script']}'; style-src 'sha256-{hashes['style']}'; "
        "connect-src 'self'; img-src data:; require-trusted-types-for 'script'; trusted-types 'none'"
    )


class _Guard:
    """
    Checks host, origin, method and token of every request, and adds the security headers to every answer.

    The host, because with a foreign name that resolves to this machine (DNS rebinding) a foreign page has our origin.
    """

    def __init__(self, app: ASGIApp, access: Access, meter: Meter) -> None:
        self._app = app
        self._listen = access.listen
        self._bearer = f"Bearer {access.token}".encode()
        self._meter = meter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message["headers"])
                headers.update(_HEADERS)
                headers.setdefault("content-security-policy", _NOTHING_ELSE)
            await send(message)

        try:
            await (self._refusal(scope) or self._app)(scope, receive, sealed)
        except Exception as error:  # a bug of ours; the answer was sent already
            if not self._meter.lost(Reason.BUG):
                say(f"the web page has a bug, what it cannot answer is counted: {error!r}")
            self._meter.lose(Reason.BUG, 1)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            return _error(403, "this host name is not one of this server: use the address that agentsight-rx printed")
        if any(origin != f"http://{hosts[0]}" for origin in headers.getlist("origin")):
            return _error(403, "pages of other origins get no answer")
        if scope["method"] not in ("GET", "HEAD"):
            refused = _error(405, "only GET is answered")
            refused.headers["allow"] = "GET, HEAD"
            return refused
        given = headers.get("authorization", "").encode("latin-1", "replace")
        if scope["path"] not in _OPEN_TO_ALL and not hmac.compare_digest(given, self._bearer):
            refused = _error(401, "a token is needed: open the address that agentsight-rx printed, or send it as bearer token")
            refused.headers["www-authenticate"] = "Bearer"
            return refused
        welcome = scope.get("state", {}).get("welcome")  # of web/connections.py
        if hmac.compare_digest(given, self._bearer) and welcome is not None and not welcome():
            return _error(503, "too many connections are open already: close some")
        return None

    def _is_ours(self, host: str) -> bool:
        """An IP address cannot be rebound: a server that listens on every address accepts any of them."""
        found = _HOST.fullmatch(host)
        if found is None:
            return False
        name = found["name"].strip("[]").lower()
        if name in ("localhost", self._listen):
            return True
        try:
            return ip_address(name).is_loopback or ip_address(self._listen).is_unspecified
        except ValueError:
            return False
