"""A ring that is exchanged for a larger one, on the real kernel: no record is lost by it, and they stay in order."""

from __future__ import annotations

import os
from contextlib import closing

import pytest

from agentsight_rx.sources.kernel.compiler import compiled
from agentsight_rx.sources.kernel.features import require_kernel
from agentsight_rx.sources.kernel.loaded import Loaded
from agentsight_rx.sources.kernel.ring import Ring
from agentsight_rx.sources.kernel.syscall import RAW_TRACEPOINT, run_once

_FIRST, _SIZE = 128 << 10, 1 << 20
_TEXT = """
struct record_t { u64 number, rest[7]; };
BPF_RINGBUF_OUTPUT(records, 2);
BPF_ARRAY_OF_MAPS(newest_ring, "records", 1);
BPF_ARRAY(numbers, u64, 1);

static inline void *newest(void)
{
    int first = 0;
    return newest_ring.lookup(&first);
}
static inline int put(void *record, u64 size)
{
    void *to = newest();
    if (to)
        return bpf_ringbuf_output(to, record, size, 0);
    return records.ringbuf_output(record, size, 0);
}
int it(void *ctx)
{
    int first = 0;
    struct record_t record = {};
    u64 *number = numbers.lookup(&first);
    if (!number)
        return 0;
    record.number = *number;
    if (!put(&record, sizeof(record)))
        __sync_fetch_and_add(number, 1);
    return 0;
}
"""


@pytest.mark.live
@pytest.mark.skipif(os.geteuid() != 0, reason="loading BPF programs needs root")
def test_every_record_comes_once_in_order_while_the_ring_becomes_larger() -> None:
    require_kernel()
    image = compiled(_TEXT, [])
    with closing(Loaded(image, entries={"records": _FIRST})) as loaded:
        program = loaded.load("it", RAW_TRACEPOINT)
        asked: list[int] = []

        def larger() -> tuple[int, int]:
            asked.append(1)
            return loaded.larger_ring(_SIZE), _SIZE

        ring: Ring[int] = Ring(
            loaded["records"].fd, _FIRST, lambda view, at, _: int.from_bytes(view[at : at + 8], "little"), larger=larger
        )
        with closing(ring):
            read: list[int] = []
            for _ in range(10):
                for _ in range(500):  # 36 kB: no more than the first one has room for
                    run_once(program)
                read += ring.read(most=400)
            read += ring.rest()
            assert (read, asked) == (list(range(5000)), [1])
            for _ in range(12_000):  # more than the first one had room for
                run_once(program)
            assert ring.rest() == list(range(5000, 17_000))
