"""HTTP messages -> the messages that no rule matches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..core.engine import Site
from ..core.kernels import keep
from ..core.machine import Kernel
from ..core.stream import Operator
from ..events import BodyPart, HttpEvent, HttpRequest, HttpResponse, SseMessage, WebSocketMessage
from ..events.loss import Reason, RuleCounts
from ..policy.rules.http import compile_http
from .judge_http import Rejected, judge_http

_KINDS: tuple[type[Any], ...] = (HttpRequest, HttpResponse, WebSocketMessage, SseMessage, BodyPart)


def filter_http(*rules: str, compat: bool = False) -> Operator[HttpEvent, HttpEvent]:
    """
    Drop the messages that one of `rules` matches; they are counted as filtered. Everything else passes unchanged.

    A rule with a field of `exchange.` drops a request and its answer together, and all that follows; a request then waits for
    its answer where the rule asks about it. docs/filters.md describes the language, with `compat` exactly as in the original.
    Raises UsageError.
    """
    compiled = compile_http(rules, compat=compat)
    if compiled.exchanges is None:
        kept: Operator[HttpEvent, HttpEvent] = keep(compiled.keeps, name="filter_http")
        return Operator("filter_http", lambda site: _Counted(site, kept.kernel(site)), " | ".join(rules))
    judged = judge_http(compiled)
    return Operator("filter_http", lambda site: _Judged(site, judged.kernel(site)), " | ".join(rules))


class _Counted(Kernel[HttpEvent, HttpEvent]):
    """The stateless filter, and how much it saw and dropped."""

    def __init__(self, site: Site, kept: Kernel[HttpEvent, HttpEvent]) -> None:
        self._site = site
        self._kept = kept
        self._counts = site.meter.rules = RuleCounts("HTTPFilter")

    def feed(self, batch: Sequence[HttpEvent], /) -> Sequence[HttpEvent]:
        out = self._kept.feed(batch)
        self._counts.seen += _messages(batch)
        self._counts.dropped = self._site.meter.lost(Reason.FILTERED)
        return out


def _messages(batch: Sequence[HttpEvent]) -> int:
    kinds = list(map(type, batch))
    return sum(map(kinds.count, _KINDS))


class _Judged(Kernel[HttpEvent, HttpEvent]):
    """The filter that holds requests: takes out dropped events, and counts them."""

    def __init__(self, site: Site, judge: Kernel[HttpEvent, HttpEvent | Rejected]) -> None:
        self._site = site
        self._judge = judge
        self._counts = site.meter.rules = RuleCounts("HTTPFilter")

    def feed(self, batch: Sequence[HttpEvent], /) -> Sequence[HttpEvent]:
        self._counts.seen += _messages(batch)
        return self._kept(self._judge.feed(batch))

    def tick(self, now_ns: int, /) -> Sequence[HttpEvent]:
        return self._kept(self._judge.tick(now_ns))

    def finish(self) -> Sequence[HttpEvent]:
        return self._kept(self._judge.finish())

    def _kept(self, judged: Sequence[HttpEvent | Rejected]) -> list[HttpEvent]:
        out: list[HttpEvent] = []
        for event in judged:
            if isinstance(event, Rejected):
                self._counts.dropped += 1
                self._site.meter.lose(Reason.FILTERED, 1, event.event.size)
            else:
                out.append(event)
        return out

    def snapshot(self) -> bytes:
        return self._judge.snapshot()

    def restore(self, state: bytes, /) -> None:
        self._judge.restore(state)

    def held(self) -> int:
        return self._judge.held()
