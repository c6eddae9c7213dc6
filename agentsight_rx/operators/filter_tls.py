"""TlsChunk -> the same, marked where a rule matches; and what drops the marked ones once reassembly is done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

from ..core.engine import Site
from ..core.kernels import apply, keep
from ..core.machine import Kernel
from ..core.stream import Operator
from ..events import HttpEvent, TlsChunk, TlsEvent, TlsHandshake
from ..events.loss import Reason, RuleCounts
from ..policy.rules.tls import TlsRules, compile_tls


def filter_tls(*rules: str, compat: bool = False) -> Operator[TlsEvent, TlsEvent]:
    """
    Mark the TLS records that one of `rules` matches; `drop_marked` drops them behind the reassembly, which needs them all.
    Handshakes that match are dropped and counted as filtered here, since nothing needs them.

    docs/filters.md describes the language, with `compat` exactly as in the original. Raises UsageError.
    """
    compiled = compile_tls(rules, compat=compat)
    return Operator("filter_tls", lambda site: _Mark(site, compiled), " | ".join(rules))


def drop_marked() -> Operator[HttpEvent, HttpEvent]:
    """Drop the raw records that `filter_tls` marked; they are counted as filtered."""
    return keep(_unmarked, name="drop_marked")


def _unmarked(event: HttpEvent) -> bool:
    return type(event) is not TlsChunk or not event.marked


class _Mark(Kernel[TlsEvent, TlsEvent]):
    """One call an event: what does not match costs no other."""

    def __init__(self, site: Site, rules: TlsRules) -> None:
        self._site = site
        self._counts = site.meter.rules = RuleCounts("SSLFilter")
        self._others = 0  # events of this batch that are no records
        self._dropped = 0  # handshakes of this batch
        self._handshake = rules.handshake
        self._mark: Callable[[TlsEvent], TlsEvent | None] = rules.marker(self._hit, self._unmatched)

    def feed(self, batch: Sequence[TlsEvent], /) -> Sequence[TlsEvent]:
        self._others = self._dropped = 0
        out: list[TlsEvent | None] = []
        apply(self._mark, batch, self._site, out)
        counts = self._counts
        counts.seen += len(batch) - self._others
        if not self._dropped:
            return cast("list[TlsEvent]", out)  # None stands for what is dropped
        counts.dropped += self._dropped
        self._site.meter.lose(Reason.FILTERED, self._dropped)
        return [event for event in out if event is not None]

    def _hit(self, chunk: TlsChunk) -> TlsChunk:
        self._counts.dropped += 1
        return TlsChunk(
            chunk.origin,
            chunk.data,
            offset=chunk.offset,
            seq=chunk.seq,
            lost=chunk.lost,
            latency_ns=chunk.latency_ns,
            marked=True,
        )

    def _unmatched(self, event: TlsEvent) -> TlsEvent | None:
        if type(event) is not TlsHandshake:
            self._others += 1
            return event
        if not self._handshake(event):
            return event
        self._dropped += 1
        return None
