"""
What clients other than LLM SDKs ask for -> its reply: an index of Python packages, a git repository, a gRPC call, Ollama.

Shapes: PEP 503 and PEP 658; https://git-scm.com/docs/protocol-v2; https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md;
https://github.com/ollama/ollama/blob/main/docs/api.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha1
from typing import Any

from agentsight_rx.demo.answers import Reply, error_reply, json_bytes

__all__ = ["GRPC_CALL", "page_reply"]

GRPC_CALL = "/demo.Echo/Say"  # the message of the answer is that of the request
_WHEEL = "demo_package-1.0-py3-none-any.whl"
_REFS = 400  # an answer of some 20 kB


def page_reply(method: str, target: str, body: bytes) -> Reply | None:
    """The reply to a request for one of these, or None."""
    match method, target.partition("?")[0]:
        case "GET", "/simple/demo-package/":
            link = f'<a href="/files/{_WHEEL}" data-core-metadata="true">{_WHEEL}</a>'
            return Reply(200, {"content-type": "text/html"}, (f"<!DOCTYPE html><html><body>{link}</body></html>".encode(),))
        case "GET", path if path == f"/files/{_WHEEL}.metadata":
            described = "\n".join(f"Line {number} of the description." for number in range(500))
            text = f"Metadata-Version: 2.1\nName: demo-package\nVersion: 1.0\n\n{described}\n"
            return Reply(200, {"content-type": "text/plain"}, (text.encode(),))
        case "GET", "/demo.git/info/refs":
            lines = (b"version 2\n", b"agent=fake\n", b"ls-refs\n", b"fetch=shallow\n", b"object-format=sha1\n")
            parts = (_packet(b"# service=git-upload-pack\n") + _FLUSH, *map(_packet, lines), _FLUSH)
            return Reply(200, {"content-type": "application/x-git-upload-pack-advertisement"}, parts, streamed=True)
        case "POST", "/demo.git/git-upload-pack":
            return Reply(200, {"content-type": "application/x-git-upload-pack-result"}, tuple(_refs()), streamed=True)
        case "POST", path if path == GRPC_CALL:
            return Reply(200, {"content-type": "application/grpc"}, (body,), streamed=True)
        case "POST", "/legacy/":  # an upload to a package index, whose client does not read what the answer says
            return Reply(200, {"content-type": "text/plain"}, ())
        case "POST", "/api/chat":
            return _ollama(body)
        case _:
            return None


_FLUSH = b"0000"


def _packet(line: bytes) -> bytes:
    return b"%04x%b" % (len(line) + 4, line)


def _refs() -> Iterator[bytes]:
    for number in range(_REFS):
        yield _packet(b"%b refs/heads/branch-%d\n" % (sha1(b"%d" % number).hexdigest().encode(), number))
    yield _FLUSH


def _ollama(body: bytes) -> Reply:
    """Newline-delimited JSON, an object a word."""
    try:
        ask: Any = json.loads(body)
        words = str(ask["messages"][-1]["content"]).split(" ")
        model = str(ask["model"])
    except (ValueError, KeyError, TypeError, IndexError) as error:
        return error_reply(400, "invalid_request_error", f"not a request of /api/chat: {error!r}")
    said = [{"model": model, "message": {"role": "assistant", "content": f"{word} "}, "done": False} for word in words]
    end: dict[str, object] = {"model": model, "message": {"role": "assistant", "content": ""}, "done": True}
    end |= {"done_reason": "stop", "prompt_eval_count": len(body) // 4, "eval_count": len(words)}
    parts = tuple(json_bytes(each) + b"\n" for each in (*said, end))
    return Reply(200, {"content-type": "application/x-ndjson"}, parts, streamed=True)
