"""COUNT -> that many records out of a ring that two processes fill at once, and that grows: how many are torn, or were lost."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from agentsight_rx.sources.kernel.compiler import compiled
from agentsight_rx.sources.kernel.loaded import Loaded
from agentsight_rx.sources.kernel.probes import at_tracepoint
from agentsight_rx.sources.kernel.ring import growth_in, ring_in_table
from tests.sources.kernel.alone import Alone

__all__ = ["Found", "flood"]

_FIRST, _RING = 64 << 10, 4 << 20
_TRACEPOINT = Path("/sys/kernel/tracing/events/syscalls/sys_enter_getppid/id")
# Slow enough for the reader to catch up
_PRODUCER = "import os, time\nwhile True:\n for _ in range(8): os.getppid()\n time.sleep(0.001)"

_PATTERNS, _WORDS = 61, 512

# Each call makes 16 records of 8 to 4,096 bytes. A record repeats one word, so what two of them leave in one place shows.
_TEXT = """
struct record_t { u64 words[512]; };
BPF_RINGBUF_OUTPUT(first_out, 2);
BPF_ARRAY_OF_MAPS(out, "first_out", 1);
BPF_ARRAY(numbers, u64, 1);
BPF_PERCPU_ARRAY(tallies, u64, 2);
BPF_ARRAY(patterns, struct record_t, 61);

static inline void tally(int which) {
    u64 *found = tallies.lookup(&which);
    if (found) (*found)++;
}

TRACEPOINT_PROBE(syscalls, sys_enter_getppid) {
    u32 tgid = bpf_get_current_pid_tgid() >> 32;
    int first = 0;
    u64 *number = numbers.lookup(&first);
    void *into = out.lookup(&first);
    if ((tgid != FIRST && tgid != SECOND) || !number || !into) return 0;
#pragma clang loop unroll(disable)
    for (int i = 0; i < 16; i++) {
        u64 mine = __sync_fetch_and_add(number, 1), size = (mine * 37 % 512 + 1) * 8;
        int which = mine % 61;
        struct record_t *record = patterns.lookup(&which);
        asm volatile("" : "+r"(size));
        if (!record || size > sizeof(*record)) break;
        tally(0);
        if (bpf_ringbuf_output(into, record, size, 0)) tally(1);
    }
    return 0;
}
"""


@dataclass(frozen=True)
class Found:
    """Of the records that were `sent`: how many were read `whole`, are `torn`, and were `lost` in the kernel."""

    sent: int
    whole: int
    torn: int
    lost: int
    room: int  # bytes of the ring in the end


def flood(count: int) -> Found:
    """Read until `count` records came, and then what is left."""
    whole = torn = 0

    def check(view: memoryview, at: int, size: int) -> bool:
        return bytes(view[at : at + size]) == bytes(view[at : at + 8]) * (size // 8)

    with ExitStack() as stack:
        producers = [stack.enter_context(subprocess.Popen([sys.executable, "-c", _PRODUCER])) for _ in range(2)]
        try:
            first, second = (producer.pid for producer in producers)
            begun, size, table = ring_in_table(_FIRST)
            stack.callback(os.close, table)
            maps = {"first_out": table, "out": table}
            program = Loaded(compiled(_TEXT, [f"-DFIRST={first}", f"-DSECOND={second}"]), shared=maps)
            stack.callback(program.close)
            patterns = program["patterns"]
            for which in range(_PATTERNS):
                patterns[patterns.Key(which)] = patterns.Leaf(
                    (ctypes.c_uint64 * _WORDS)(*[which * 0x0101010101010101] * _WORDS)
                )
            ring: Alone[bool] = Alone(begun, size, check, growth_in(table, _RING))
            stack.callback(ring.close)
            number = int(_TRACEPOINT.read_text())
            attached = at_tracepoint(program.load("tracepoint__syscalls__sys_enter_getppid"), number)
            while whole + torn < count:  # without a pause: so it comes upon records that are being written
                read = ring.events()
                whole += sum(read)
                torn += len(read) - sum(read)
        finally:
            for producer in producers:
                producer.kill()
                producer.wait()
        read = ring.rest_of_events()
        whole, torn = whole + sum(read), torn + len(read) - sum(read)
        sent, lost = program["tallies"].sum(0), program["tallies"].sum(1)
        room = ring.size
        os.close(attached)
    return Found(sent, whole, torn, lost, room)


if __name__ == "__main__":
    print(flood(int(sys.argv[1])))
