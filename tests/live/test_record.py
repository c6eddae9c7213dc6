"""record beside a command that owns the terminal: no port, no message and no lost terminal disturbs either."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from agentsight_rx.sources.tls.libraries import system_libraries
from agentsight_rx.store.state import LmdbStore
from tests.live.capture import PATIENCE_S, PROGRAM, heed_hangups, started, until
from tests.reports import read_report

pytestmark = pytest.mark.live


def record(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [*PROGRAM, "record", "--db", str(tmp_path / "run.lmdb"), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


# -- the page ----------------------------------------------------------------------------------------------------------


@contextmanager
def recording(store: Path, script: str) -> Generator[tuple[subprocess.Popen[str], str]]:
    """A record of a shell command, once it has said where its page is, and that place."""
    command = [*PROGRAM, "record", "--db", str(store), "--", "/bin/sh", "-c", script]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=heed_hangups) as recorder:
        try:
            assert recorder.stderr is not None
            page = ""
            while not page:
                line = recorder.stderr.readline()
                assert line, f"record ended with {recorder.wait()}"
                found = re.search(r"page (\S+)", line)
                page = found[1] if found else ""
            yield recorder, page
        finally:
            recorder.kill()


def test_recordings_at_once_have_a_page_each(tmp_path: Path) -> None:
    script = f"until [ -e {tmp_path}/go ]; do sleep 0.05; done; exit 7"
    with ExitStack() as stack:
        runs = [stack.enter_context(recording(tmp_path / f"{name}.lmdb", script)) for name in "abc"]
        assert len({page.partition("#")[0] for _, page in runs}) == 3
        (tmp_path / "go").touch()
        for recorder, _ in runs:
            _, err = recorder.communicate(timeout=PATIENCE_S)
            assert (recorder.returncode, "nothing is missing" in err) == (7, True)


def test_a_port_that_is_taken_stops_no_recording(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = record(tmp_path, "--server-port", port, "--", "/bin/sh", "-c", "exit 7")
    assert done.returncode == 7
    assert f"going on without the page: port {port} on 127.0.0.1 is taken" in done.stderr
    assert " page " not in done.stderr
    assert "nothing is missing" in done.stderr


def test_a_page_that_was_asked_for_must_be_served_before_the_command_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = record(tmp_path, "--server", "--server-port", port, "--", "/bin/touch", str(tmp_path / "ran"))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"Error: port {port} on 127.0.0.1 is taken")
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "run.lmdb").exists()


# -- what the command leaves running ----------------------------------------------------------------------------------

# Until the file is there: in a session of its own, as a fork of the shell, and several
WAITS = "until [ -e {go} ]; do sleep 0.05; done"
LEFT = {
    "a session of its own": (1, "setsid sh -c '{waits}' >/dev/null 2>&1 &"),
    "a fork": (1, "({waits}) >/dev/null 2>&1 &"),
    "two": (2, "sh -c '{waits}; :' >/dev/null 2>&1 & sh -c '{waits}; :' >/dev/null 2>&1 &"),
}


@pytest.mark.parametrize("how", LEFT)
def test_processes_that_outlive_the_recording_are_missing(tmp_path: Path, how: str) -> None:
    """What starts at once is a child too: `sleep` may run then, or not."""
    count, script = LEFT[how]
    waits = WAITS.format(go=tmp_path / "go")
    try:
        done = record(tmp_path, "--no-server", "--", "/bin/sh", "-c", script.format(waits=waits))
        assert done.returncode == 0
        found = re.search(r"1 thing is missing: (\d+) process(?:es go| goes) on, unseen from \d\d:\d\d:\d\d", done.stderr)
        assert found, done.stderr
        assert count <= int(found[1]) <= 2 * count
        assert "record --wait-all` waits for the end" in done.stderr
        health = subprocess.run(
            [*PROGRAM, "report", "health", "--db", str(tmp_path / "run.lmdb")], capture_output=True, text=True, check=True
        )
        (left,) = json.loads(health.stdout)["left"]
        assert int(found[1]) == left["processes"]
        assert found[0].endswith(time.strftime("%H:%M:%S", time.localtime(left["since_ms"] / 1000)))
    finally:
        (tmp_path / "go").touch()


@pytest.mark.parametrize("waits", ["sleep 1", "{waits}"], ids=["soon over", "waited for"])
def test_what_ends_while_the_recording_goes_on_is_seen(tmp_path: Path, waits: str) -> None:
    waits = waits.format(waits=f"sleep 2.5; touch {tmp_path}/done")
    given = ["--wait-all"] if "touch" in waits else []
    done = record(tmp_path, "--no-server", *given, "--", "/bin/sh", "-c", f"setsid sh -c '{waits}' >/dev/null 2>&1 &")
    assert (0, True) == (done.returncode, "nothing is missing" in done.stderr), done.stderr
    assert (tmp_path / "done").exists() is bool(given)


# -- messages ----------------------------------------------------------------------------------------------------------

# It is loaded until the recorder, whose child the shell is, has put probes into it, or until the log says so
LOADS = """
import ctypes, os, sys, time
from pathlib import Path
recorder = Path("/proc", Path("/proc", str(os.getppid()), "stat").read_text().rpartition(")")[2].split()[1])
def probes():
    links = []
    for entry in (recorder / "fd").iterdir():
        try:
            links.append(os.readlink(entry))
        except FileNotFoundError:
            pass
    return sum("bpf" in link or "perf" in link for link in links)
before, log = probes(), Path(sys.argv[2])
ctypes.CDLL(sys.argv[1])
print("in between", file=sys.stderr, flush=True)
deadline = time.monotonic() + 120
while time.monotonic() < deadline and (sys.argv[1] not in log.read_text() if log.exists() else probes() <= before):
    time.sleep(0.02)
"""


def loading(tmp_path: Path) -> tuple[Path, Path, list[str]]:
    """A library that is on no list, a log, and a command that loads the library between two lines of its own."""
    library, log, program = tmp_path / "libother-6a9b88ec.so.3", tmp_path / "log", tmp_path / "loads.py"
    shutil.copy(system_libraries()[0], library)
    program.write_text(LOADS)
    script = f"echo begin >&2; {sys.executable} {program} {library} {log}; echo end >&2"
    return library, log, ["--", "/bin/sh", "-c", script]


def test_between_start_and_end_of_the_command_nothing_of_ours_is_written(tmp_path: Path) -> None:
    library, _, command = loading(tmp_path)
    lines = record(tmp_path, *command).stderr.splitlines()
    assert lines[lines.index("begin") : lines.index("end") + 1] == ["begin", "in between", "end"]
    assert f"agentsight-rx: watching TLS in {library}" in lines[lines.index("end") :]


def test_a_log_has_the_messages_at_once(tmp_path: Path) -> None:
    library, log, command = loading(tmp_path)
    done = record(tmp_path, "--log", str(log), *command)
    assert done.returncode == 0
    assert str(library) not in done.stderr
    assert f"agentsight-rx: watching TLS in {library}" in log.read_text().splitlines()
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_log_without_a_command_is_an_error() -> None:
    done = subprocess.run([*PROGRAM, "record", "-p", "1", "--log", "x"], capture_output=True, text=True, check=False)
    assert (done.returncode, "--log is for a command" in done.stderr) == (2, True)


# -- a terminal that goes away -----------------------------------------------------------------------------------------


def test_a_recording_ends_in_order_when_the_command_is_hung_up(tmp_path: Path) -> None:
    store = tmp_path / "run.lmdb"
    with recording(store, f"touch {tmp_path}/runs; exec sleep 600") as (recorder, _):
        until((tmp_path / "runs").exists)
        recorder.send_signal(signal.SIGHUP)
        _, err = recorder.communicate(timeout=PATIENCE_S)
    assert recorder.returncode == 128 + signal.SIGHUP
    assert "nothing is missing" in err


def test_a_trace_ends_in_order_when_its_terminal_goes_away(tmp_path: Path) -> None:
    store = tmp_path / "run.lmdb"
    master, slave = pty.openpty()

    def on_the_terminal() -> None:
        heed_hangups()
        os.login_tty(slave)

    with started(["/bin/sleep", "600"]) as watched:
        command = [*PROGRAM, "trace", "--process", "-p", str(watched.pid), "--db", str(store)]
        with subprocess.Popen(command, preexec_fn=on_the_terminal) as tracer:
            os.close(slave)
            try:
                said = b""
                while b"capturing" not in said:
                    said += os.read(master, 65_536)
                os.close(master)
                assert tracer.wait(PATIENCE_S) == 0
            finally:
                tracer.kill()
    kept = LmdbStore.open(store, readonly=True)
    try:
        report = read_report(kept)
    finally:
        kept.close()
    assert (len(report.runs), len(report.cut_off)) == (1, 0)


@pytest.mark.parametrize("redirected", [">&-", ">&- 2>&-", ">/dev/full", ">/dev/full 2>/dev/full"])
def test_the_exit_status_is_that_of_the_command_whatever_the_streams_are(tmp_path: Path, redirected: str) -> None:
    """Nor does a file of ours get the number of a stream: the store is whole."""
    store = tmp_path / "run.lmdb"
    line = shlex.join([*PROGRAM, "record", "--no-server", "--db", str(store), "--", "/bin/sh", "-c", "echo x || exit 7"])
    done = subprocess.run(["/bin/sh", "-c", f"{line} {redirected}"], capture_output=True, timeout=PATIENCE_S, check=False)
    assert (done.returncode, b"Traceback" in done.stderr) == (7, False), done.stderr
    kept = LmdbStore.open(store, readonly=True)
    try:
        assert not read_report(kept).cut_off
    finally:
        kept.close()
