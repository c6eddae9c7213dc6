"""Every analysis as an Rx operator: a function that returns an `Operator`, to be used in `.pipe()`."""

from ..core.kernels import change, each, keep, only
from ..core.per_key import per_key
from .decode_content import decode_content
from .event_time import Pair, Session, Sliding, Tumbling, Window, join_within, unix_ns, window
from .filter_http import filter_http
from .filter_tls import drop_marked, filter_tls
from .find_blind_spots import find_blind_spots
from .guard import guard, know_hosts, reload_rules
from .map_async import map_async
from .mark_ticks import mark_ticks
from .materialize import materialize
from .merge_mcp import merge_mcp
from .merge_sse import merge_sse
from .merge_websocket import merge_websocket
from .normalize import normalize
from .parse_http import parse_http
from .parse_jsonrpc import parse_jsonrpc
from .read_http import read_http
from .remove_auth import remove_auth

__all__ = [
    "Pair",
    "Session",
    "Sliding",
    "Tumbling",
    "Window",
    "change",
    "decode_content",
    "drop_marked",
    "each",
    "filter_http",
    "filter_tls",
    "find_blind_spots",
    "guard",
    "join_within",
    "keep",
    "know_hosts",
    "map_async",
    "mark_ticks",
    "materialize",
    "merge_mcp",
    "merge_sse",
    "merge_websocket",
    "normalize",
    "only",
    "parse_http",
    "parse_jsonrpc",
    "per_key",
    "read_http",
    "reload_rules",
    "remove_auth",
    "unix_ns",
    "window",
]
