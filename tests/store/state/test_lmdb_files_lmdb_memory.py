"""Reading a large store takes little memory, and gives the same rows."""

from __future__ import annotations

from pathlib import Path

from agentsight_rx.store.state import LmdbStore, Put, Table

ROWS = Table("rows", bytes)
_SIZE = 4000  # bytes, so that each row has a page of its own
_COUNT = 8000


def resident(path: Path) -> int:
    """Bytes of the file that are in the memory of this process: proc_pid_smaps(5)."""
    blocks = Path("/proc/self/smaps").read_text().split("VmFlags")
    return sum(int(block.partition("\nRss:")[2].split()[0]) << 10 for block in blocks if str(path) in block)


def test_the_pages_of_a_store_that_is_read_are_given_back(tmp_path: Path) -> None:
    path = tmp_path / "large.lmdb"
    written = LmdbStore.open(path)
    for begin in range(0, _COUNT, 1000):
        written.commit([Put(ROWS, number, number.to_bytes(4, "big") * (_SIZE // 4)) for number in range(begin, begin + 1000)])
    written.close()
    store = LmdbStore.open(path, readonly=True)
    most = 0
    for number in range(_COUNT):
        assert store.get(ROWS, number) == number.to_bytes(4, "big") * (_SIZE // 4)
        if number % 500 == 499:
            most = max(most, resident(path))
    store.close()
    assert path.stat().st_blocks * 512 > 2 * _SIZE * _COUNT // 2
    assert 0 < most < 24 << 20
