"""`record` where nothing can be stored: the command runs, what is missing is said, and the status is the command's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agentsight_rx.store.log.reading import read_events
from agentsight_rx.store.state import LmdbStore
from tests.disks import fill, read_only, small_disk, vanish
from tests.live.capture import until

pytestmark = [pytest.mark.live, pytest.mark.needs("disk")]

RECORD = [sys.executable, "-m", "agentsight_rx", "record", "--no-server"]


def record(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*RECORD, *words], capture_output=True, text=True, check=False)


def test_the_command_runs_although_nothing_can_be_stored(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small") as disk:
        fill(disk)
        done = record("--db", str(disk / "x.lmdb"), "--", "/bin/sh", "-c", "echo ran; exit 7")
        assert (done.returncode, done.stdout) == (7, "ran\n"), done.stderr
        assert "NOTHING IS STORED until that changes" in done.stderr
        assert f"no space left on {disk}" in done.stderr
        assert f"NOTHING WAS STORED in {disk}/x.lmdb" in done.stderr
        assert "nothing is missing" not in done.stderr
        assert "nothing is missing" not in done.stderr
        assert "(sink failed)" in done.stderr
        assert "report: agentsight-rx report" not in done.stderr
        assert [disk / "filler"] == list(disk.iterdir())


def test_the_command_does_not_run_where_the_store_is_required(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small") as disk:
        fill(disk)
        done = record("--require-store", "--db", str(disk / "x.lmdb"), "--", "/bin/sh", "-c", f"echo ran > {tmp_path}/ran")
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1].startswith("Error: ")
        assert f"no space left on {disk}" in done.stderr.splitlines()[-1]
        assert not (tmp_path / "ran").exists()


def test_recording_goes_on_where_the_command_fills_the_disk_and_makes_room(tmp_path: Path) -> None:
    script = "cat /dev/zero > {0}/filler; for n in 1 2 3 4 5; do /bin/true; sleep 0.3; done; rm {0}/filler; /bin/echo the end"
    with small_disk(tmp_path / "small") as disk:
        path = disk / "x.lmdb"
        done = record("--db", str(path), "--", "/bin/sh", "-c", script.format(disk))
        assert (done.returncode, done.stdout) == (0, "the end\n"), done.stderr
        assert f"{path} cannot be written: no space left on {disk}" in done.stderr
        store = LmdbStore.open(path, readonly=True)
        try:
            commands = [getattr(event, "argv", ()) for event in read_events(store)]
        finally:
            store.close()
        assert ("/bin/echo", "the", "end") in commands


def told_nothing_was_stored(err: str) -> bool:
    """In sentences: no traceback, no praise, and no hint at a report that cannot be made."""
    wrong = ("Traceback", "nothing is missing", "report: ")
    return not any(words in err for words in wrong) and "NOTHING" in err


@pytest.mark.parametrize("place", ["--db", "XDG_DATA_HOME", "AGENTSIGHT_DB_PATH"])
def test_the_command_runs_in_a_folder_that_is_read_only(tmp_path: Path, place: str) -> None:
    with small_disk(tmp_path / "small") as disk:
        read_only(disk)
        path = f"{disk}/data" if place == "XDG_DATA_HOME" else f"{disk}/x.lmdb"
        words = ["--db", path] if place == "--db" else []
        env = os.environ | ({} if place == "--db" else {place: path})
        command = [*RECORD, *words, "--", "/bin/sh", "-c", "echo ran; exit 7"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=disk, env=env)
        assert (done.returncode, done.stdout) == (7, "ran\n"), done.stderr
        assert "Read-only file system" in done.stderr
        assert told_nothing_was_stored(done.stderr), done.stderr
        refused = subprocess.run(
            [*RECORD, "--require-store", *words, "--", "/bin/echo", "ran"],
            capture_output=True,
            text=True,
            check=False,
            cwd=disk,
            env=env,
        )
        assert (refused.returncode, refused.stdout) == (1, ""), refused.stderr
        assert refused.stderr.splitlines()[-1].startswith("Error: ")
        assert "Traceback" not in refused.stderr


def test_a_store_whose_file_system_vanishes_is_said_at_the_end(tmp_path: Path) -> None:
    runs, go = tmp_path / "runs", tmp_path / "go"
    script = f"touch {runs}; until [ -e {go} ]; do sleep 0.05; done; exit 7"
    with small_disk(tmp_path / "small") as disk:
        command = [*RECORD, "--db", str(disk / "x.lmdb"), "--", "/bin/sh", "-c", script]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as recorder:
            until(runs.exists)
            vanish(disk)
            go.touch()
            _, err = recorder.communicate()
        assert recorder.returncode == 7
        assert f"{disk}/x.lmdb is gone: it was removed, or its file system was unmounted" in err
        assert told_nothing_was_stored(err), err
