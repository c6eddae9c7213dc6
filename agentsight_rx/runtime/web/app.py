"""Requests of a browser -> the page, the snapshot and the stream of rows. Without the token nothing captured is sent."""

from __future__ import annotations

import hmac
import re
from base64 import b64encode
from collections.abc import Callable
from functools import cache
from gzip import compress
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path

import msgspec
from msgspec import Struct
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ...core.messages import say
from ...core.start import regex
from ...events.loss import Meter, Reason
from ...view.page import Embedded
from .api import PAST, SEEN, Api, answered

# -- assets --------------------------------------------------------------------------------------------------------
# The built page -> its files as text; where it was not built, a page that says how to build it.


_DIST = Path(__file__).with_name("dist")
FALLBACK = Path(__file__).with_name("fallback.html")
_PAGES = ("/", "/home", "/alerts", "/sessions")
PAGE_PREFIXES = ("/s/", "/compare/")  # of other addresses of the page


class Asset(Struct, frozen=True):
    """One file of the page."""

    type: str
    text: str


@cache
def compressed(file: bytes, /) -> bytes:
    """A file of the page as gzip, made once: a quarter of its size."""
    return compress(file, mtime=0)


class Bundle(Struct, frozen=True):
    """
    The page as built: `html` loads `/assets/app.js` and `/assets/app.css`, which are `script` and `style`. The script loads
    `rest` when a part that it has is first shown, and `whole` is one script of both.
    """

    html: str
    script: str
    style: str
    rest: str
    whole: str

    def asset(self, path: str, /) -> Asset | None:
        """The file that a browser requests at `path`."""
        match path:
            case "/assets/app.js":
                return Asset("text/javascript", self.script)
            case "/assets/rest.js":
                return Asset("text/javascript", self.rest)
            case "/assets/app.css":
                return Asset("text/css", self.style)
            case _:
                return None


def single_file(built: Bundle, embedded: Embedded, /) -> bytes:
    """
    The page as one file that needs no server and loads nothing. Only its own script and style run, by their hashes: captured
    text would not, even if it came out of its place, and it cannot, since its JSON has no `<`.
    """
    script = re.sub("<(?=/script|!--)", r"\\x3c", built.whole, flags=re.IGNORECASE)  # in the text of a script
    style = built.style.replace("</", "<\\/")
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; "
        f"script-src {_hash(script)}; style-src {_hash(style)}; require-trusted-types-for 'script'; trusted-types 'none'"
    )
    found = msgspec.json.encode(embedded)
    for char in "<\u2028\u2029":
        found = found.replace(char.encode(), f"\\u{ord(char):04x}".encode())
    head = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="content-security-policy" content="{policy}">'
        '<meta name="referrer" content="no-referrer">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>agentsight-rx</title>'
        f'<link rel="icon" href="data:,"><style>{style}</style></head><body><div id="app"></div>'
        '<script id="embedded" type="application/json">'
    )
    return b"".join((head.encode(), found, f'</script><script type="module">{script}</script></body></html>\n'.encode()))


def _hash(text: str) -> str:
    """As a content security policy names it (CSP Level 3, 2.3.1)."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


@cache
def bundle() -> Bundle | None:
    """None where the page was not built."""
    try:
        html, *assets = (
            (_DIST / name).read_text("utf-8")
            for name in ("index.html", "assets/app.js", "assets/app.css", "assets/rest.js", "assets/whole.js")
        )
        script, style, rest, whole = assets
        return Bundle(html, script, style, rest=rest, whole=whole)
    except OSError:
        return None


# ------------------------------------------------------------------------------------------------------------------------


_OPEN_TO_ALL = (
    *_PAGES,
    "/api/v1/info",
    "/assets/app.js",
    "/assets/rest.js",
    "/assets/app.css",
)  # none has anything of a capture
_HOST = regex(r"(?P<name>\[[0-9a-f:.]+\]|[^:/@\[\]\s]+)(:\d{1,5})?", re.IGNORECASE)
_INFO = {"protocol_version": 1, "product": "agentsight-rx", "authorization_required": True, "node": None}
_NOTHING_ELSE = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_PAGE_POLICY = (
    f"{_NOTHING_ELSE}; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
_FALLBACK_POLICY = f"{_NOTHING_ELSE}; style-src 'unsafe-inline'; img-src data:"  # it has no script and nothing captured
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


def application(api: Api, access: Access, meter: Meter) -> ASGIApp:
    """
    GET /, /home, /alerts, /sessions, /compare/… and /s/… are the page, /assets/… its files, and
    /api/v1/info describes the server; the rest of /api/v1 is in runtime/web/api.py.

    Bugs are counted on `meter`.
    """

    async def show_page(_: Request) -> Response:
        built = bundle()
        text = FALLBACK.read_text("utf-8") if built is None else built.html
        policy = _FALLBACK_POLICY if built is None else _PAGE_POLICY
        return Response(text, media_type="text/html", headers={"content-security-policy": policy})

    async def show_asset(request: Request) -> Response:
        built = bundle()
        asset = built.asset(request.url.path) if built is not None else None
        if asset is None:
            raise HTTPException(404, "the page has no such file")
        return answered(asset.text.encode(), request, media_type=asset.type, pack=compressed)

    async def info(_: Request) -> Response:
        return _json(_INFO)

    routes = [
        *(Route(path, show_page) for path in (*_PAGES, *(f"{prefix}{{rest:path}}" for prefix in PAGE_PREFIXES))),
        Route("/assets/{name}", show_asset),
        Route("/api/v1/info", info),
        *api.routes(),
    ]
    return Guard(Starlette(routes=routes, exception_handlers={HTTPException: _answer, Exception: _answer}), access, meter)


def _json(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def _error(status: int, text: str) -> Response:
    return _json({"error": text}, status)


async def _answer(_: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException):
        return _error(error.status_code, error.detail)
    return _error(500, "this is a bug of agentsight-rx; the capture goes on")


def _methods(path: str) -> tuple[str, ...]:
    return ("POST",) if path == SEEN else ("GET", "HEAD", "POST") if path == PAST else ("GET", "HEAD")


class Guard:
    """
    Checks host, origin, method and token of every request, and adds the security headers to every answer.

    The host, because with a foreign name that resolves to this machine (DNS rebinding) a foreign page has our origin.
    """

    def __init__(
        self, app: ASGIApp, access: Access, meter: Meter, *, methods: Callable[[str], tuple[str, ...]] = _methods
    ) -> None:
        self._app = app
        self._methods = methods
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
        allowed = self._methods(scope["path"])
        if scope["method"] not in allowed:
            refused = _error(405, f"only {allowed[0]} is answered")
            refused.headers["allow"] = ", ".join(allowed)
            return refused
        given = headers.get("authorization", "").encode("latin-1", "replace")
        if not _is_open(scope["path"]) and not hmac.compare_digest(given, self._bearer):
            refused = _error(401, "a token is needed: open the address that agentsight-rx printed, or send it as bearer token")
            refused.headers["www-authenticate"] = "Bearer"
            return refused
        welcome = scope.get("state", {}).get("welcome")  # of runtime/web/connections.py
        if welcome is not None and hmac.compare_digest(given, self._bearer):
            welcome()
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


def _is_open(path: str) -> bool:
    return path in _OPEN_TO_ALL or path.startswith(PAGE_PREFIXES)
