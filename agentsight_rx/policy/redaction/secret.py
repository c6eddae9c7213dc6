"""A secret: where it is in a text, of which kind, and how far one that is cut goes on."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["FLAG_KIND", "RUNS", "Secret"]

FLAG_KIND = "argument"


class Secret(NamedTuple):
    """
    `data[start:end]` is a secret. `run` is "" if it has ended. Otherwise it reached the end of data that may continue, and
    `run` is the name in RUNS of the bytes it may continue with, or a name that `open_string` gave.

    `value`: what it says, where that is not `data[start:end]` itself: it is percent-encoded or in Base64.
    """

    start: int
    end: int
    kind: str
    run: str = ""
    value: bytes = b""


# The bytes a secret may consist of: how far one that was cut continues
RUNS = {
    name: re.compile(pattern)
    for name, pattern in {
        "key": rb"[A-Za-z0-9_-]*",
        "word": rb"[A-Za-z0-9_]*",
        "plain": rb"[A-Za-z0-9]*",
        "dashed": rb"[A-Za-z0-9-]*",
        "capitals": rb"[A-Z0-9]*",
        "dotted": rb"[A-Za-z0-9_.-]*",
        "token": rb"[A-Za-z0-9._~+/-]*=*",
        "base64": rb"[A-Za-z0-9+/_-]*=*",  # with the bytes of other keys: when cut, `…_key = sk` may begin one
        "password": rb"[^\s/\"'<>\\?#@]*",
        "parameter": rb"[^&#\s\"'<>\\]*",
        "pem": rb"[A-Za-z0-9+/=\s:,.()@_<>\\-]*",
        "lines": rb"(?:[A-Za-z0-9+/=]|\r?\n[ \t]*|\\+[nr])*",
        "line": rb"[^\n]*(?:\n[ \t][^\n]*)*",
        "beside": rb"[A-Za-z0-9+/]*",
        "dollar": rb"[a-z0-9$]*",
        "percent": rb"[A-Za-z0-9%]*",
        "tilde": rb"[A-Za-z0-9_~.-]*",
        "bare": rb"[^\s\"'\\,;&|<>`(){}\[\]]*",
        "parameters": rb"[^\r\n'<>`{}]*",
        "markup": rb"[^<>]*",
        "cookies": rb"[^\r\n\"'\\<>`]*",
        "encoded": rb"[A-Za-z0-9%._~+/=\\-]*",  # a private key, percent-encoded, and what is written with escapes
    }.items()
}
