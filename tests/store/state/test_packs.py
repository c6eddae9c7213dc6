from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from agentsight_rx.errors import StoreError
from agentsight_rx.store.state import PACKS, Key, LmdbStore, MemoryStore, PackReader, PackWriter, Put
from agentsight_rx.store.state.packs import Pack, compress, decompress
from tests.store.state.test_cutting import body


def kept(store: MemoryStore) -> int:
    """Bytes in packs, before they were compressed."""
    return sum(sum(pack.sizes) for _, pack in store.scan(PACKS))


def written(store: MemoryStore, *contents: bytes) -> list[tuple[int, ...]]:
    writer = PackWriter(store)
    ranges = [writer.add(content) for content in contents]
    store.commit(writer.writes())
    writer.keep()
    return ranges


def test_contents_come_back_and_equal_ones_are_kept_once() -> None:
    store, contents = MemoryStore(), [body(7), b"", body(7), body(9), bytes(40_000)]
    ranges = written(store, *contents)
    reader = PackReader(store)
    assert contents == [reader.read(each) for each in ranges]
    assert (ranges[0], ()) == (ranges[2], ranges[1])
    assert kept(store) < len(body(9)) + 3_000 + 2 * 8192


def test_many_packs_are_filled_and_read() -> None:
    store, contents = MemoryStore(), [Random(number).randbytes(50_000).hex().encode() for number in range(17)]
    ranges = written(store, *contents)
    assert [key for key, _ in store.scan(PACKS)] == [(1,), (2,), (2, 1), (2, 2)]
    reader = PackReader(store)
    assert contents == [reader.read(each) for each in ranges]


def test_the_parts_of_an_open_pack_become_one_when_it_is_full_or_closed() -> None:
    store = MemoryStore()
    writer, contents = PackWriter(store), [Random(number).randbytes(50_000).hex().encode() for number in range(17)]
    ranges: list[tuple[int, ...]] = []
    keys: list[list[Key]] = []
    for content in contents:
        ranges.append(writer.add(content))
        store.commit(writer.writes())
        writer.keep()
        keys.append([key for key, _ in store.scan(PACKS)])
    assert keys[9] == [(1,), (1, 1), (1, 2), (1, 3)]
    assert keys[16] == [(1,), (2,), (2, 1), (2, 2)]
    store.commit(writer.closed())
    assert [key for key, _ in store.scan(PACKS)] == [(1,), (2,)]
    assert contents == [PackReader(store).read(each) for each in ranges]
    assert ranges == written(store, *contents)


def test_a_later_run_knows_what_an_earlier_one_wrote() -> None:
    store = MemoryStore()
    first = written(store, body(30), Random(1).randbytes(300_000))
    before = kept(store)
    assert [first[0]] == written(store, body(30))
    assert before == kept(store)


def test_the_open_pack_grows_with_each_commit_and_an_earlier_reader_goes_on() -> None:
    store = MemoryStore()
    writer, reader = PackWriter(store), PackReader(store)
    for content in (body(3), body(5, 2), body(4, 3)):
        ranges = writer.add(content)
        store.commit(writer.writes())
        writer.keep()
        assert content == reader.read(ranges)
    assert len(store.scan(PACKS)) == 1
    assert writer.writes() == []


def test_what_could_not_be_committed_is_written_again() -> None:
    store = MemoryStore()
    writer = PackWriter(store)
    store.commit((writer.add(body(3)), writer.writes())[1])
    writer.keep()
    writer.add(Random(2).randbytes(700_000) + body(9, 2))
    writer.undo()
    ranges = [writer.add(content) for content in (body(9, 2), body(3))]
    store.commit(writer.writes())
    assert [body(9, 2), body(3)] == [PackReader(store).read(each) for each in ranges]
    assert len(store.scan(PACKS)) == 1


def test_a_pack_is_compressed_once_and_has_the_bytes_of_its_parts() -> None:
    store = MemoryStore()
    writer, contents = PackWriter(store), [Random(number).randbytes(50_000).hex().encode() for number in range(7)]
    for content in contents:
        writer.add(content)
        store.commit(writer.writes())
        writer.keep()
    parts = [pack for _, pack in store.scan(PACKS)]
    store.commit(writer.closed())
    ((_, whole),) = store.scan(PACKS)
    assert whole.content.startswith(b"".join(part.content for part in parts))
    assert whole.sizes == tuple(size for part in parts for size in part.sizes)


def test_packs_of_earlier_releases_have_a_frame_for_each_part() -> None:
    store, pieces = MemoryStore(), [body(9), body(3, 2), bytes(2000)]
    rows: list[tuple[Key, bytes]] = [(2, compress(pieces[0], full=False)), ((2, 1), compress(b"".join(pieces[1:]), full=False))]
    sizes = [(len(pieces[0]),), (len(pieces[1]), len(pieces[2]))]
    store.commit([Put(PACKS, 1, Pack((len(pieces[2]),), compress(pieces[2], full=True)))])
    store.commit([Put(PACKS, key, Pack(size, content)) for (key, content), size in zip(rows, sizes, strict=True)])
    reader = PackReader(store)
    assert reader.read((1, 0, 2000, 2, 0, len(pieces[0]))) == pieces[2] + pieces[0]
    assert reader.read((2, len(pieces[0]), len(pieces[1]))) == pieces[1]
    assert written(store, pieces[2]) == [(2, len(pieces[0]) + len(pieces[1]), 2000)]


def test_pieces_of_a_removed_pack_are_written_again() -> None:
    store = MemoryStore()
    writer = PackWriter(store)
    writer.add(body(3))
    store.commit(writer.writes())
    writer.keep()
    store.commit(writer.forget([1]))
    assert store.scan(PACKS) == []
    writer.add(Random(2).randbytes(700_000))
    ranges = writer.add(body(3))
    store.commit(writer.writes())
    assert body(3) == PackReader(store).read(ranges)


@pytest.mark.parametrize("pack", [None, Pack((1,), b"no zstd"), Pack((1,), compress(b"x", full=False))])
def test_a_missing_or_broken_pack_is_a_clear_error(pack: Pack | None) -> None:
    store = MemoryStore()
    if pack is not None:
        store.commit([Put(PACKS, 1, pack)])
    with pytest.raises(StoreError, match="use a whole copy of it"):
        PackReader(store).read((1, 0, 2))


def test_a_full_pack_is_compressed_more_than_an_open_one() -> None:
    content = body(90)
    assert len(compress(content, full=True)) < len(compress(content, full=False))
    assert content == decompress(compress(content, full=True))


def test_a_conversation_has_the_same_ranges_with_and_without_those_before_in_mind() -> None:
    bodies = [body(turns) for turns in range(60, 75)] + [body(40, 2), body(74), body(41, 2), body(20), body(75)]
    plain, resent = (
        [writer.add(each, is_resent=is_resent) for each in bodies]
        for writer, is_resent in ((PackWriter(MemoryStore()), False), (PackWriter(MemoryStore()), True))
    )
    assert plain == resent


def test_packs_are_the_same_on_disk(tmp_path: Path) -> None:
    memory, disk = MemoryStore(), LmdbStore.open(tmp_path / "run.lmdb")
    for store in (memory, disk):
        writer = PackWriter(store)
        writer.add(body(60))
        store.commit(writer.writes())
    assert memory.scan(PACKS) == disk.scan(PACKS)
    disk.close()
