"""The log of the fake server, the events of a capture -> what of each body both have, byte by byte."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile

from agentsight_rx.events import BodyPart, Connection, HttpEvent, HttpRequest, HttpResponse, WebSocketMessage
from tests.live.peers import WireExchange, WirePeer

__all__ = ["Said", "Size", "differences", "of_capture", "of_server", "size_of"]

_Key = tuple[Connection | None, int]


@dataclass(frozen=True, order=True)
class Said:
    """One exchange, or one WebSocket message: where, and the bytes of both directions without framing and codings."""

    what: str  # HTTP/2 POST /v1/messages; text 3 of /v1/responses
    status: int = 0
    sent: bytes = b""
    answered: bytes = b""


@dataclass(frozen=True)
class Size:
    sent: int
    answered: int


def size_of(all_said: Iterable[Said]) -> Size:
    every = tuple(all_said)
    return Size(sum(len(said.sent) for said in every), sum(len(said.answered) for said in every))


def of_server(peer: WirePeer) -> list[Said]:
    """What the server logged."""
    messages = [
        _message(one.kind, one.n, one.websocket, data=one.data, outgoing=one.direction == "out") for one in peer.messages()
    ]
    return [*map(_exchange, peer.exchanges()), *messages]


def _exchange(one: WireExchange) -> Said:
    protocol = "HTTP/2" if one.protocol == "h2" else "HTTP/1.1"
    return Said(f"{protocol} {one.method} {one.path}", one.status, one.request, one.response)


def _message(kind: str, number: int, target: str, *, data: bytes, outgoing: bool) -> Said:
    what = f"{kind} {number} of {target}"
    return Said(what, sent=data) if outgoing else Said(what, answered=data)


def of_capture(events: Iterable[HttpEvent]) -> list[Said]:
    """What the capture has, of events up to the decoding of bodies."""
    requests: dict[_Key, HttpRequest] = {}
    statuses: dict[_Key, int] = {}
    answers: dict[_Key, bytes] = defaultdict(bytes)
    numbers: Counter[tuple[Connection | None, int, str | None]] = Counter()
    said: list[Said] = []
    for event in events:
        match event:
            case HttpRequest():
                requests[event.origin.connection, event.exchange] = event
            case HttpResponse(status=status) if status >= 200 or status == 101:
                statuses[event.origin.connection, event.exchange] = status
                answers[event.origin.connection, event.exchange] += event.body
            case BodyPart():
                answers[event.origin.connection, event.exchange] += event.data
            case WebSocketMessage():
                direction = (event.origin.connection, event.upgrade, event.origin.direction)
                numbers[direction] += event.kind in ("text", "binary")
                code = event.code.to_bytes(2, "big") if event.kind == "close" else b""
                outgoing = event.origin.direction == "out"
                said.append(
                    _message(event.kind, numbers[direction], event.target or "", data=code + event.data, outgoing=outgoing)
                )
            case _:
                pass
    for key in requests.keys() | statuses.keys():
        request = requests.get(key)
        what = f"{request.version} {request.method} {request.target}" if request else "a response without a request"
        said.append(Said(what, statuses.get(key, 0), request.body if request else b"", answers.get(key, b"")))
    return said


def differences(served: Sequence[Said], seen: Sequence[Said]) -> list[str]:
    """A sentence for each exchange or message that only one side has; [] where every byte is equal."""
    missing = sorted((Counter(served) - Counter(seen)).elements())
    besides = sorted((Counter(seen) - Counter(served)).elements())
    found: list[str] = []
    for said in missing:
        like = [one for one in besides if one.what == said.what]
        if not like:
            found.append(f"{said.what}: not seen ({len(said.sent):,} bytes sent, {len(said.answered):,} answered)")
            continue
        nearest = max(like, key=lambda one: _common(said.sent, one.sent) + _common(said.answered, one.answered))
        besides.remove(nearest)
        found.append(f"{said.what}: {', '.join(_unlike(said, nearest))}")
    found += [
        f"{said.what}: only seen by us ({len(said.sent):,} bytes sent, {len(said.answered):,} answered)" for said in besides
    ]
    return found


def _unlike(served: Said, seen: Said) -> list[str]:
    sides = (("sent", served.sent, seen.sent), ("answered", served.answered, seen.answered))
    found = [
        f"{side} {len(theirs):,} bytes, {len(ours):,} seen, equal up to byte {_common(theirs, ours):,}"
        for side, theirs, ours in sides
        if theirs != ours
    ]
    return found + ([f"status {served.status}, {seen.status} seen"] if served.status != seen.status else [])


def _common(one: bytes, other: bytes) -> int:
    """So many first bytes are equal."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
