"""`watch`: agents of this test, inside a control group of this test, are found, read and let go, and nothing else is."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from agentsight_rx.graphs import TraceOptions
from agentsight_rx.graphs import trace as trace_graph
from agentsight_rx.loss import Reason
from agentsight_rx.runtime import Run
from agentsight_rx.sources import (
    AgentOptions,
    Choice,
    FileOptions,
    NetOptions,
    PlainHttpOptions,
    ProcessOptions,
    ReadlineOptions,
    Roots,
    StdioOptions,
    SystemOptions,
    Target,
    TlsOptions,
)
from agentsight_rx.sources.running_agents.on_demand import OnDemand
from agentsight_rx.state import LmdbStore
from agentsight_rx.view import CallRow, ProcessRow
from agentsight_rx.view.rows.tables import CALLS, PROCESSES, RUNS, SESSIONS

from .capture import PATIENCE_S, PROGRAM, needs_root, running, until

pytestmark = [pytest.mark.live, needs_root]

# An agent by its name: waits for lines on its input; for each it asks the model, and runs a tool. It prints a line then
AGENT = """
import os, ssl, subprocess, sys, urllib.request
trusting = ssl.create_default_context(cafile=sys.argv[2])
print(os.getpid(), flush=True)
for number, line in enumerate(sys.stdin):
    body = b'{"model": "claude-sonnet-4", "max_tokens": 9, "messages": [{"role": "user", "content": "turn %d of %s"}]}'
    body = body % (number, sys.argv[1].encode())
    url = "https://localhost:" + sys.argv[3] + "/v1/messages"
    asked = urllib.request.Request(url, body, {"content-type": "application/json", "anthropic-version": "2023-06-01"})
    urllib.request.urlopen(asked, context=trusting).read()
    subprocess.run(["/bin/echo", "tool", str(number)], stdout=subprocess.DEVNULL)
    print("done", flush=True)
"""

# Answers each call of the model, over TLS
MODEL = """
import http.server, json, ssl, sys
class Model(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        usage = {"input_tokens": 3, "output_tokens": 2}
        said = {"id": "m", "type": "message", "role": "assistant", "model": "claude-sonnet-4", "stop_reason": "end_turn"}
        body = json.dumps({**said, "content": [{"type": "text", "text": "yes"}], "usage": usage}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1])
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


class Agent:
    """A program of this name, in the control group where one is given."""

    def __init__(self, scene: Scene, name: str, *, group: Path | None) -> None:
        arguments = [name, sys.executable, "-c", AGENT, name, str(scene.certificate), scene.port]

        def enter() -> None:
            if group is not None:
                (group / "cgroup.procs").write_text(str(os.getpid()))

        self.process = subprocess.Popen(
            ["/bin/bash", "-c", '(exec -a "$0" "$@"); true', *arguments],  # no child of this process
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            preexec_fn=enter,
            env={**os.environ, "PYTHONEXECUTABLE": sys.executable},
        )
        self.name = name
        assert self.process.stdout is not None
        self.pid = int(self.process.stdout.readline())

    def asks(self) -> None:
        """One call of the model, and one tool."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(b"go\n")
        self.process.stdin.flush()
        assert b"done\n" == self.process.stdout.readline()

    def ends(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(PATIENCE_S)
        assert self.process.stdout is not None
        self.process.stdout.close()


class Scene:
    """A control group, a model, and agents."""

    def __init__(self, stack: ExitStack, directory: Path, group: Path) -> None:
        import trustme

        self._stack, self.group, self.directory = stack, group, directory
        authority = trustme.CA()
        self.certificate = directory / "ca.pem"
        authority.cert_pem.write_to_path(str(self.certificate))
        place = directory / "server.pem"
        authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(place))
        model = subprocess.Popen([sys.executable, "-c", MODEL, str(place)], stdout=subprocess.PIPE)
        stack.callback(_end, model)
        assert model.stdout is not None
        self.port = model.stdout.readline().decode().strip()

    def start(self, name: str = "claude", *, inside: bool = True) -> Agent:
        agent = Agent(self, name, group=self.group if inside else None)
        self._stack.callback(_end, agent.process)
        return agent


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    with suppress(ValueError):
        process.communicate()


@pytest.fixture
def scene(tmp_path: Path) -> Generator[Scene]:
    mounts = re.findall(r"^\S+ (\S+) cgroup2 ", Path("/proc/self/mounts").read_text(), re.MULTILINE)
    if not mounts:
        pytest.skip("nothing of type cgroup2 is mounted")
    group = Path(mounts[0], f"agentsight-rx-watch-{os.getpid()}")
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made: {error}")
    try:
        with ExitStack() as stack:
            yield Scene(stack, tmp_path, group)
    finally:
        until(lambda: not (group / "cgroup.procs").read_text())
        group.rmdir()


def options(scene: Scene, roots: Roots, *, choice: Choice = Choice(), paused: Callable[[], bool] | None = None) -> TraceOptions:  # noqa: B008
    """All sources, of the agents in the group of the scene."""
    target = Target(roots=roots)
    return TraceOptions(
        agents=AgentOptions(roots, Target(cgroup=str(scene.group)), choice, paused),
        tls=TlsOptions(target),
        plain_http=PlainHttpOptions(target),
        process=ProcessOptions(target),
        files=FileOptions(target),
        net=NetOptions(target),
        readline=ReadlineOptions(target),
        stdio=StdioOptions(target),
        system=SystemOptions(target),
    )


def links() -> list[str]:
    """What of the kernel's this process has open: programs, tables, links and perf events."""
    found: list[str] = []
    for entry in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            kind = os.readlink(f"/proc/self/fd/{entry}")
            if "bpf" in kind or "perf" in kind:
                found.append(kind)
    return sorted(found)


def is_open(run: Run) -> bool:
    """Every source is read now."""
    readers = [each.hub.reader for each in run._readers]  # pyright: ignore[reportPrivateUsage]
    return all(reader.is_open for reader in readers if isinstance(reader, OnDemand))


def calls_of(items: Sequence[Any]) -> dict[str, CallRow]:
    """The newest row of each call."""
    return {row.id: row for row in items if isinstance(row, CallRow) and row.status == "complete"}


def test_agents_are_read_from_their_start_and_let_go_at_their_end(scene: Scene) -> None:
    roots = Roots()
    bystander = scene.start(inside=False)
    with running(trace_graph(options(scene, roots))) as (run, kept):
        before, threads = links(), len(os.listdir("/proc/self/task"))
        assert not any("link" in each for each in before if "perf" in each), "no probe is attached"
        bystander.asks()
        for round_ in range(3):
            agent = scene.start()
            until(lambda: is_open(run))
            assert {agent.pid} == roots.pids
            agent.asks()
            bystander.asks()
            agent.asks()
            until(lambda round_=round_: len(calls_of(kept.items)) == 2 * (round_ + 1))  # type: ignore[misc]
            agent.ends()
            until(lambda: links() == before)
        until(lambda: len(os.listdir("/proc/self/task")) <= threads)
        summary = run.stop()
    assert summary.failures == ()
    assert summary.ledger.unintended() == []
    rows = calls_of(kept.items)
    assert {"claude"} == {row.agent for row in rows.values()}
    assert 3 == len({row.session_id for row in rows.values()}), "each agent is a session"
    assert bystander.pid not in {row.pid for row in rows.values()}
    mine = [row for row in kept.of(ProcessRow) if row.agent == "claude"]
    assert 3 == len({row.id for row in mine})
    assert {"view"} == {row.view_source for row in mine}, "the start of each was seen"


def test_two_agents_at_once_and_one_that_ran_before(scene: Scene) -> None:
    roots = Roots()
    older = scene.start("codex")
    with running(trace_graph(options(scene, roots))) as (run, kept):
        until(lambda: is_open(run))
        younger = scene.start("claude")
        until(lambda: younger.pid in roots.pids)
        older.asks()
        younger.asks()
        older.ends()
        younger.asks()
        until(lambda: len(calls_of(kept.items)) == 3)
        younger.ends()
        run.stop()
    rows = calls_of(kept.items).values()
    assert [("claude", 2), ("codex", 1)] == [(name, sum(row.agent == name for row in rows)) for name in ("claude", "codex")]
    tools = {row.argv for row in kept.of(ProcessRow) if row.argv[:1] == ("/bin/echo",)}
    assert {("/bin/echo", "tool", "0"), ("/bin/echo", "tool", "1")} == tools


def test_a_pause_lets_all_of_them_go_and_its_end_takes_them_up_again(scene: Scene) -> None:
    roots, paused = Roots(), list[bool]()
    with running(trace_graph(options(scene, roots, paused=lambda: bool(paused)))) as (run, kept):
        before = links()  # while no agent runs, or a source is just being opened
        agent = scene.start()
        until(lambda: is_open(run))
        agent.asks()
        until(lambda: len(calls_of(kept.items)) == 1)
        paused.append(True)
        until(lambda: links() == before)
        agent.asks()
        paused.clear()
        until(lambda: is_open(run))
        agent.asks()
        until(lambda: len(calls_of(kept.items)) == 2)
        summary = run.stop()
    assert [1] == [entry.count for entry in summary.ledger.entries() if entry.reason is Reason.PAUSED]


def test_the_command_records_into_one_store_and_goes_on_with_it(scene: Scene) -> None:
    store = scene.directory / "machine.lmdb"
    for number in (1, 2):
        words = ["watch", "--db", str(store), "--cgroup", str(scene.group)]
        with subprocess.Popen([*PROGRAM, *words], stderr=subprocess.PIPE, text=True) as recorder:
            assert recorder.stderr is not None
            printed = ""
            while "capturing" not in printed:
                printed += recorder.stderr.readline()
            agent = scene.start()
            while f"recording claude {agent.pid}" not in printed:
                printed += recorder.stderr.readline()
            while "watching TLS" not in printed.partition(f"recording claude {agent.pid}")[2]:
                printed += recorder.stderr.readline()
            time.sleep(0.5)
            agent.asks()
            agent.ends()
            recorder.terminate()
            _, rest = recorder.communicate(timeout=PATIENCE_S)
            assert recorder.returncode == 0, rest
        kept = LmdbStore.open(store, readonly=True)
        assert number == len(kept.scan(RUNS)) == len(kept.scan(SESSIONS)) == len(kept.scan(CALLS))
        assert all(row.session_id for _, row in kept.scan(CALLS))
        assert number == sum(row.agent == "claude" for _, row in kept.scan(PROCESSES))
        kept.close()
