"""Real programs, followed by breakpoints: the same as by the kernel, and nothing of it is felt by them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from agentsight_rx.sources.hooks.source import why_not
from agentsight_rx.store.rows.tables import AUDIT, CALLS, PROCESSES, RUNS
from agentsight_rx.store.state import LmdbStore
from agentsight_rx.view.queries.reading import rows_of
from tests.live.capture import PATIENCE_S, PROGRAM
from tests.live.peers import fake_llm

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not() or "")

PYTHON = os.path.realpath(sys.executable)
CLIENT = """
import http.client, json, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[2])
connection = http.client.HTTPSConnection("127.0.0.1", int(sys.argv[1]), context=context)
for number in range(3):
    body = json.dumps({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": f"{number} " + "x" * 50_000}]})
    connection.request("POST", "/v1/messages", body=body, headers={"content-type": "application/json"})
    assert connection.getresponse().read()
"""


def record(store: Path, *command: str, flags: Sequence[str] = (), cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    words = [*PROGRAM, "record", "--by", "hooks", "--no-server", "--db", str(store), *flags, "--", *command]
    return subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE_S, check=False, cwd=cwd)


def shell(store: Path, script: str, cwd: Path | None = None) -> LmdbStore:
    run = record(store, "/bin/sh", "-c", script, cwd=cwd)
    assert run.returncode == 0, run.stderr
    return LmdbStore.open(store, readonly=True)


def test_calls_of_a_client_are_read_whole(tmp_path: Path) -> None:
    with fake_llm(tmp_path / "server") as peer:
        run = record(tmp_path / "run.lmdb", PYTHON, "-c", CLIENT, peer.base_url.rpartition(":")[2], str(peer.ca_file))
    assert run.returncode == 0, run.stderr
    assert "nothing is missing of what breakpoints show" in run.stderr, run.stderr
    store = LmdbStore.open(tmp_path / "run.lmdb", readonly=True)
    calls = list(rows_of(store, CALLS))
    recordings = [run for _, run in store.scan(RUNS)]
    store.close()
    assert ["complete"] * 3 == [call.status for call in calls]
    assert ["0 ", "1 ", "2 "] == [call.prompt[:2] for call in calls]
    assert {"hooked"} == {call.view_source for call in calls} | {run.seen_by for run in recordings}


def test_processes_are_exact(tmp_path: Path) -> None:
    """A prime number of them, by fork and by vfork, with their arguments, ends and parents."""
    script = "for i in 1 2 3 4 5 6 7; do (exit $i); done; /bin/sh -c 'kill -9 $$'; /bin/echo 'a  b' ''; exec /bin/true"
    store = shell(tmp_path / "run.lmdb", script, tmp_path)
    rows = list(rows_of(store, PROCESSES))
    store.close()
    ends = sorted((row.exit_code if row.exit_code is not None else -(row.signal or 0)) for row in rows)
    assert [-9, 0, 0, 1, 2, 3, 4, 5, 6, 7] == ends
    [echo] = [row for row in rows if row.argv[:1] == ("/bin/echo",)]
    assert (("/bin/echo", "a  b", ""), str(tmp_path)) == (echo.argv, echo.cwd)


def test_files_are_seen_with_their_outcome(tmp_path: Path) -> None:
    script = "echo x > one; mv one two; cat two gone; mkdir sub; rm two; rmdir sub; true"
    store = shell(tmp_path / "run.lmdb", script, tmp_path)
    seen = {
        (row.action, row.target, row.status)
        for row in rows_of(store, AUDIT)
        if row.audit_type == "file" and row.target is not None and row.target.startswith(f"{tmp_path}/")
    }
    store.close()
    place = str(tmp_path)
    wanted = {
        ("open", f"{place}/one"),
        ("rename", f"{place}/one"),
        ("open", f"{place}/two"),
        ("open", f"{place}/gone"),
        ("mkdir", f"{place}/sub"),
        ("unlink", f"{place}/two"),
        ("rmdir", f"{place}/sub"),
    }
    assert wanted <= {(action, target) for action, target, _ in seen}
    assert {("open", f"{place}/gone", "failure")} == {each for each in seen if each[1] == f"{place}/gone"}


@pytest.mark.parametrize("script", ["exit 7", "kill -TERM $$"])
def test_the_command_ends_as_without_us(tmp_path: Path, script: str) -> None:
    alone = subprocess.run(["/bin/sh", "-c", script], check=False).returncode
    run = record(tmp_path / "run.lmdb", "/bin/sh", "-c", script)
    assert run.returncode == (alone if alone >= 0 else 128 - alone)


LIVELY = """
import socket, subprocess, sys, threading
def work():
    ours, theirs = socket.socketpair()
    for number in range(150):
        open("/etc/hostname").read(); ours.send(b"x"); theirs.recv(1)
        if number % 50 == 0: subprocess.run(["/bin/true"], check=True)
        waited.wait(0.01)
waited = threading.Event()
threads = [threading.Thread(target=work) for _ in range(4)]
[thread.start() for thread in threads]; [thread.join() for thread in threads]
open(sys.argv[1], "w").write("done")
"""


def test_what_goes_on_behind_the_recording_goes_on_unharmed(tmp_path: Path) -> None:
    """Threads are in system calls, in functions and between them when all breakpoints are taken out."""
    done = tmp_path / "done"
    script = f"{PYTHON} -c '{LIVELY}' {done} & exit 0"
    run = record(tmp_path / "run.lmdb", "/bin/sh", "-c", script)
    assert run.returncode == 0, run.stderr
    with subprocess.Popen(["/bin/sh", "-c", f"until [ -e {done} ]; do sleep 0.05; done"]) as waiting:
        assert waiting.wait(PATIENCE_S) == 0


def test_what_only_the_kernel_shows_cannot_be_required(tmp_path: Path) -> None:
    run = record(tmp_path / "run.lmdb", "true", flags=("--require", "stdio"))
    assert run.returncode == 1
    assert "--require stdio: only the kernel shows it" in run.stderr
    assert not (tmp_path / "run.lmdb").exists()


def test_another_way_is_an_error_of_usage(tmp_path: Path) -> None:
    words = [*PROGRAM, "record", "--by", "magic", "--", "true"]
    run = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert run.returncode == 2
    assert "--by 'magic' is not a way to see processes: use auto, kernel, hooks" in run.stderr


def test_it_does_not_follow_itself() -> None:
    """It would stop at its own breakpoints, and wait for itself."""
    words = ["/bin/sh", "-c", 'exec "$@" --pid $$', "sh", *PROGRAM, "trace", "--process", "--by", "hooks"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 1
    assert "is this program itself" in done.stderr
