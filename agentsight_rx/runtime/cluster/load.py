"""The committed outputs of all hosts -> one store, that `report` and the page read."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec import Struct

from ...core.errors import SpoolError, StoreError
from ...core.files import why
from ...core.messages import program
from ...core.sink import Unwritten, Writer
from ...events.loss import Ledger
from ...sinks import store as store_sink
from ...view import Output
from .job import settings_of
from .output import Ended, Losses, Piece, read_output
from .place import Place, read_commit
from .plan import committed

_TO_STORE = ("to store", "store")  # stages of a run that come behind its graph


class Loaded(Struct):
    """The content of the store."""

    hosts: int = 0
    segments: int = 0
    items: int = 0


def load(
    out: Place,
    path: Path,
    *,
    owner: tuple[int, int] | None = None,
    replace: bool = False,
    progress: Callable[[Loaded], None] = lambda _: None,
) -> Loaded:
    """
    Make the store at `path` of the commits in `out`, all of it or nothing. Each recording of a host is a run of the store.
    Raises StoreError where there is a file already, unless it is to `replace` it.
    """
    if path.exists() and not replace:
        raise StoreError(f"{path} is there already: give another path by --store, or --replace")
    key = bytes.fromhex(settings_of(out).redaction_key)
    part = path.parent / f".{secrets.token_hex(8)}.part"
    loaded = Loaded()
    try:
        for host in out.folders():
            loaded.hosts += _load_host(_Recordings(part, host, key, owner), out, host, (loaded, progress))
        if not loaded.segments:
            raise SpoolError(f"{out.url} has no committed segments: run `{program()} cluster run` first")
        part.replace(path)
    except Unwritten as error:
        raise StoreError(f"{path} cannot be written: {error}") from error
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {why(error, path.parent)}") from error
    finally:
        for left in (part, Path(f"{part}-lock")):
            left.unlink(missing_ok=True)
    return loaded


def _load_host(recordings: _Recordings, out: Place, host: str, counting: tuple[Loaded, Callable[[Loaded], None]]) -> bool:
    loaded, progress = counting
    numbers = committed(out, host)
    try:
        for number in numbers:
            for piece in _pieces(out, host, number):
                recordings.take(piece)
                loaded.items += len(piece) if isinstance(piece, list) else 0
            loaded.segments += 1
            progress(loaded)
    finally:
        recordings.close()
    return bool(numbers)


def _pieces(out: Place, host: str, number: int) -> Iterator[Piece]:
    commit = read_commit(out, host, number)
    content = None if commit is None else out.read(commit.output)
    if commit is None or content is None:
        raise SpoolError(f"the output of segment {number} of {host} is not in {out.url}: remove its .done file, and run again")
    return read_output(content, commit.output)[1]


class _Recordings:
    """The recordings of one host, one after the other into the same file."""

    def __init__(self, path: Path, host: str, key: bytes, owner: tuple[int, int] | None) -> None:
        self._path, self._host, self._key, self._owner = path, host, key, owner
        self._ledger = Ledger()
        self._writer: Writer[Output] | None = None

    def take(self, piece: Piece) -> None:
        if isinstance(piece, Ended):
            self.close()
            return
        if self._writer is None:
            self._ledger = Ledger()
            sink = store_sink(self._path, owner=self._owner, key=self._key, host=self._host)
            self._writer = sink.open(self._ledger)
        if isinstance(piece, Losses):
            for entry in piece.entries:
                self._ledger.shared(entry.stage).lose(entry.reason, entry.count, entry.size)
            for stage in piece.stages:
                meter = self._ledger.shared(stage.stage)
                meter.seen += stage.seen
                meter.passed += stage.passed
        else:
            for name in _TO_STORE:
                meter = self._ledger.shared(name)
                meter.seen += len(piece)
                meter.passed += len(piece)
            self._writer.write(piece)

    def close(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
