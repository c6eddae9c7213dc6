"""The events of a recording -> the spans that its capture sent, with the same ids: to a collector, or as lines of a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO

from msgspec.structs import replace

from ...events import Event
from ...events.loss import Ledger
from ...view import AlertRow, Fold, Output
from .json_lines import JsonLines
from .options import OtelOptions
from .sink import otel
from .writer import Carrier, OtelWriter

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource

__all__ = ["send_recorded", "write_recorded"]

_BATCH = 512


def send_recorded(events: Iterable[Event], options: OtelOptions, *, alerts: Iterable[AlertRow] = ()) -> Ledger:
    """Send the spans of `events`, in the order of their time, and of these alerts, to a collector; losses are in the ledger."""
    ledger = Ledger()
    writer = otel(options).open(ledger)
    try:
        for batch in _batches(_outputs(events, alerts)):
            writer.write(batch)
            writer.flush()
    finally:
        writer.close()
    return ledger


def write_recorded(events: Iterable[Event], file: BinaryIO, options: OtelOptions, *, alerts: Iterable[AlertRow] = ()) -> Ledger:
    """Write the spans of `events`, in the order of their time, and of these alerts, as OTLP JSON, some hundred a line."""

    def carrier(_: Resource) -> Carrier:
        return JsonLines(file, "the file")

    ledger = Ledger()
    # an id that is new in each run would be all that differs between two files of one recording
    writer = OtelWriter(replace(options, instance=options.instance or "recording"), ledger, carrier)
    for batch in _batches(_outputs(events, alerts)):
        writer.write(batch)
    writer.close()
    return ledger


def _outputs(events: Iterable[Event], alerts: Iterable[AlertRow]) -> Iterator[Output]:
    """Each event and the rows that are made of it, as they came out of the graph. The alerts come from the recording."""
    fold = Fold()
    for event in events:
        yield event
        yield from fold.add(event)
    yield from fold.finish()
    yield from alerts


def _batches(items: Iterator[Output]) -> Iterator[list[Output]]:
    while batch := list(islice(items, _BATCH)):
        yield batch
