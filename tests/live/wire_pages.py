"""
What clients other than LLM SDKs ask for -> its reply: an index of Python packages, a git repository, a gRPC call.

Shapes: PEP 503 and PEP 658; https://git-scm.com/docs/protocol-v2; https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha1

from agentsight_rx.runtime.demo.answers import Reply

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
        case _:
            return None


_FLUSH = b"0000"


def _packet(line: bytes) -> bytes:
    return b"%04x%b" % (len(line) + 4, line)


def _refs() -> Iterator[bytes]:
    for number in range(_REFS):
        yield _packet(b"%b refs/heads/branch-%d\n" % (sha1(b"%d" % number).hexdigest().encode(), number))
    yield _FLUSH
