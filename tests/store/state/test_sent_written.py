"""A block that is known is used once, and only where it is still the one that was written."""

from __future__ import annotations

from agentsight_rx.store.state.heads import Head
from agentsight_rx.store.state.sent import Opened, Written

OPENED = Opened(Head(5), [b"key"], [b"row"])


def test_a_block_is_known_by_all_of_its_bytes() -> None:
    written = Written()
    written.keep(b"place", b"block", OPENED)
    assert written.use(b"other", b"block") is None
    assert written.use(b"place", b"block") == OPENED
    assert written.use(b"place", b"block") is None  # its rows may have been changed meanwhile
    written.keep(b"place", b"block", OPENED)
    assert written.use(b"place", b"other") is None


def test_of_many_blocks_the_last_ones_are_known() -> None:
    written = Written()
    for number in range(100):
        written.keep(b"%d" % number, b"block", OPENED)
    known = [number for number in range(100) if written.use(b"%d" % number, b"block") is not None]
    assert 1 < len(known) < 50
    assert known == list(range(known[0], 100))
