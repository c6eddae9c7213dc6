"""The key of labels in a file: what is taken, and what is refused with a sentence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agentsight_rx.cli.capturing.continuing import keyed
from agentsight_rx.cli.flags.filters import Filters, key_in
from agentsight_rx.errors import UsageError
from agentsight_rx.events.loss import Ledger
from agentsight_rx.graphs import TraceOptions
from agentsight_rx.sinks import store, stored_key

KEY = bytes(range(7, 39))


def file(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    path = folder / "labels.key"
    path.write_bytes(content)
    path.chmod(mode)
    return path


def shared(folder: Path) -> TraceOptions:
    return Filters(redaction_key=file(folder, KEY)).over(TraceOptions())


@pytest.mark.parametrize("content", [KEY, KEY.hex().encode(), KEY.hex().upper().encode() + b"\n", b" " + KEY.hex().encode()])
def test_32_bytes_or_64_hex_digits_are_a_key(content: bytes, tmp_path: Path) -> None:
    assert key_in(file(tmp_path, content)) == KEY


@pytest.mark.parametrize(
    ("content", "size"),
    [(b"", "0"), (KEY[:31], "31"), (KEY + b"\n", "33"), (KEY.hex().encode() + b"0", "65"), (bytes(999), "256 or more")],
)
def test_another_size_is_refused_with_the_way_to_make_one(content: bytes, size: str, tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=rf"has {size} bytes; 32 bytes or 64 hex digits are expected; make one by: .*openssl rand -hex 32"
    ):
        key_in(file(tmp_path, content))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_that_others_may_read_is_refused(mode: int, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"its mode is {mode:04o}, 0600 is needed.*: chmod 600 "):
        key_in(file(tmp_path, KEY, mode))


def test_a_key_that_is_read_only_is_taken(tmp_path: Path) -> None:
    assert key_in(file(tmp_path, KEY, 0o400)) == KEY


def test_what_is_no_file_is_refused_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path, words in ((tmp_path / "pipe", "is no file"), (tmp_path, "is no file"), (tmp_path / "nothing", "cannot be read")):
        with pytest.raises(UsageError, match=words):
            key_in(path)


def test_the_key_is_that_of_the_graph_and_of_a_new_store(tmp_path: Path) -> None:
    options = keyed(shared(tmp_path), tmp_path / "run.lmdb")
    assert options.redaction_key == KEY
    store(tmp_path / "run.lmdb", key=options.redaction_key).open(Ledger()).close()
    assert stored_key(tmp_path / "run.lmdb") == KEY
    assert keyed(TraceOptions(), tmp_path / "run.lmdb").redaction_key == KEY


def test_a_store_with_labels_of_another_key_is_refused(tmp_path: Path) -> None:
    store(tmp_path / "run.lmdb", key=b"x" * 32).open(Ledger()).close()
    with pytest.raises(UsageError, match="with another key than the one of --redaction-key: give another --db"):
        keyed(shared(tmp_path), tmp_path / "run.lmdb")


def test_without_removal_there_are_no_labels(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="do not go together"):
        Filters(redaction_key=file(tmp_path, KEY), disable_auth_removal=True).over(TraceOptions())
