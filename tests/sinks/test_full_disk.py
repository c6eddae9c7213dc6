"""On a full disk each item is kept or counted, the reason names the disk, and writing goes on once there is room."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest

from agentsight_rx.core.sink import Sink, SinkThread, Writer
from agentsight_rx.errors import UnwritableError
from agentsight_rx.events import Origin, TlsChunk
from agentsight_rx.events.loss import Ledger, Reason
from agentsight_rx.sinks import console, jsonl, store
from agentsight_rx.store.log.reading import read_events
from agentsight_rx.store.state import LmdbStore
from tests.disks import fill, free, small_disk

pytestmark = pytest.mark.needs("disk")

BATCHES, BATCH = 200, 53
FULL, ROOM = 60, 140  # batches before which the disk is filled, and has room again

ROOT = Path(__file__).parents[2]


@pytest.fixture
def disk(tmp_path: Path) -> Generator[Path, None, None]:
    with small_disk(tmp_path / "small") as folder:
        yield folder


class _Disturbed:
    """A writer under whose batches the disk becomes full, and later has room again."""

    def __init__(self, inner: Writer[Any], disk: Path, leave: int) -> None:
        self._inner = inner
        self._disk = disk
        self._leave = leave
        self._number = 0

    def write(self, batch: Sequence[Any], /) -> None:
        if self._number == FULL:
            fill(self._disk, leave=self._leave)
        if self._number == ROOM:
            free(self._disk)
        self._number += 1
        self._inner.write(batch)

    def flush(self) -> None:
        self._inner.flush()

    def close(self) -> None:
        self._inner.close()


def sent() -> list[list[TlsChunk]]:
    numbers = range(BATCHES * BATCH)
    # digests, since a store compresses what can be
    events = [TlsChunk(Origin(number, 1), blake2b(b"%d" % number).digest(), 0, number) for number in numbers]
    return [events[at : at + BATCH] for at in range(0, len(events), BATCH)]


def run(sink: Sink[Any], disk: Path, leave: int) -> tuple[SinkThread, Ledger]:
    """Give everything to the sink."""
    ledger = Ledger()
    thread = SinkThread(Sink(sink.name, lambda ledger: _Disturbed(sink.open(ledger), disk, leave)), ledger)
    thread.open()
    thread.start()
    for batch in sent():
        thread.put(batch)
    thread.close()
    thread.end(60)
    return thread, ledger


def lost(ledger: Ledger, stage: str) -> int:
    (entry,) = ledger.entries()
    assert (entry.stage, entry.reason) == (stage, Reason.SINK_FAILED)
    (meter,) = [meter for meter in ledger if meter.stage == stage]
    assert meter.seen == meter.passed + entry.count == BATCHES * BATCH
    return entry.count


def kept_in_store(path: Path) -> list[int]:
    opened = LmdbStore.open(path, readonly=True)
    try:
        return [event.seq for event in read_events(opened) if isinstance(event, TlsChunk)]
    finally:
        opened.close()


@pytest.mark.parametrize("leave", [0, 4096, 50_000])
def test_a_store_keeps_or_counts_each_item(disk: Path, leave: int) -> None:
    thread, ledger = run(store(disk / "x.lmdb"), disk, leave)
    kept = kept_in_store(disk / "x.lmdb")
    assert len(kept) + lost(ledger, "store") == BATCHES * BATCH
    assert kept == sorted(set(kept))
    assert kept[-1] == BATCHES * BATCH - 1  # there was room again
    assert thread.failure == f"{disk}/x.lmdb cannot be written: no space left on {disk}"


@pytest.mark.parametrize("leave", [0, 4096, 50_000])
def test_jsonl_keeps_or_counts_each_item_and_has_whole_lines_only(disk: Path, leave: int) -> None:
    thread, ledger = run(jsonl(disk / "x.jsonl"), disk, leave)
    lines = (disk / "x.jsonl").read_bytes().splitlines(keepends=True)
    assert all(line.startswith(b'{"timestamp"') and line.endswith(b"}\n") for line in lines)
    assert len(lines) + lost(ledger, "jsonl") == BATCHES * BATCH
    assert b'"capture_seq":%d' % (BATCHES * BATCH - 1) in lines[-1]
    assert thread.failure == f"{disk}/x.jsonl cannot be written: no space left on {disk}"


def test_output_into_a_file_keeps_or_counts_each_item(disk: Path) -> None:
    with open(disk / "out", "wb") as to:
        thread, ledger = run(console(to=to), disk, 1000)
    whole = [line for line in (disk / "out").read_bytes().splitlines() if line.endswith(b"}")]
    assert len(whole) + lost(ledger, "console") == BATCHES * BATCH
    assert thread.failure == f"standard output cannot be written: no space left on {disk}"


def test_a_store_that_has_no_room_to_begin_is_an_error_and_leaves_no_file(disk: Path) -> None:
    """In a process of its own: the lock file of LMDB, a hole in memory, ended it by SIGBUS."""
    for leave in range(0, 65_536, 4096):
        fill(disk, leave=leave)
        code = "import sys; from agentsight_rx.store.state import LmdbStore; LmdbStore.open(sys.argv[1])"
        command = [sys.executable, "-c", code, str(disk / "x.lmdb")]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        free(disk)
        if not done.returncode:
            break
        assert done.returncode == 1
        assert f"no space left on {disk}" in done.stderr
        assert [] == list(disk.iterdir())
    else:
        pytest.fail("never room enough")


def test_a_lock_file_with_a_hole_is_given_its_space(disk: Path) -> None:
    store(disk / "x.lmdb").open(Ledger()).close()
    lock = disk / "x.lmdb-lock"
    lock.unlink()
    with open(lock, "wb") as file:
        file.truncate(8192)
    LmdbStore.open(disk / "x.lmdb").close()
    assert lock.stat().st_blocks * 512 >= lock.stat().st_size == 8192


def test_a_store_that_is_not_required_begins_once_there_is_room(disk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(disk)
    with pytest.raises(UnwritableError):
        store(disk / "x.lmdb").open(Ledger())
    thread, ledger = run(store(disk / "x.lmdb", required=False), disk, 0)
    kept = kept_in_store(disk / "x.lmdb")
    assert len(kept) + lost(ledger, "store") == BATCHES * BATCH
    assert kept
    assert kept[-1] == BATCHES * BATCH - 1
    assert f"NOTHING IS STORED until that changes: {disk}/x.lmdb" in capsys.readouterr().err
    assert thread.failure is not None
    assert f"no space left on {disk}" in thread.failure
