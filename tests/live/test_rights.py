"""The smallest rights that are enough: with each of them taken away, what is missing is named, and the rest works."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest

from agentsight_rx.sources.kernel.features import has_uprobe_multi
from agentsight_rx.sources.kernel.rights import own_rights
from agentsight_rx.store.rows.tables import HTTP
from agentsight_rx.store.state import LmdbStore
from agentsight_rx.view.queries.sessions.health import read_health
from tests.live.peers import fake_llm
from tests.live.users import CAPABILITIES, NOBODY, PROGRAM_THERE, as_user, home_of_nobody

pytestmark = pytest.mark.live


@pytest.fixture(name="home", scope="module")
def _home() -> Generator[Path]:
    """One for all tests: what they compile is kept in it."""
    with home_of_nobody() as home:
        yield home


def enough() -> tuple[str, ...]:
    """docs/kernels.md has the same sets."""
    needs_admin = not has_uprobe_multi() or own_rights().paranoid > 2
    return (*CAPABILITIES, "CAP_SYS_ADMIN") if needs_admin else CAPABILITIES


def flat(text: str) -> str:
    return " ".join(text.split())


def test_a_user_with_the_named_capabilities_records_all_of_it(home: Path) -> None:
    """Also one whose processes are of another user than root, without an entry in passwd that has a home."""
    store = home / "run.lmdb"
    with fake_llm(home) as peer:
        asked = ["curl", "--silent", "--cacert", str(peer.ca_file), f"{peer.base_url}/nothing"]
        done = as_user([*PROGRAM_THERE, "record", "--no-server", "--db", str(store), "--", *asked], enough(), home)
    assert done.returncode == 0, done.stderr
    assert "nothing is missing" in done.stderr
    assert os.stat(store).st_uid == NOBODY
    kept = LmdbStore.open(store, readonly=True)
    try:
        rows = [row for _, row in kept.scan(HTTP)]
        assert read_health(kept).complete
    finally:
        kept.close()
    assert [row.path for row in rows] == ["/nothing"]


def test_doctor_says_that_they_are_enough(home: Path) -> None:
    done = as_user([*PROGRAM_THERE, "doctor"], enough(), home)
    assert done.returncode == 0, done.stdout
    assert "`agentsight-rx record` starts here, and sees everything." in flat(done.stdout)


@pytest.mark.parametrize("dropped", ["CAP_BPF", "CAP_PERFMON"])
def test_without_the_rights_on_bpf_nothing_starts_and_the_right_is_named(dropped: str, home: Path) -> None:
    left = [name for name in enough() if name not in (dropped, "CAP_SYS_ADMIN")]
    store = ["--no-server", "--db", str(home / "x.lmdb")]
    done = as_user([*PROGRAM_THERE, "record", "--by", "kernel", *store, "--", "/bin/echo", "ran"], left, home)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{dropped} is missing: start it as root" in flat(done.stderr)
    assert "Traceback" not in done.stderr
    assert not (home / "x.lmdb").exists()
    said = as_user([*PROGRAM_THERE, "doctor"], left, home)
    assert said.returncode == 0, said.stdout
    assert f"{dropped} is missing: start it as root" in flat(said.stdout)
    assert "`agentsight-rx record` starts here, by breakpoints." in flat(said.stdout)


def test_without_the_right_to_read_tracefs_processes_are_captured_and_the_rest_is_said(home: Path) -> None:
    left = [name for name in enough() if name != "CAP_DAC_READ_SEARCH"]
    store = home / "partly.lmdb"
    done = as_user([*PROGRAM_THERE, "record", "--no-server", "--db", str(store), "--", "/bin/echo", "ran"], left, home)
    assert (done.returncode, done.stdout) == (0, "ran\n")
    assert "NOT captured: " in done.stderr
    assert "start it as root, or with CAP_DAC_READ_SEARCH" in flat(done.stderr)
    assert "nothing is missing" not in done.stderr
    assert "not captured: TLS" in flat(done.stderr)
    needed = as_user([*PROGRAM_THERE, "record", "--require", "net", "--no-server", "--", "/bin/echo", "ran"], left, home)
    assert (needed.returncode, needed.stdout) == (1, "")
    assert "CAP_DAC_READ_SEARCH" in needed.stderr


def test_what_a_command_is_not_given(home: Path) -> None:
    """The capabilities are for the capture: the command runs without them."""
    done = as_user([*PROGRAM_THERE, "record", "--no-server", "--", "/bin/grep", "CapEff", "/proc/self/status"], enough(), home)
    assert done.stdout.split() == ["CapEff:", "0000000000000000"]


def test_without_any_right_the_kernel_is_refused_in_one_sentence(home: Path) -> None:
    done = as_user([*PROGRAM_THERE, "record", "--by", "kernel", "--no-server", "--", "/bin/echo", "ran"], (), home)
    assert (done.returncode, done.stdout) == (1, "")
    assert flat(done.stderr).count("Error: ") == 1
    assert "CAP_BPF and CAP_PERFMON are missing" in flat(done.stderr)


def test_without_any_right_breakpoints_record(home: Path) -> None:
    store = str(home / "hooked.lmdb")
    done = as_user([*PROGRAM_THERE, "record", "--no-server", "--db", store, "--", "/bin/echo", "ran"], (), home)
    assert (done.returncode, done.stdout) == (0, "ran\n")
    assert "seen by breakpoints in the processes of this user" in flat(done.stderr)
    assert "nothing is missing of what breakpoints show" in flat(done.stderr)
