"""agentsight-rx filter: try a rule on a recording, and print what it would drop and why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeAlias, cast

import typer
from msgspec import Struct

from .. import sources
from ..core.engine import Engine
from ..core.stream import Stream
from ..events import (
    BodyPart,
    Event,
    HttpEvent,
    HttpRequest,
    HttpResponse,
    Loss,
    SseMessage,
    TlsChunk,
    TlsEvent,
    TlsHandshake,
    WebSocketMessage,
)
from ..events.loss import Reason, RuleCounts
from ..graphs import TraceOptions, http_messages
from ..operators.judge_http import HttpMessage, Rejected, judge_http
from ..policy.rules.http import HttpRules, compile_http
from ..policy.rules.tls import TlsRules, compile_tls
from ..sources import ReplayOptions
from ..store.words import plural
from .flags.filters import Filters, Form
from .flags.group import Only
from .report.shown.ask import write_json
from .text import filter_line

Seen: TypeAlias = HttpMessage | TlsChunk | TlsHandshake
_MESSAGES = (HttpRequest, HttpResponse, BodyPart, SseMessage, WebSocketMessage)


def filter_command(
    *,
    rule: Annotated[str, typer.Argument(metavar="RULE", help="The rule, as for --http-filter or --ssl-filter.")],
    file: Annotated[str, typer.Argument(metavar="FILE", help="JSONL of ours or of the original; - reads stdin.")],
    tls: Annotated[bool, typer.Option("--tls", help="The rule is for TLS records, not for HTTP messages.")] = False,
    filters: Annotated[Filters, Only("compat_filters")],
    form: Form,
) -> None:
    """Try a filter rule on a recording: prints the events that it would drop, the matching conditions, and the totals."""
    recorded = sources.replay(ReplayOptions((file,)))
    tried = _Tried(RuleCounts("SSLFilter" if tls else "HTTPFilter"), as_json=form.as_json)
    if tls:
        records = compile_tls([rule], compat=filters.compat_filters)
        tried.begin(records.shown)
        _run(recorded, lambda event: tried.record(event, records))
    else:
        messages = compile_http([rule], compat=filters.compat_filters)
        tried.begin(messages.shown)
        # events of other sources pass unchanged, as in a replay
        parsed = http_messages(cast("Stream[TlsEvent]", recorded), TraceOptions())
        _run(parsed.pipe(judge_http(messages)), lambda event: tried.message(event, messages))
    tried.end()


def _run(graph: Stream[Any], take: Callable[[Any], None]) -> None:
    engine = Engine(strict=False)
    graph.subscribe(take, scheduler=engine)
    engine.run_inline()


class _Tried(Struct):
    """The counts of the rule so far. Prints each event that it matches."""

    counts: RuleCounts
    as_json: bool = False
    damaged: int = 0

    def begin(self, alternatives: tuple[str, ...]) -> None:
        if self.as_json:
            write_json({"drops": alternatives})
            return
        for place, alternative in enumerate(alternatives):
            print(f"{'drops' if not place else '   or'} {alternative}")

    def end(self) -> None:
        if self.as_json:
            counts = self.counts
            write_json({"seen": counts.seen, "dropped": counts.dropped, "passed": counts.passed, "damaged": self.damaged})
            return
        print(filter_line(self.counts))
        if self.damaged:
            print(f"{plural(self.damaged, 'line is', 'lines are')} not an event and could not be tried")

    def record(self, event: Event, rules: TlsRules) -> None:
        if isinstance(event, TlsChunk | TlsHandshake):
            self.counts.seen += 1
            why = rules.why(event)
            if why is not None:
                self._matched(event, why)
        else:
            self._other(event)

    def message(self, judged: HttpEvent | Rejected, rules: HttpRules) -> None:
        if isinstance(judged, Rejected):
            self.counts.seen += 1
            self._matched(judged.event, rules.why(judged.cause) or "its exchange is dropped")
        elif isinstance(judged, _MESSAGES):
            self.counts.seen += 1
        else:
            self._other(judged)

    def _other(self, event: Event) -> None:
        if isinstance(event, Loss) and event.stage == "replay" and event.reason is Reason.MALFORMED:
            self.damaged += event.count

    def _matched(self, event: Seen, why: str) -> None:
        self.counts.dropped += 1
        origin = event.origin
        if self.as_json:
            number, said = self.counts.seen, _described(event)
            write_json({"number": number, "comm": origin.comm, "pid": origin.pid, "event": said, "why": why})
            return
        print(f"{self.counts.seen}. {origin.comm}({origin.pid}) {_described(event)}  <- {why}")


def _described(event: Seen) -> str:
    """The event in a few words. The query of a target is left out, since it may contain a secret."""
    match event:
        case HttpRequest():
            path, query, _ = event.target.partition("?")
            return f"request {event.exchange}: {event.method} {path}{'?...' if query else ''}"
        case HttpResponse():
            said = f"{event.status} {event.phrase}".rstrip(" ")
            return f"response {event.exchange}: {said}, {len(event.body) + event.body_lost} bytes"
        case BodyPart():
            return f"response {event.exchange}: {len(event.data)} bytes more"
        case SseMessage():
            return f"stream {event.exchange}: {len(event.events)} events"
        case WebSocketMessage():
            return f"websocket {event.kind}, {len(event.data)} bytes"
        case TlsHandshake():
            return "HANDSHAKE"
        case TlsChunk():
            function = "WRITE/SEND" if event.origin.direction == "out" else "READ/RECV"
            return f"{function} record {event.seq}, {len(event.data) + event.lost} bytes"
