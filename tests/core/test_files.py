"""Only a file that we created gets our mode and owner; whatever was there before keeps both."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from agentsight_rx.core.files import create_private, why, written_whole
from agentsight_rx.errors import SinkError, StoreError
from agentsight_rx.events.loss import Ledger
from agentsight_rx.sinks import jsonl, store

OWNER = (12345, 12346) if os.geteuid() == 0 else (os.getuid(), os.getgid())


def access(path: Path) -> tuple[int, int, int]:
    """Mode, owner and group."""
    found = path.stat()
    return found.st_mode, found.st_uid, found.st_gid


@pytest.fixture
def device(tmp_path: Path) -> Path:
    """A node of the device of /dev/null, mode 0666."""
    path = tmp_path / "null"
    before = os.umask(0)
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))
    finally:
        os.umask(before)
    return path


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_a_new_file_is_private_and_belongs_to_the_owner(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        os.close(create_private(tmp_path / "run.jsonl", OWNER))
    finally:
        os.umask(before)
    assert access(tmp_path / "run.jsonl") == (stat.S_IFREG | 0o600, *OWNER)


def test_a_file_that_was_there_is_emptied_and_keeps_its_mode_and_owner(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text("old")
    path.chmod(0o640)
    before = access(path)
    os.close(create_private(path, OWNER))
    assert (access(path), path.read_text()) == (before, "")


@pytest.mark.needs("root")
def test_jsonl_to_a_device_leaves_the_device_as_it_is(device: Path) -> None:
    before = access(device)
    writer = jsonl(device, owner=OWNER).open(Ledger())
    writer.close()
    assert access(device) == before


@pytest.mark.needs("root")
def test_a_store_on_a_device_is_refused_and_leaves_the_device_as_it_is(device: Path) -> None:
    before = access(device)
    with pytest.raises(StoreError, match="is not a regular file"):
        store(device, owner=OWNER).open(Ledger())
    assert access(device) == before
    assert [device] == list(device.parent.iterdir())


def test_jsonl_to_a_link_to_a_pipe_goes_into_the_pipe(tmp_path: Path) -> None:
    """As /dev/stdout is a link to the pipe behind it."""
    read, write = os.pipe()
    before = os.fstat(write)
    try:
        link = tmp_path / "stdout"
        link.symlink_to(f"/proc/self/fd/{write}")
        writer = jsonl(link, owner=OWNER).open(Ledger())
        writer.write(["item"])
        writer.close()
        assert os.read(read, 100) == b'"item"\n'
        after = os.fstat(write)
        assert (after.st_mode, after.st_uid) == (before.st_mode, before.st_uid)
    finally:
        os.close(read)
        os.close(write)


@pytest.mark.parametrize("there", [True, False])
def test_jsonl_does_not_write_through_a_link_to_a_file(tmp_path: Path, there: bool) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    if there:
        target.write_text("needed")
    link.symlink_to(target)
    with pytest.raises(SinkError, match=f"it is a symbolic link to {target}; give the path of the file itself"):
        jsonl(link, owner=OWNER).open(Ledger())
    assert (target.read_text() if target.exists() else None) == ("needed" if there else None)


@pytest.mark.parametrize("name", ["run.lmdb", "run.lmdb-lock"])
def test_a_store_does_not_create_the_target_of_a_link(tmp_path: Path, name: str) -> None:
    target = tmp_path / "target"
    (tmp_path / name).symlink_to(target)
    with pytest.raises(StoreError, match=f"{name} cannot be created: it is a symbolic link to {target}"):
        store(tmp_path / "run.lmdb", owner=OWNER).open(Ledger())
    assert [tmp_path / name] == list(tmp_path.iterdir())


def test_a_store_behind_a_link_to_a_store_is_opened(tmp_path: Path) -> None:
    store(tmp_path / "a.lmdb").open(Ledger()).close()
    before = access(tmp_path / "a.lmdb")
    (tmp_path / "b.lmdb").symlink_to(tmp_path / "a.lmdb")
    store(tmp_path / "b.lmdb", owner=OWNER).open(Ledger()).close()
    assert access(tmp_path / "a.lmdb") == before


def test_a_full_disk_is_named() -> None:
    assert why(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "/proc/no/such/file") == "no space left on /proc"
    assert why(OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)), "/proc/self") == "the quota on /proc is used up"
    assert why(OSError(errno.EACCES, os.strerror(errno.EACCES)), "/proc/self") == "Permission denied"


# -- files that are there whole or not at all ------------------------------------------------------------------------------


def write(path: Path, text: bytes = b"new", *, replace: bool = False) -> None:
    with written_whole(path, replace=replace) as file:
        file.write(text)
        assert not path.exists() or path.read_bytes() != text  # not before its end


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_when_all_of_it_is_written(tmp_path: Path) -> None:
    write(tmp_path / "a")
    assert ((tmp_path / "a").read_bytes(), names(tmp_path)) == (b"new", ["a"])
    assert access(tmp_path / "a")[0] == stat.S_IFREG | 0o600


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(FileExistsError):
        write(tmp_path / "a")
    assert ((tmp_path / "a").read_bytes(), names(tmp_path)) == (b"old", ["a"])


def test_a_file_that_came_in_the_meantime_stays(tmp_path: Path) -> None:
    def overtaken() -> None:
        with written_whole(tmp_path / "a") as file:
            file.write(b"new")
            (tmp_path / "a").write_bytes(b"other")

    with pytest.raises(FileExistsError):
        overtaken()
    assert ((tmp_path / "a").read_bytes(), names(tmp_path)) == (b"other", ["a"])


def test_a_file_is_replaced_where_that_was_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    write(tmp_path / "a", replace=True)
    assert ((tmp_path / "a").read_bytes(), names(tmp_path)) == (b"new", ["a"])


def test_what_failed_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")

    def failing() -> None:
        with written_whole(tmp_path / "a", replace=True) as file:
            file.write(b"half")
            raise StoreError("no more")

    with pytest.raises(StoreError):
        failing()
    assert ((tmp_path / "a").read_bytes(), names(tmp_path)) == (b"old", ["a"])


def test_without_links_a_file_still_appears_and_still_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_link(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_link)
    write(tmp_path / "a")
    with pytest.raises(FileExistsError):
        write(tmp_path / "a")
    assert ((tmp_path / "a").read_bytes(), names(tmp_path)) == (b"new", ["a"])


def test_a_link_and_a_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "folder").mkdir()
    for name, code in (("link", errno.ELOOP), ("folder", errno.EISDIR)):
        with pytest.raises(OSError, match="it is a ") as error:
            write(tmp_path / name, replace=True)
        assert error.value.errno == code
    assert names(tmp_path) == ["folder", "link"]


@pytest.mark.needs("root")
def test_a_device_is_written_to_as_it_is(device: Path) -> None:
    before = access(device)
    with written_whole(device) as file:
        file.write(b"gone")
    assert (access(device), names(device.parent)) == (before, ["null"])
