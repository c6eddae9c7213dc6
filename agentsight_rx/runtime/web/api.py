"""Requests below /api/v1 -> answers about recordings: lists, a session, bodies on demand, search, a stream of changes."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from gzip import compress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias, TypeVar

import msgspec
from msgspec import Struct
from sse_starlette import EventSourceResponse
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from ...core.errors import StoreError
from ...events import milliseconds
from ...llm.prices import Prices
from ...sinks.web import Feed
from ...view.page import PageError
from ...view.page.machine import Watched
from ...view.queries.sessions.listing import Sums, When, day_of
from ...view.snapshot.snapshot import AUDIT_DEFAULT, read_snapshot
from ..recording.deciding import Deciding
from .importing import NOTHING, Imports
from .lists import asked_of
from .pictures import Pictures
from .recordings import LIVE, Recordings
from .saving import Saving
from .search import SearchIndex
from .stream import Stopped, changes, rows

T = TypeVar("T")
Pack: TypeAlias = Callable[[bytes], bytes]

_LIMIT = 50
_HITS = 40
_HITS_MOST = 200
_WORDS_MOST = 400  # characters of a search
_DAYS_MOST = 62
_BODY_MOST = 64 << 10  # bytes: 500 alerts
_SMALL = 1024  # bytes, below which an answer is not compressed: it is one packet either way
_LEVEL = 4  # of 9: on a session of 502 turns half of the time of 9 or less, for 1 to 14 % more bytes
SEEN = "/api/v1/seen"
PAST = "/api/v1/past"


class Mark(Struct, frozen=True, forbid_unknown_fields=True):
    """What `/seen` takes: ids of alerts of a recording, and whether a person has seen them."""

    recording: str
    alerts: tuple[str, ...]
    seen: bool = True


_MARK = msgspec.json.Decoder(Mark)


class Do(Struct, frozen=True, forbid_unknown_fields=True):
    """What `/past` takes: start or stop."""

    do: str


_DO = msgspec.json.Decoder(Do)


class Api:
    """
    `/recordings` and `/sessions` list what there is; `/r/RECORDING/…` is what `view.page.answer` says of one, and
    `/r/RECORDING/export` a file of it; `/machine` and `/alerts` are about all; `/search` looks through all; `/live` is one
    stream of changes; `/snapshot` is the whole of one in the shape of the original. `/seen` alone takes something: which alerts
    a person has seen, for the file of `deciding`.

    `feed` is there while a run goes on.
    """

    def __init__(
        self,
        recordings: Recordings,
        prices: Prices,
        *,
        feed: Feed | None = None,
        search: SearchIndex | None = None,
        deciding: Deciding | None = None,
        watched: Callable[[], Watched] | None = None,
        imports: Imports | None = None,
    ) -> None:
        self._recordings = recordings
        self._pictures = Pictures(recordings, prices, deciding, watched)
        self._saving = Saving(recordings)
        self._feed = feed
        self._search = search or SearchIndex(recordings)
        self._imports = imports
        self.stopped = Stopped()

    def routes(self) -> list[Route]:
        return [
            Route("/api/v1/snapshot", self._snapshot),
            Route("/api/v1/recordings", self._listed),
            Route("/api/v1/sessions", self._sessions),
            Route("/api/v1/sessions/sums", self._sums),
            Route("/api/v1/compare", self._compared),
            Route("/api/v1/machine", self._machine),
            Route("/api/v1/alerts", self._alerts),
            Route(SEEN, self._seen, methods=["POST"]),
            Route(PAST, self._past, methods=["GET", "POST"]),
            Route("/api/v1/search", self._found),
            Route("/api/v1/live", self._live),
            Route("/api/v1/r/{recording}/export", self._export),
            Route("/api/v1/r/{recording}/{path:path}", self._asked),
        ]

    def close(self) -> None:
        if self._imports is not None:
            self._imports.close()
        self._search.close()

    async def _listed(self, request: Request) -> Response:
        return await _answer(request, lambda: {"live": self._feed is not None, "recordings": self._recordings.listed()})

    async def _sessions(self, request: Request) -> Response:
        limit, behind = _number(request, "limit", _LIMIT), request.query_params.get("before", "")
        given = request.query_params
        return await _answer(request, lambda: self._pictures.rail(limit=limit, behind=behind, asked=asked_of(given)))

    async def _sums(self, request: Request) -> Response:
        given = request.query_params

        def sums() -> Sums:
            asked = asked_of(given)
            when = When(day_of(milliseconds(time.time_ns()), asked.zone), asked.zone)
            return self._pictures.sums(asked.choice, when, by="tokens" if given.get("by") == "tokens" else "cost")

        return await _answer(request, sums)

    async def _compared(self, request: Request) -> Response:
        a, b = (request.query_params.get(name, "") for name in "ab")
        return await _answer(request, lambda: self._pictures.compare(a, b))

    async def _machine(self, request: Request) -> Response:
        return await _answer(request, lambda: self._pictures.machine(_ascending(request.query_params.get("days", ""))))

    async def _alerts(self, request: Request) -> Response:
        start, count = _number(request, "since", 0), _number(request, "count", _LIMIT)
        waiting = request.query_params.get("state", "") == "waiting"
        return await _answer(request, lambda: self._pictures.alerts(start=start, count=count, waiting=waiting))

    async def _seen(self, request: Request) -> Response:
        given = _decoded(_MARK, await _body(request), '{"recording": "…", "alerts": ["…"], "seen": true}')
        return await _answer(request, lambda: {"marked": self._pictures.mark(given.recording, given.alerts, seen=given.seen)})

    async def _past(self, request: Request) -> Response:
        imports = self._imports
        if request.method == "POST":
            if imports is None:
                raise HTTPException(404, "this page shows given recordings, or a run: `serve` without a name imports too")
            wanted = _decoded(_DO, await _body(request), '{"do": "start"}').do
            return await _answer(request, lambda: imports.do(wanted))
        return await _answer(request, lambda: NOTHING if imports is None else imports.state())

    async def _asked(self, request: Request) -> Response:
        recording, path = request.path_params["recording"], _raw_path(request)
        return await _answer(request, lambda: self._pictures.answer(recording, path, dict(request.query_params)))

    async def _export(self, request: Request) -> Response:
        folder = TemporaryDirectory(prefix="agentsight-rx-")
        try:
            given, recording = dict(request.query_params), request.path_params["recording"]
            made = await _apart(lambda: self._saving.save(recording, given, Path(folder.name)))
        except BaseException:
            folder.cleanup()
            raise
        return FileResponse(made, media_type="application/octet-stream", background=BackgroundTask(folder.cleanup))

    async def _found(self, request: Request) -> Response:
        words, limit = request.query_params.get("q", "")[:_WORDS_MOST], min(_number(request, "limit", _HITS), _HITS_MOST)
        return await _answer(request, lambda: self._search.search(words, limit=limit))

    async def _live(self, request: Request) -> Response:
        if request.query_params.get("rows") == "none" or self._feed is None:
            return EventSourceResponse(
                changes(self._pictures, self._feed, self.stopped, open_now=request.query_params.get("recording", "")), sep="\n"
            )
        return EventSourceResponse(rows(self._feed, _last_seen(request, self._feed)), sep="\n")

    async def _snapshot(self, request: Request) -> Response:
        limit = request.query_params.get("audit_limit", str(AUDIT_DEFAULT))
        if not re.fullmatch(r"[0-9]{1,9}", limit):
            raise HTTPException(400, f"audit_limit={limit[:40]!r} is not a count: give a number from 0 to 100000")
        feed, recording = self._feed, request.query_params.get("recording", "")
        return await _answer(
            request,
            lambda: self._stored_snapshot(recording, int(limit)) if feed is None else feed.snapshot(audit_limit=int(limit)),
        )

    def _stored_snapshot(self, recording: str, limit: int) -> object:
        listed = self._recordings.listed()
        id = recording or (listed[0].id if listed else LIVE)
        try:
            store = self._recordings.opened(id).store
        except (KeyError, StoreError) as error:
            raise PageError(f"the recording {id[:80]} cannot be read: {error}") from error
        return read_snapshot(store, now_ms=milliseconds(time.time_ns()), audit_limit=limit)


async def _answer(request: Request, work: Callable[[], object]) -> Response:
    return await _apart(lambda: answered(msgspec.json.encode(work()), request))


def _packed(body: bytes) -> bytes:
    return compress(body, _LEVEL, mtime=0)


def answered(body: bytes, request: Request, /, *, media_type: str = "application/json", pack: Pack = _packed) -> Response:
    """
    As gzip (RFC 1952) where the client takes it. The length of such an answer may show what a secret in it shares with text of
    others, as BREACH does. So no answer has the key of the page, and a client without the key gets no captured text.
    """
    headers = {"vary": "accept-encoding"}
    if len(body) >= _SMALL and _takes_gzip(request.headers.get("accept-encoding", "")):
        body = pack(body)
        headers["content-encoding"] = "gzip"
    return Response(body, media_type=media_type, headers=headers)


def _takes_gzip(accepted: str) -> bool:
    """What Accept-Encoding says (RFC 9110 12.5.3): a coding with `q=0` is refused."""
    for part in accepted.lower().split(","):
        coding, *parameters = (each.strip() for each in part.split(";"))
        if coding in ("gzip", "x-gzip"):
            return not any(re.fullmatch(r"q\s*=\s*0(\.0*)?", each) for each in parameters)
    return False


async def _apart(work: Callable[[], T]) -> T:
    """On a thread of its own: a question to a large recording takes a while, and streams go on."""
    try:
        return await run_in_threadpool(work)
    except PageError as error:
        raise HTTPException(error.status, str(error)) from error
    except StoreError as error:
        raise HTTPException(503, str(error)) from error


def _raw_path(request: Request) -> str:
    """As it was sent: an id of a session may have a slash in it."""
    raw: bytes = request.scope.get("raw_path") or request.url.path.encode()
    return raw.decode("latin-1").partition("?")[0].split("/", 5)[5]


def _number(request: Request, name: str, otherwise: int) -> int:
    given = request.query_params.get(name, str(otherwise))
    if not re.fullmatch(r"[0-9]{1,9}", given):
        raise HTTPException(400, f"{name}={given[:40]!r} is not a count")
    return int(given)


async def _body(request: Request) -> bytes:
    found = bytearray()
    async for chunk in request.stream():
        found += chunk
        if len(found) > _BODY_MOST:
            raise HTTPException(413, f"the request has more than {_BODY_MOST} bytes: send fewer alerts at once")
    return bytes(found)


def _decoded(decoder: msgspec.json.Decoder[T], body: bytes, wanted: str) -> T:
    try:
        return decoder.decode(body)
    except msgspec.DecodeError as error:
        raise HTTPException(400, f"send {wanted}: {error}") from error


def _ascending(text: str) -> list[int]:
    """The begins of days, as numbers with commas between them."""
    parts = text.split(",") if text else []
    if len(parts) > _DAYS_MOST or not all(re.fullmatch(r"[0-9]{1,15}", each) for each in parts):
        raise HTTPException(400, f"days={text[:40]!r} are not the begins of at most {_DAYS_MOST} days in ms")
    return sorted(map(int, parts))


def _last_seen(request: Request, feed: Feed) -> int:
    """The number of the row after which to go on; without one, every row that is kept is sent."""
    given = request.headers.get("last-event-id", "0")
    if not re.fullmatch(r"[0-9]{1,18}", given) or int(given) > feed.last:
        raise HTTPException(400, f"Last-Event-ID {given[:40]!r} is not a row of this capture: read the snapshot again")
    return int(given)
