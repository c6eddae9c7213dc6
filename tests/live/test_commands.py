"""The command line: demo, record, trace, report, and what a killed tracer leaves."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from agentsight_rx.events import ProcessExec, ProcessExit, SseMessage, SystemSample
from agentsight_rx.store.log.reading import read_events
from agentsight_rx.store.state import LmdbStore
from tests.live.capture import PATIENCE_S, PROGRAM, started, tracing, until
from tests.live.peers import CLIENTS, WIRE_CLIENTS, Peer, client_named, fake_llm, read_calls, wire_server
from tests.reports import Report, read_report

pytestmark = pytest.mark.live

ROOT = Path(__file__).parents[2]


def reports_calls_tokens_and_tools(printed: str) -> None:
    for said in ("2 calls · ", "claude-sonnet-4-5", " in (", " out", "Ran 1 command.", "→ exit 0", "nothing is missing"):
        assert said in printed
    assert "wc -l < /etc/hostname → exit 0" in printed


@pytest.mark.parametrize("other_store", [False, True])
def test_the_demo_reports_its_calls_its_hints_work_as_printed_and_it_keeps_one_recording(
    tmp_path: Path, other_store: bool
) -> None:
    """Also where the other commands use a store of the environment."""
    typed = str(Path(sys.executable).with_name("agentsight-rx"))
    env = {
        **os.environ,
        "XDG_DATA_HOME": str(tmp_path),
        "PATH": os.defpath,
    }  # where the program is not, so it has to be typed whole
    if other_store:
        env["AGENTSIGHT_DB_PATH"] = str(tmp_path / "other.lmdb")
    kept, printed = list[Path](), ""
    for _ in range(2 - other_store):
        done = subprocess.run([typed, "demo"], capture_output=True, text=True, timeout=PATIENCE_S, check=False, env=env)
        assert done.returncode == 0, done.stderr
        printed = done.stdout
        reports_calls_tokens_and_tools(printed)
        before, kept = kept, list((tmp_path / "agentsight-rx").glob("*.lmdb"))
        assert (len(kept), kept == before) == (1, False)
    hints = printed.splitlines()[-1].removeprefix("next: ").partition(" (also ")[0].split(" · ")
    assert [hint.split()[:2] for hint in hints] == [[typed, "report"]] * len(hints) != []
    for hint in hints:
        assert subprocess.run(["/bin/sh", "-c", hint], capture_output=True, check=False, env=env).returncode == 0, hint


@pytest.mark.parametrize(("script", "status"), [("exit 7", 7), ("kill -TERM $$", 143), ("exit 0", 0)])
def test_record_ends_as_the_command_ended(script: str, status: int, tmp_path: Path) -> None:
    path = tmp_path / "run.lmdb"
    done = subprocess.run(
        [*PROGRAM, "record", "--db", str(path), "--", "/bin/sh", "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == status, done.stderr
    assert path.stat().st_mode & 0o777 == 0o600
    report = _report(path)
    assert report.complete
    assert [row.exit_code for row in report.processes] == [status if status < 128 else None]


def test_what_we_do_to_start_a_command_is_no_part_of_its_recording(tmp_path: Path) -> None:
    """The fork of the command waits until everything is attached: the wait, and what ends it, are ours."""
    path = tmp_path / "run.lmdb"
    subprocess.run([*PROGRAM, "record", "--no-server", "--db", str(path), "--", "/bin/sh", "-c", "true"], check=True)
    store = LmdbStore.open(path, readonly=True)
    try:
        events = [event for event in read_events(store) if not isinstance(event, SystemSample)]
        (row,) = read_report(store).processes
    finally:
        store.close()
    assert [event for event in events if event.origin.comm not in ("sh", "")] == []
    (began,) = (event.origin.time_ns for event in events if isinstance(event, ProcessExec))
    (ended,) = (event for event in events if isinstance(event, ProcessExit))
    assert (ended.duration_ns, row.duration_ms) == (ended.origin.time_ns - began, (ended.origin.time_ns - began) // 1_000_000)


def test_record_sees_the_calls_of_a_node_program(tmp_path: Path) -> None:
    client = client_named("node")
    with fake_llm(tmp_path) as peer:
        words = ["record", "--no-server", "--db", str(tmp_path / "run.lmdb"), "--", *client.command(peer, 3, 100)]
        done = subprocess.run([*PROGRAM, *words], env=client.env(peer, tmp_path), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "3 calls · " in done.stderr
    assert "nothing is missing" in done.stderr
    assert _report(tmp_path / "run.lmdb").totals.calls == 3


def test_record_finds_a_running_program_by_its_name(tmp_path: Path) -> None:
    client = client_named("node")
    gate, path = tmp_path / "go", tmp_path / "run.lmdb"
    with fake_llm(tmp_path) as peer:
        runner, *rest = client.command(peer, 3, 100)
        name = tmp_path / f"agent-{os.getpid() % 100_000}"
        name.symlink_to(runner)
        with (
            started([str(name), *rest], client.env(peer, tmp_path) | {"WAIT_FOR": str(gate)}) as watched,
            tracing("record", "--no-server", "--db", str(path), "-c", name.name) as (recorder, _),
        ):
            gate.touch()
            assert watched.wait(PATIENCE_S) == 0
            assert recorder.poll() is None  # a recording by name goes on: another of that name may start
            recorder.send_signal(signal.SIGINT)
            _, err = recorder.communicate(timeout=PATIENCE_S)
    assert recorder.returncode == 0
    assert "3 calls · " in err


def test_what_cannot_be_captured_is_an_error_of_one_line(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("no program")
    with socket.create_server(("127.0.0.1", 0)) as taken, started(["/bin/sleep", "60"]) as watched:
        port = taken.getsockname()[1]
        for words, said in (
            (["--ssl", "--binary-path", str(text)], "no ELF file"),
            (["--process", "--server", "--server-port", str(port)], f"port {port} on 127.0.0.1 is taken"),
            (["--process", "--cgroup", "/no/such/group"], "/no/such/group"),
            (["--ssl", "--binary-path", "docker://no-such-container"], "no-such-container"),
        ):
            done = subprocess.run(
                [*PROGRAM, "trace", "-p", str(watched.pid), *words],
                capture_output=True,
                text=True,
                timeout=PATIENCE_S,
                check=False,
            )
            assert done.returncode == 1, done.stderr
            assert done.stderr.splitlines()[-1].startswith("Error: ")
            assert said in done.stderr.splitlines()[-1]


def test_a_command_that_is_not_there_leaves_no_store(tmp_path: Path) -> None:
    path = tmp_path / "run.lmdb"
    done = subprocess.run(
        [*PROGRAM, "record", "--db", str(path), "--", "no-such-command"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 127
    assert "command not found: 'no-such-command'" in done.stderr
    assert not path.exists()


def test_trace_prints_and_stores_until_its_target_ends(tmp_path: Path) -> None:
    client = client_named("curl")
    gate, path, lines = tmp_path / "go", tmp_path / "run.lmdb", tmp_path / "run.jsonl"
    with fake_llm(tmp_path) as peer:
        env = client.env(peer, tmp_path) | {"WAIT_FOR": str(gate)}
        with started(client.command(peer, 3, 100), env) as watched:
            words = ["--ssl", "--process", "-p", str(watched.pid), "--db", str(path), "--jsonl", str(lines)]
            with tracing("trace", *words) as (tracer, _):
                gate.touch()
                assert watched.wait(PATIENCE_S) == 0
                out, err = tracer.communicate(timeout=PATIENCE_S)
    assert tracer.returncode == 0
    assert "3 calls · " in err
    assert "1 thing is missing" in err
    assert "ran before the capture" in err
    assert out.encode() == lines.read_bytes()
    assert lines.stat().st_mode & 0o777 == 0o600
    assert all({"timestamp", "source", "pid", "comm", "data"} == json.loads(line).keys() for line in out.splitlines())
    assert not [line for line in out.splitlines() if "dummy" in line and json.loads(line)["source"] != "process"]
    assert _report(path).totals.calls == 3
    again = subprocess.run([*PROGRAM, "replay", str(lines)], capture_output=True, text=True, check=True)
    assert again.stdout == out
    assert "3 calls · " in again.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_trace_with_its_summary(number: signal.Signals) -> None:
    with (
        started(["/bin/sleep", "600"]) as watched,
        tracing("trace", "--ssl", "--process", "-p", str(watched.pid)) as (tracer, _),
    ):
        tracer.send_signal(number)
        _, err = tracer.communicate(timeout=PATIENCE_S)
    assert tracer.returncode == 0
    assert "nothing is missing" in err


def test_a_time_ends_a_trace_with_its_summary() -> None:
    with started(["/bin/sleep", "60"]) as watched:
        words = ["trace", "--process", "--system", "-p", str(watched.pid), "--for", "300ms"]
        done = subprocess.run([*PROGRAM, *words], capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    assert "capturing for 0.3 s" in done.stderr
    assert "system_metrics" in done.stdout


def test_a_killed_tracer_leaves_all_that_it_has_stored(tmp_path: Path) -> None:
    client = client_named("node")
    gate, path = tmp_path / "go", tmp_path / "run.lmdb"
    log = tmp_path / "calls.jsonl"
    with fake_llm(tmp_path) as peer:
        env = client.env(peer, tmp_path) | {"WAIT_FOR": str(gate)}
        with (
            started(client.command(peer, 100_000, 100), env) as watched,
            tracing("trace", "--ssl", "--process", "-p", str(watched.pid), "-q", "--db", str(path)) as (tracer, _),
        ):
            gate.touch()
            until(lambda: log.exists() and len(read_calls(log)) >= 11)
            early = len(read_calls(log))
            until(lambda: _complete(_report(path)) >= early)
            tracer.kill()
            tracer.communicate()
    shown = subprocess.run(
        [*PROGRAM, "report", "health", "--text", "--db", str(path)], capture_output=True, text=True, check=True
    )
    report = _report(path)
    assert _complete(report) >= early
    assert "no orderly end" in shown.stdout
    store = LmdbStore.open(path, readonly=True)
    assert sum(isinstance(event, SseMessage) for event in read_events(store)) >= early // 2 - 1
    store.close()


@pytest.mark.parametrize(
    ("name", "serve", "calls", "streams"),
    [("curl", fake_llm, 5, 2), ("curl-h2", wire_server, 8, 4)],
    ids=["plain", "over HTTP/2, in gzip, br and deflate"],
)
def test_the_ten_lines_of_the_readme_run(
    name: str, serve: Callable[[Path], AbstractContextManager[Peer]], calls: int, streams: int, tmp_path: Path
) -> None:
    (block,) = re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    script, gate = tmp_path / "graph.py", tmp_path / "go"
    script.write_text(block)
    client = client_named(name, (*CLIENTS, *WIRE_CLIENTS))
    with serve(tmp_path) as peer:
        env = client.env(peer, tmp_path) | {"WAIT_FOR": str(gate)}
        with (
            started(client.command(peer, calls, 100), env) as watched,
            started([sys.executable, str(script), str(watched.pid)], output=subprocess.PIPE) as graph,
        ):
            assert graph.stderr is not None
            assert any(b"watching TLS in" in line for line in graph.stderr)  # before it, perhaps, what is waited for
            threads = Path(f"/proc/{graph.pid}/task")
            until(lambda: len(list(threads.iterdir())) >= 4)  # main, engine, reader and writer run: the capture has begun
            gate.touch()
            assert watched.wait(PATIENCE_S) == 0
            out, err = graph.communicate(timeout=PATIENCE_S)  # it ends with the process that it watches
    assert graph.returncode == 0
    answers = [json.loads(line) for line in out.splitlines()]
    assert [answer["source"] for answer in answers] == ["sse_processor"] * streams
    assert all(answer["data"]["complete"] for answer in answers)
    *found, last = err.splitlines()
    assert last == b"nothing lost"
    assert [] == [line for line in found if not line.startswith(b"agentsight-rx: ")]  # what is said while it runs


def test_a_wrong_pid_is_an_error_of_one_line(tmp_path: Path) -> None:
    gone = subprocess.Popen(["/bin/true"])
    gone.wait()
    done = subprocess.run([*PROGRAM, "trace", "--ssl", "-p", str(gone.pid)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"Error: there is no process {gone.pid}")


def _report(path: Path) -> Report:
    store = LmdbStore.open(path, readonly=True)
    try:
        return read_report(store)
    finally:
        store.close()


def _complete(report: Report) -> int:
    """The number of complete calls."""
    return sum(turn.call.status == "complete" for turn in report.turns)
