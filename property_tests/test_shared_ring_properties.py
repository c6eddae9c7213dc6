"""A ring of several sources and threads: each source gets its own records, all of them, in order, or they are counted."""

from __future__ import annotations

import os
from typing import NamedTuple

import hypothesis.strategies as st
import pytest
from hypothesis import given

from agentsight_rx.sources.kernel import shared_ring as module
from agentsight_rx.sources.kernel.shared_ring import Share
from tests.sources.kernel.test_ring import Memory
from tests.sources.kernel.test_shared_ring import content, of, ring_over

SOURCES = 3
KEPT_MOST = 100


class Put(NamedTuple):
    source: int
    size: int


class Read(NamedTuple):
    source: int
    thread: int
    rest: bool


steps = st.lists(
    st.one_of(
        st.builds(Put, st.integers(0, SOURCES), st.integers(0, 60)),  # of the last one nobody reads anything
        st.builds(Read, st.integers(0, SOURCES - 1), st.integers(1, 2), st.booleans()),
    ),
    max_size=60,
)


@given(steps)
def test_each_source_gets_all_of_its_own_in_order(taken: list[Put | Read]) -> None:
    memory, thread = Memory(), [1]
    shared = ring_over(memory)
    sent: list[list[bytes]] = [[] for _ in range(SOURCES)]
    found: list[list[bytes]] = [[] for _ in range(SOURCES)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "get_ident", lambda: thread[0])
        patch.setattr(module, "_KEPT_MOST", KEPT_MOST)
        shares: list[Share[bytes]] = [shared.share(source, content) for source in range(SOURCES)]
        for number, step in enumerate(taken):
            if isinstance(step, Put):
                record = bytes([number]) * step.size
                memory.put(of(step.source, record))
                if step.source < SOURCES:
                    sent[step.source].append(record)
            else:
                thread[0], share = step.thread, shares[step.source]
                found[step.source] += share.rest() if step.rest else share.read()
        for source, share in enumerate(shares):
            found[source] += share.rest()
            assert not share.waits
    for source, share in enumerate(shares):
        assert len(found[source]) + share.dropped == len(sent[source])
        left = iter(sent[source])
        assert all(record in left for record in found[source])  # in order
        share.close()
    shared.close()
    os.close(memory.fd)


@given(steps)
def test_in_one_thread_nothing_is_dropped(taken: list[Put | Read]) -> None:
    memory = Memory()
    shared = ring_over(memory)
    shares: list[Share[bytes]] = [shared.share(source, content) for source in range(SOURCES)]
    for share in shares:
        share.read()
    for step in taken:
        if isinstance(step, Put):
            memory.put(of(step.source, bytes(step.size)))
        else:
            shares[step.source].read()
    for share in shares:
        share.rest()
        assert (share.dropped, share.waits) == (0, False)
        share.close()
    shared.close()
    os.close(memory.fd)
