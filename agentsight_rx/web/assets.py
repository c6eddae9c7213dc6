"""The built page -> its files as text; where it was not built, a page that says how to build it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import msgspec
from msgspec import Struct

__all__ = ["FALLBACK", "PAGE_PREFIX", "Asset", "Bundle", "bundle", "single_file"]

_DIST = Path(__file__).with_name("dist")
FALLBACK = Path(__file__).with_name("fallback.html")
PAGE_PREFIX = "/s/"  # of the addresses of the page, besides /


class Asset(Struct, frozen=True):
    """One file of the page."""

    type: str
    text: str


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


def single_file(built: Bundle, answers: Mapping[str, object], /) -> str:
    """The page as one file that needs no server: it shows `answers`, as `view.page.embedded` gives them."""
    data = msgspec.json.encode(answers).decode().replace("<", "\\u003c")
    script = built.script.replace("</script", "<\\/script")
    policy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="content-security-policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>agentsight-rx</title>'
        f'<link rel="icon" href="data:,"><style>{built.style}</style></head><body><div id="app"></div>'
        f'<script id="embedded" type="application/json">{data}</script><script type="module">{script}</script></body></html>\n'
    )


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
