"""Threads that write at once, records of every length: every byte is seen where it belongs, and nothing is mixed."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

import pytest

from agentsight_rx import sources
from agentsight_rx.events import TlsChunk
from agentsight_rx.sources import Target, TlsOptions
from tests.live.capture import running, workload
from tests.live.talkers import RECORDS, THREADS, record

pytestmark = pytest.mark.live

SEGMENT = 16_384  # of bpf/tls.c
RING = 64 << 20  # as large as all that they write


@pytest.mark.parametrize("multi", [True, False])
def test_every_byte_of_threads_that_write_at_once_is_seen(multi: bool, tmp_path: Path) -> None:
    with workload("talkers", tmp_path) as talkers:
        graph = sources.tls(TlsOptions(Target(talkers.pid), ring_size=RING, multi=multi))
        with running(graph) as (run, kept):
            talkers.run()
            run.stop()
    assert run.ledger.entries() == []
    sent = [[record(thread, number) for number in range(RECORDS)] for thread in range(THREADS)]
    streams: defaultdict[tuple[object, str | None], list[TlsChunk]] = defaultdict(list)
    for chunk in kept.of(TlsChunk):
        streams[chunk.origin.connection, chunk.origin.direction].append(chunk)
    for direction in ("out", "in"):
        seen = [b"".join(each.data for each in its) for (_, way), its in streams.items() if way == direction]
        assert Counter(seen) == Counter(b"".join(each) for each in sent)
    for chunks in streams.values():
        ends = [chunk.offset + len(chunk.data) for chunk in chunks]
        assert [chunk.offset for chunk in chunks] == [0, *ends[:-1]]
        assert [chunk.seq for chunk in chunks] == list(range(len(chunks)))
    written = [chunk for chunk in kept.of(TlsChunk) if chunk.origin.direction == "out"]
    assert len(written) == sum(-(-len(each) // SEGMENT) for its in sent for each in its)
