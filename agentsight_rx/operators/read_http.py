"""TlsChunk -> whole HTTP messages: reassembled, decompressed, event streams and calls over WebSockets merged."""

from __future__ import annotations

from ..core.kernels import compose
from ..core.stream import Operator
from ..events import HttpEvent, TlsEvent
from .decode_content import decode_content
from .merge_sse import merge_sse
from .merge_websocket import merge_websocket
from .parse_http import parse_http


def read_http(
    *, body_limit: int = 8 << 20, timeout: float = 30.0, progress: bool = False, first_exchange: int = 0
) -> Operator[TlsEvent, HttpEvent]:
    """
    Read what connections say in HTTP/1.1, HTTP/2 and WebSockets. This is `parse_http`, `decode_content`, `merge_sse` and
    `merge_websocket`, in the order in which they belong.

        out --POST /v1--|-rest of body--------------------------------|
        in  -------------------------200 OK, gzip, event stream--end--|
        [                      read_http()                            ]
        ------------------HttpRequest--HttpResponse-------SseMessage--|

    Of a body of more than `body_limit` bytes the beginning and the end are kept. A stream that is silent for `timeout` seconds
    is emitted as partial. `progress`: what an answer of a model says is emitted as it comes too. `first_exchange` has the same
    meaning as in `parse_http`.
    """
    return compose(
        "read_http",
        parse_http(body_limit=body_limit, first_exchange=first_exchange),
        decode_content(),
        merge_sse(timeout=timeout, progress=progress),
        merge_websocket(timeout=timeout, progress=progress),
    )
