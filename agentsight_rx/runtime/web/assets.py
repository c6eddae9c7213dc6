"""The built page -> its files as text; where it was not built, a page that says how to build it."""

from __future__ import annotations

import re
from base64 import b64encode
from functools import cache
from gzip import compress
from hashlib import sha256
from pathlib import Path

import msgspec
from msgspec import Struct

from ...view.page import Embedded

__all__ = ["FALLBACK", "PAGE_PREFIX", "Asset", "Bundle", "bundle", "compressed", "single_file"]

_DIST = Path(__file__).with_name("dist")
FALLBACK = Path(__file__).with_name("fallback.html")
PAGE_PREFIX = "/s/"  # of the addresses of the page, besides /


class Asset(Struct, frozen=True):
    """One file of the page."""

    type: str
    text: str


@cache
def compressed(text: str, /) -> bytes:
    """A file of the page as gzip (RFC 1952), made once: a quarter of its size."""
    return compress(text.encode(), mtime=0)


class Bundle(Struct, frozen=True):
    """
    The page as built: `html` loads `/assets/app.js` and `/assets/app.css`, which are `script` and `style`.
    """

    html: str
    script: str
    style: str

    def asset(self, path: str, /) -> Asset | None:
        """The file that a browser requests at `path`."""
        match path:
            case "/assets/app.js":
                return Asset("text/javascript", self.script)
            case "/assets/app.css":
                return Asset("text/css", self.style)
            case _:
                return None


def single_file(built: Bundle, embedded: Embedded, /) -> bytes:
    """
    The page as one file that needs no server and loads nothing. Only its own script and style run, by their hashes: captured
    text would not, even if it came out of its place, and it cannot, since its JSON has no `<`.
    """
    script = re.sub("<(?=/script|!--)", r"\\x3c", built.script, flags=re.IGNORECASE)  # in the text of a script
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
        return Bundle(
            (_DIST / "index.html").read_text("utf-8"),
            (_DIST / "assets" / "app.js").read_text("utf-8"),
            (_DIST / "assets" / "app.css").read_text("utf-8"),
        )
    except OSError:
        return None
