"""A control group with agents of a test in it, and a model that they ask: what `watch --cgroup` may look at."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from threading import Thread

from agentsight_rx.graphs import TraceOptions
from agentsight_rx.runtime.run import Run
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
from agentsight_rx.sources.kernel.features import takes_links
from agentsight_rx.sources.running_agents.on_demand import OnDemand
from agentsight_rx.view import CallRow
from tests.live.capture import PATIENCE_S, PROGRAM, Kept, until
from tests.live.groups import control_group

__all__ = [
    "AGENT",
    "MODEL",
    "Agent",
    "Recorder",
    "Scene",
    "calls_of",
    "enter",
    "is_open",
    "is_probe",
    "kinds_of",
    "links",
    "options",
    "scene_in",
]

_LINK = re.compile(r"^link_type:\s+(\S+)", re.MULTILINE)
_SETTLED_S = 0.5  # until every source has looked at an agent that was found

# An agent by its name: waits for lines on its input; for each it asks the model, and runs a tool, which the line may name. It
# prints a line then
AGENT = """
import os, ssl, subprocess, sys, urllib.request
trusting = ssl.create_default_context(cafile=sys.argv[2])
print(os.getpid(), flush=True)
for number, line in enumerate(sys.stdin):
    body = b'{"model": "claude-sonnet-4", "max_tokens": 9, "messages": [{"role": "user", "content": "turn %d of %s%s"}]}'
    body = body % (number, sys.argv[1].encode(), b" and on" * int(*sys.argv[4:]))
    url = "https://localhost:" + sys.argv[3] + "/v1/messages"
    asked = urllib.request.Request(url, body, {"content-type": "application/json", "anthropic-version": "2023-06-01"})
    urllib.request.urlopen(asked, context=trusting).read()
    subprocess.run(line.split() or ["/bin/echo", "tool", str(number)], stdout=subprocess.DEVNULL)
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


def enter(group: Path | None) -> None:
    """Run in a new process before its program: it is in this control group."""
    if group is not None:
        (group / "cgroup.procs").write_text(str(os.getpid()))


class Agent:
    """A program of this name, in the control group where one is given."""

    def __init__(self, scene: Scene, name: str, *, group: Path | None, cwd: Path | None = None, words: int = 0) -> None:
        arguments = [name, sys.executable, "-c", AGENT, name, str(scene.certificate), scene.port, str(words)]
        self.process = subprocess.Popen(
            ["/bin/bash", "-c", '(exec -a "$0" "$@"); true', *arguments],  # no child of this process
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            preexec_fn=partial(enter, group),
            cwd=cwd,
            env={**os.environ, "PYTHONEXECUTABLE": sys.executable},
        )
        self.name = name
        assert self.process.stdout is not None
        self.pid = int(self.process.stdout.readline())

    @property
    def known(self) -> tuple[str, int]:
        return self.name, self.pid

    def asks(self, tool: str = "") -> None:
        """One call of the model, and one tool: these words, or an echo."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{tool}\n".encode())
        self.process.stdin.flush()
        assert b"done\n" == self.process.stdout.readline()

    def ends(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(PATIENCE_S)
        assert self.process.stdout is not None
        self.process.stdout.close()


class Recorder:
    """`watch` of the group of a scene, into a store, as a program of its own."""

    def __init__(self, scene: Scene, store: Path, *flags: str, env: Mapping[str, str] = os.environ) -> None:
        words = [*PROGRAM, "watch", "--db", str(store), "--cgroup", str(scene.group), *flags]
        self.process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=env)
        self.pid = self.process.pid
        self.said = ""
        self._reading = Thread(target=self._read, daemon=True)
        self._reading.start()
        self.says("capturing")

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said += line

    def says(self, words: str) -> None:
        """Wait until it has said this."""
        until(lambda: words in self.said or self.process.poll() is not None)
        assert words in self.said, f"it ended with {self.process.poll()}: {self.said}"

    def reads(self, *agents: tuple[str, int]) -> None:
        """Wait until it reads these agents: it found them, opened its sources or has them open, and each has looked."""
        for name, pid in agents:
            self.says(f"recording {name} {pid}")
        began_s = time.monotonic()
        until(lambda: any(is_probe(kind) for kind in kinds_of(self.pid)))
        # Sources are opened side by side; on a busy machine the others may follow as late as the first one came
        quiet_s = max(_SETTLED_S, time.monotonic() - began_s)
        opened, since_s = len([*kinds_of(self.pid)]), time.monotonic()
        while time.monotonic() - since_s < quiet_s:
            time.sleep(0.05)
            if opened != (opened := len([*kinds_of(self.pid)])):
                since_s = time.monotonic()

    def ends(self) -> str:
        """End it in order; what it has said."""
        self.process.terminate()
        self.process.wait(PATIENCE_S)
        return self._rest()

    def is_killed(self) -> str:
        self.process.kill()
        self.process.wait(PATIENCE_S)
        return self._rest()

    def _rest(self) -> str:
        self._reading.join(PATIENCE_S)
        assert self.process.stderr is not None
        self.process.stderr.close()
        return self.said


class Scene:
    """A control group, a model, and agents."""

    def __init__(self, stack: ExitStack, directory: Path, group: Path) -> None:
        import trustme

        self._stack, self.group, self.directory = stack, group, directory
        self._agents = list[Agent]()
        authority = trustme.CA()
        self.certificate = directory / "ca.pem"
        authority.cert_pem.write_to_path(str(self.certificate))
        place = directory / "server.pem"
        authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(place))
        model = subprocess.Popen([sys.executable, "-c", MODEL, str(place)], stdout=subprocess.PIPE)
        stack.callback(end, model)
        assert model.stdout is not None
        self.port = model.stdout.readline().decode().strip()
        stack.callback(self._end_agents)

    def start(self, name: str = "claude", *, inside: bool = True, cwd: Path | None = None, words: int = 0) -> Agent:
        """An agent, each prompt of which is so many words longer."""
        agent = Agent(self, name, group=self.group if inside else None, cwd=cwd, words=words)
        self._agents.append(agent)
        return agent

    def forget(self, agent: Agent) -> None:
        """It has ended."""
        self._agents.remove(agent)

    def _end_agents(self) -> None:
        for agent in self._agents:
            end(agent.process)

    def record(self, store: Path, *flags: str, env: Mapping[str, str] = os.environ) -> Recorder:
        recorder = Recorder(self, store, *flags, env=env)
        self._stack.callback(_end_recorder, recorder)
        return recorder


def _end_recorder(recorder: Recorder) -> None:
    recorder.process.kill()
    recorder.process.wait()


def end(process: subprocess.Popen[bytes]) -> None:
    """At once."""
    process.kill()
    with suppress(ValueError):
        process.communicate()


@contextmanager
def scene_in(directory: Path) -> Generator[Scene]:
    """A scene in a new control group, which is removed at the end."""
    with control_group("watch") as group, ExitStack() as stack:
        yield Scene(stack, directory, group)


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
    return sorted(kinds_of(os.getpid()))


def kinds_of(pid: int) -> Iterator[str]:
    """What each descriptor of BPF, or of perf events, of a process is: "link" with its kind, "map", "perf", or another one."""
    proc = Path(f"/proc/{pid}")
    for entry in os.listdir(proc / "fd"):
        with suppress(OSError):
            name = os.readlink(proc / "fd" / entry)
            if "perf_event" in name:
                yield "perf"
            elif "bpf" in name:
                text = (proc / "fdinfo" / entry).read_text()
                link = _LINK.search(text)
                yield f"link {link[1]}" if link else "map" if "map_type:" in text else name


def is_probe(kind: str) -> bool:
    """In a function of a program. Kernels without links for such probes have perf events, as for tracepoints."""
    return ("uprobe" if takes_links(wanted=True) else "perf") in kind


def is_open(run: Run) -> bool:
    """Every source is read now."""
    readers = [each.hub.reader for each in run._readers]  # pyright: ignore[reportPrivateUsage]
    return all(reader.is_open for reader in readers if isinstance(reader, OnDemand))


def calls_of(kept: Kept) -> dict[str, CallRow]:
    """The newest row of each complete call."""
    return {row.id: row for row in kept.rows(CallRow) if row.status == "complete"}
