"""The built page -> its files as text; where it was not built, a page that says how to build it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from msgspec import Struct

__all__ = ["FALLBACK", "PAGE_PREFIX", "Asset", "Bundle", "bundle"]

_DIST = Path(__file__).with_name("dist")
FALLBACK = Path(__file__).with_name("fallback.html")
PAGE_PREFIX = "/s/"  # of the addresses of the page, besides /


class Asset(Struct, frozen=True):
    """One file of the page."""

    type: str
    text: str


class Bundle(Struct, frozen=True):
    """
    The page as built: `html` loads `/assets/app.js` and `/assets/app.css`. Without a server, put `script` (a module) and
    `style` into one file with a `<script id="embedded" type="application/json">` of path -> answer, as `view.page.answer`
    gives them.
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
