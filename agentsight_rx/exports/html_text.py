"""Captured text -> HTML in which it is text and nothing else; and the begin and the end of a page."""

from __future__ import annotations

import re
from html import escape

__all__ = ["FOOT", "escaped", "folded", "head", "line"]

_TEXT_MOST = 100_000  # characters of one text
_LINES_OPEN, _OPEN_MOST = 12, 1500  # lines and characters: a text of more is folded, unless it is to be open
# Control characters, which HTML does not have, and those that change the direction of the text around them (UAX 9)
_HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

# Nothing is loaded and nothing runs, whatever the text is: the policy says so to the browser as well
_HEAD = """<!doctype html>
<html lang=en><head><meta charset=utf-8>
<meta http-equiv=Content-Security-Policy content="default-src 'none'; style-src 'unsafe-inline'">
<meta name=viewport content="width=device-width, initial-scale=1">
<meta name=referrer content=no-referrer>
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --text: #1c1c1a; --quiet: #66655f; --line: #dddcd6; --ground: #fbfbf9; --raised: #f2f1ec;
  --failed: #b3261e; --missing: #8a5a00; }}
@media (prefers-color-scheme: dark) {{ :root {{ --text: #e6e5e0; --quiet: #a3a29b; --line: #3a3935; --ground: #191917;
  --raised: #232320; --failed: #ff8a80; --missing: #f0b75a; }} }}
body {{ max-width: 60rem; margin: 0 auto; padding: 1.5rem; color: var(--text); background: var(--ground);
  font: 15px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }}
h1 {{ font-size: 1.4rem; margin: 0; }} h2 {{ font-size: 1.05rem; margin: 0; }} h3 {{ font-size: .9rem; margin: .8rem 0 .2rem; }}
p {{ margin: .3rem 0; }} .verdict {{ font-size: 1.1rem; }}
dl {{ display: flex; flex-wrap: wrap; gap: .3rem 1.5rem; }} dt {{ color: var(--quiet); font-size: .8rem; }} dd {{ margin: 0; }}
section {{ border-top: 1px solid var(--line); padding: 1rem 0; }}
pre, code {{ font: 13px/1.45 ui-monospace, monospace; }}
pre {{ white-space: pre-wrap; background: var(--raised); padding: .5rem .7rem; margin: .2rem 0; border-radius: 4px; }}
summary {{ cursor: pointer; }} ul {{ margin: .3rem 0; padding-left: 1.2rem; }}
.quiet {{ color: var(--quiet); font-weight: normal; }} .failed {{ color: var(--failed); }} .missing {{ color: var(--missing); }}
@media print {{ details > * {{ display: block; }} }}
</style></head><body>
"""
FOOT = b"</main></body></html>\n"


def head(title: str) -> bytes:
    """Up to the begin of the body."""
    return _HEAD.format(title=escaped(line(title))).encode("utf-8", "replace")


def escaped(text: str) -> str:
    """The text as HTML, also in an attribute; what it cannot have is a replacement character."""
    return escape(_HARMFUL.sub("\ufffd", text.replace("\r\n", "\n")))


def line(text: str) -> str:
    """One line of limited length."""
    short = " ".join(text[:4000].split())
    return short if len(short) <= 400 else short[:399] + "…"


def folded(text: str, name: str = "", *, opened: bool = False, state: str = "") -> str:
    """A text with its lines. Under a `name`, or where it is long and not to be `opened`, it can be folded, with its size."""
    more = len(text) - _TEXT_MOST
    cut = f"\n<span class=missing>{more:,} more characters</span>" if more > 0 else ""
    block = f"<pre>{escaped(text[:_TEXT_MOST])}{cut}</pre>" if text else ""
    short = text.count("\n") < _LINES_OPEN and len(text) < _OPEN_MOST
    if not name and (opened or short):
        return block
    shown = f"{escaped(line(name or 'text'))} <span class=quiet>{len(text):,} characters</span>"
    return f"<details{' open' if short else ''}><summary{f' class={state}' if state else ''}>{shown}</summary>{block}</details>"
