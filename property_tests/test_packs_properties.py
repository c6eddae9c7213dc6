"""Contents have the same ranges however they are found, and come back whatever was committed, undone, closed or cut off."""

from __future__ import annotations

from functools import cache
from random import Random
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.store.state import MemoryStore, PackReader, PackWriter, sent

_LINES = [b"alpha", b"delta {", b"echo", b"x" * 700, b"word word", b'{"a":1},', b"\\n  be", b"  return x."]


@cache
def _text(seed: int) -> bytes:
    random = Random(seed)
    lines = b"\n ".join(random.choice(_LINES) + b"%d" % random.randrange(999) for _ in range(300))
    return lines + random.randbytes(6000).hex().encode() * (seed % 2) + lines[:9000]


_PUT = [b"", b"x", b"\n a", b"new text. " * 9, bytes(5000)]
edits = st.tuples(
    st.integers(0, 60_000), st.integers(0, 6000), st.sampled_from([b"", b"x", b"\n a", b"new text. " * 9, bytes(5000)])
)
contents = st.tuples(st.integers(1, 4), st.lists(st.lists(edits, max_size=2), min_size=1, max_size=6))


def _edited(content: bytes, changes: list[tuple[int, int, bytes]]) -> bytes:
    for at, gone, put in changes:
        content = content[:at] + put + content[at + gone :]
    return content


@given(first=contents, second=contents)
def test_the_ranges_are_those_of_pieces_alone(
    first: tuple[int, list[list[tuple[int, int, bytes]]]], second: tuple[int, list[list[tuple[int, int, bytes]]]]
) -> None:
    made = [_edited(_text(seed), changes) for seed, rounds in (first, second, first) for changes in rounds]
    with patch.object(sent, "_LEAST", 0):
        stores = MemoryStore(), MemoryStore()
        plain, resent = map(PackWriter, stores)
        ranges = [(plain.add(each), resent.add(each, is_resent=True)) for each in made]
    assert [one for one, _ in ranges] == [other for _, other in ranges]
    stores[1].commit(resent.writes())
    reader = PackReader(stores[1])
    assert made == [reader.read(each) for _, each in ranges]


_steps = st.lists(
    st.tuples(st.sampled_from(["keep", "undo", "again", "closed", "killed"]), st.integers(1, 4), st.integers(0, 300_000)),
    max_size=12,
)


@given(_steps)
def test_what_was_committed_comes_back_whatever_was_undone(steps: list[tuple[str, int, int]]) -> None:
    store = MemoryStore()
    writer = PackWriter(store)
    there: list[tuple[bytes, tuple[int, ...]]] = []
    for step, seed, size in steps:
        content = _text(seed)[: size // 10] + Random(size).randbytes(size)
        ranges = writer.add(content)
        if step == "undo":
            writer.writes()
            writer.undo()
            continue
        store.commit(writer.writes())
        there.append((content, ranges))
        if step == "again":
            store.commit(writer.writes())
        if step == "closed":
            store.commit(writer.closed())
        writer.keep()
        if step in ("closed", "killed"):
            writer = PackWriter(store)
        reader = PackReader(store)
        assert all(reader.read(each) == kept for kept, each in there)
