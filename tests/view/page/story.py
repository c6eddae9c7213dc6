"""
A session of an agent as events: fourteen turns with failed commands, a sub-agent, a plan, MCP, files, one answer
that was cut. What tests of the page look at, in memory or in a file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from agentsight_rx import sinks
from agentsight_rx.events import (
    BlindSpot,
    Channel,
    Connection,
    Event,
    FileEvent,
    HttpRequest,
    HttpResponse,
    Loss,
    NetEvent,
    Origin,
    ProcessExec,
    ProcessExit,
    ProcessFork,
    RpcMessage,
    SystemSample,
    TlsUse,
)
from agentsight_rx.events.loss import Ledger, Reason
from agentsight_rx.operators import materialize
from agentsight_rx.store.log.parts import LogWriter
from agentsight_rx.store.rows.kind import put
from agentsight_rx.store.rows.tables import RUNS, TOTALS, Recording
from agentsight_rx.store.rows.tally import Tally
from agentsight_rx.store.state import MemoryStore, Put
from agentsight_rx.view import AnyRow, Output
from tests.operators import run

__all__ = ["HOSTILE", "SESSION", "Story", "long_session", "many_agents", "parcel", "recorded", "stored"]

SESSION = "5c1f0c52-parcel"
HOSTILE = '<img src=x onerror="window.fooled = 1"><script>window.fooled = 1</script>\'"&lt;\u202e'
_DAY = 1_795_716_000_000  # 2026-11-26 18:00:00 UTC, ms
_MS = 1_000_000
_AGENT = 12345
_TICK = 10 * _MS
_CONNECTION = Connection(_AGENT, 5 * _TICK, "/usr/bin/claude", 0x7F00)
_OPEN_FLAGS = 0o1101  # O_WRONLY | O_CREAT | O_TRUNC


class Story:
    """Events one after the other; `now` is in ms after the begin."""

    def __init__(self, *, session: str = SESSION, begin_ms: int = _DAY) -> None:
        self.events: list[Event] = []
        self.now = 0
        self._begin = begin_ms
        self._session = session
        self._exchange = 0
        self._pid = 12370
        self._threads: dict[str, list[dict[str, Any]]] = {}
        self._contexts: dict[str, int] = {}
        self._tools = 0
        self.exec(_AGENT, "claude", "--dangerously-skip-permissions", ppid=1, start=5, filename="/usr/bin/claude")

    def origin(self, pid: int = _AGENT, comm: str = "claude", *, http: bool = False) -> Origin:
        ns = self.now * _MS
        return Origin(ns, pid, pid, 1000, comm, self._begin * _MS + ns, _CONNECTION if http else None)

    def wait(self, ms: int) -> Story:
        self.now += ms
        return self

    def exec(self, pid: int, *argv: str, ppid: int, start: int, filename: str = "") -> None:
        name = argv[0].rpartition("/")[2]
        self.events.append(ProcessFork(self.origin(pid, name), ppid, start * _TICK))
        self.events.append(
            ProcessExec(
                self.origin(pid, name),
                ppid,
                start * _TICK,
                filename=filename or f"/usr/bin/{name}",
                argv=argv,
                cwd="/home/ada/code/parcel",
            )
        )

    def ran(
        self, *argv: str, ms: int, code: int = 0, ppid: int = _AGENT, wrote: Sequence[str] = (), removed: Sequence[str] = ()
    ) -> int:
        """A program, from its start to its end."""
        self._pid += 1
        pid, start = self._pid, self.now // 10 + 10
        self.exec(pid, *argv, ppid=ppid, start=start)
        self.now += ms
        self.files(pid, argv[0], wrote=wrote, removed=removed)
        self.events.append(
            ProcessExit(
                self.origin(pid, argv[0].rpartition("/")[2]),
                ppid,
                start * _TICK,
                exit_code=code,
                duration_ns=ms * _MS,
                cpu_ns=ms * _MS // 2,
                peak_bytes=181_000_000,
            )
        )
        return pid

    def files(
        self, pid: int, comm: str, *, wrote: Sequence[str] = (), removed: Sequence[str] = (), refused: Sequence[str] = ()
    ) -> None:
        for path in wrote:
            self.events.append(FileEvent(self.origin(pid, comm), 0, "open", path, flags=_OPEN_FLAGS))
            self.events.append(FileEvent(self.origin(pid, comm), 0, "close", path, written_bytes=1840))
        self.events += [FileEvent(self.origin(pid, comm), 0, "unlink", path) for path in removed]
        self.events += [FileEvent(self.origin(pid, comm), 0, "open", path, error=13) for path in refused]

    def sample(self, cpu: float, memory: int) -> None:
        self.events.append(
            SystemSample(
                self.origin(),
                cpu,
                cores=4,
                cpu_seconds=1,
                rss_bytes=memory << 20,
                vsz_bytes=0,
                threads=9,
                fds=20,
                read_bytes=0,
                written_bytes=0,
                processes=3,
            )
        )

    def ask(
        self,
        *,
        ms: int,
        prompt: str = "",
        results: Sequence[tuple[str, str, bool]] = (),
        says: str = "",
        thinks: str = "",
        tools: Sequence[tuple[str, dict[str, Any]]] = (),
        grew: int = 5000,
        out: int = 300,
        uncached: bool = False,
        agent: str = "",
        cut: bool = False,
        answered: bool = True,
        status: int = 200,
        max_tokens: int = 16384,
        headers: Sequence[tuple[str, str]] = (),
    ) -> list[str]:
        """One call of the model; returns the ids of the tools that it asked for."""
        thread = self._threads.setdefault(agent, [])
        content: list[dict[str, Any]] = [
            {"type": "tool_result", "tool_use_id": id, "content": text, "is_error": failed} for id, text, failed in results
        ]
        if prompt:
            content.append({"type": "text", "text": prompt})
        thread.append({"role": "user", "content": content})
        self._exchange += 1
        model = "claude-haiku-4-5" if agent else "claude-sonnet-4-5"
        sent = [("host", "api.anthropic.com"), ("x-claude-code-session-id", self._session)]
        if agent:
            sent.append(("x-claude-code-agent-id", agent))
        body: dict[str, Any] = {
            "model": model,
            "max_tokens": max_tokens,
            "system": "You are a careful programmer. Work in small steps.",
            "tools": [
                {"name": name, "description": name, "input_schema": {}}
                for name in ("Bash", "Edit", "Read", "Task", "TodoWrite")
            ],
            "messages": thread,
        }
        self.events.append(
            HttpRequest(
                self.origin(http=True),
                self._exchange,
                "POST",
                "/v1/messages?beta=true",
                "HTTP/1.1",
                headers=tuple(sent),
                body=json.dumps(body).encode(),
                size=4000,
            )
        )
        before = self._contexts.get(agent, 12_000)
        self._contexts[agent] = before + grew
        self.now += ms
        ids: list[str] = []
        parts: list[dict[str, Any]] = [{"type": "thinking", "thinking": thinks}] if thinks else []
        parts += [{"type": "text", "text": says}] if says else []
        for name, given in tools:
            self._tools += 1
            ids.append(f"toolu_{self._tools:03}")
            parts.append({"type": "tool_use", "id": ids[-1], "name": name, "input": given})
        thread.append({"role": "assistant", "content": parts})
        if not answered:
            return ids
        usage = {
            "input_tokens": before + grew if uncached else grew,
            "cache_read_input_tokens": 0 if uncached else before,
            "output_tokens": out,
        }
        answer: dict[str, Any] = {
            "id": f"msg_{self._exchange}",
            "model": model,
            "content": parts,
            "stop_reason": "end_turn",
            "usage": usage,
        }
        if status >= 400:
            answer = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
        self.events.append(
            HttpResponse(
                self.origin(http=True),
                self._exchange,
                status,
                "OK" if status < 400 else "Overloaded",
                "HTTP/1.1",
                headers=(("content-type", "application/json"), *headers),
                body=json.dumps(answer).encode(),
                end_ns=self.now * _MS,
                complete=not cut,
                reason="gap" if cut else None,
                method="POST",
                target="/v1/messages?beta=true",
                host="api.anthropic.com",
            )
        )
        return ids

    def again(self, *, wait_ms: int, agent: str = "", **ask: Any) -> list[str]:
        """The call before failed: the same request once more."""
        thread = self._threads[agent]
        thread.pop()
        sent = thread.pop()
        self.wait(wait_ms)
        self._contexts[agent] -= ask.get("grew", 5000)
        prompt = "".join(part["text"] for part in sent["content"] if part["type"] == "text")
        results = [
            (part["tool_use_id"], part["content"], part["is_error"]) for part in sent["content"] if part["type"] != "text"
        ]
        return self.ask(prompt=prompt, results=results, agent=agent, **ask)

    def bash(
        self, command: str, *, ms: int, code: int = 0, out: str = "", ms_of_model: int = 2200, **ask: Any
    ) -> tuple[str, str, bool]:
        """A turn that runs a command, and the result to be sent with the next one."""
        (id,) = self.ask(tools=[("Bash", {"command": command})], ms=ms_of_model, **ask)
        self.wait(12)
        self.ran("/bin/bash", "-c", command, ms=ms, code=code)
        return id, out or ("" if not code else f"command failed with exit {code}"), bool(code)

    @property
    def context(self) -> int:
        """Tokens of the newest request of the main agent."""
        return self._contexts.get("", 0)

    def compact(self, *, left: int = 30_000) -> None:
        """The agent asks for a summary of the conversation, and goes on with that alone."""
        words = "Your task is to create a detailed summary of the conversation so far."
        self.ask(ms=3000, prompt=words, says="We fixed the rounding.", grew=400)
        self._threads[""] = []
        self._contexts[""] = left


def many_agents(agents: int, *, turns: int = 3) -> list[Event]:
    """A session that asks `agents` sub-agents at once in turn 2; its turn 3 is answered at the second try, after 8.2 s."""
    story = Story()
    first = story.bash("git status", ms=60, prompt="Look at everything")
    tasks = [
        {"description": f"part {at}: find the callers", "prompt": f"Look at part {at}", "subagent_type": "explore"}
        for at in range(agents)
    ]
    ids = story.ask(ms=2000, results=[first], says="All at once.", tools=[("Task", task) for task in tasks])
    for turn in range(turns):
        for at in range(agents):
            prompt = f"Look at part {at}" if not turn else "Go on"
            story.ask(ms=900, prompt=prompt, says="I look.", agent=f"agent-{at}", grew=1000 + 100 * at)
    results = [(id, "nothing is wrong", False) for id in ids]
    story.ask(ms=212, results=results, status=429, headers=[("retry-after", "8")])
    story.again(wait_ms=8200, ms=8800, says="The parts agree.")
    story.ask(ms=1000, prompt="Thank you", says="Done.")
    return story.events


def long_session(calls: int, *, session: str = "long") -> list[Event]:
    """
    A session of so many calls, most of which run a command: every 13th fails, every 41st is cut, every 37th has a sub-agent,
    the cache is lost in every 61st, and the conversation is compacted once it has 150,000 tokens.
    """
    story = Story(session=session)
    story.events.append(NetEvent(story.origin(), 5 * _TICK, "connect", "ipv4", "tcp", peer="160.79.104.10", port=443))
    result: tuple[str, str, bool] | None = None
    made = 0
    while made < calls:
        made += 1
        story.wait(400)
        given: dict[str, Any] = {"results": [result]} if result else {"prompt": f"Go on with part {made} of the ledger."}
        given |= {
            "grew": 300 + made * 37 % 1300,
            "says": f"Step {made} of the work.\n\nIt looks at one more file." * (1 + made % 3),
        }
        if made % 37 == 0 and made + 3 < calls:
            (task,) = story.ask(
                ms=900, tools=[("Task", {"subagent_type": "explore", "prompt": f"Look around {made}."})], **given
            )
            for at in range(2):
                story.ask(ms=700, prompt="" if at else f"Look around {made}.", says="Found.", agent=f"agent-{made}", grew=900)
            made += 2
            result = task, "Found.", False
        elif story.context > 150_000 and made + 2 < calls:
            story.ask(ms=900, **dict[str, Any](given, says="Time to tidy up."))
            story.compact()
            made += 1
            result = None
        elif made == calls:
            story.ask(ms=1200, **dict[str, Any](given, says="Done."))
        else:
            fails = made % 13 == 0
            result = story.bash(
                f"pytest -q tests/test_part_{made}.py",
                ms=300,
                code=int(fails),
                out="1 failed" if fails else "4 passed",
                uncached=made % 61 == 0,
                cut=made % 41 == 0,
                ms_of_model=1100,
                **given,
            )
    return story.events


def parcel() -> list[Event]:
    """The session that the drawn page shows."""
    story = Story()
    story.events.append(
        TlsUse(
            story.origin(), 5 * _TICK, "/usr/bin/claude", "BoringSSL", method="code", proven=True, connections=3, size=812_000
        )
    )
    story.events.append(NetEvent(story.origin(), 5 * _TICK, "connect", "ipv4", "tcp", peer="160.79.104.10", port=443))
    story.sample(4, 210)
    (plan, task) = story.ask(
        ms=6200,
        prompt="Invoice totals are off by one cent for orders with discounts. Find out why, fix it, add tests, have the change "
        "reviewed and commit it.",
        thinks="The one cent suggests rounding twice: once for each line, once for the order. I need the place where discounts "
        "are spread before I change anything.",
        says="I will look for every place that rounds money, then reproduce the wrong total with the existing tests.",
        tools=[
            ("TodoWrite", {"todos": _todos(0)}),
            ("Task", {"subagent_type": "explore", "prompt": "Find the rounding code in src and say where totals are made."}),
        ],
        grew=6200,
        out=640,
    )
    story.wait(20)
    (found,) = story.ask(
        ms=1900,
        prompt="Find the rounding code in src and say where totals are made.",
        tools=[("Bash", {"command": "rg -n 'quantize|round\\(' src"})],
        agent="agent-explore",
        grew=2000,
        out=240,
    )
    story.wait(8)
    story.ran("/bin/bash", "-c", "rg -n 'quantize|round\\(' src", ms=41)
    story.ask(
        ms=3100,
        results=[(found, "src/billing/rounding.py:12: quantize", False)],
        says="Totals are rounded per line in rounding.py and again per order in invoice.py.",
        agent="agent-explore",
    )
    done = [(plan, "ok", False), (task, "Totals are rounded twice.", False)]
    result = story.bash("git log --oneline -8 -- src/billing", ms=28, out="a1b2c3 round later", results=done, grew=6400)
    story.sample(180, 420)
    tests = "pytest -q tests/test_rounding.py"
    result = story.bash(
        tests,
        ms=6100,
        code=1,
        out="1 failed, 8 passed in 5.9 s",
        **_turn(result, says="First the tests as they are.", wait=2100),
    )
    story.sample(193, 592)
    (edit,) = story.ask(
        ms=4200,
        results=[result],
        says="The line total is rounded before the discount is spread. I keep exact amounts until the end.",
        tools=[
            (
                "Edit",
                {"file_path": "/home/ada/code/parcel/src/billing/invoice.py", "old_string": "round", "new_string": "exact"},
            )
        ],
    )
    story.wait(6)
    story.files(_AGENT, "claude", wrote=["/home/ada/code/parcel/src/billing/invoice.py"])
    story.events.append(
        RpcMessage(
            story.origin(12361, "mcp-postgres"),
            Channel("pipe", 81),
            kind="request",
            method="tools/call",
            id="4",
            tool="query",
            params='{"name": "query", "arguments": {"sql": "select total from invoices limit 3"}}',
            result='{"content": [{"type": "text", "text": "10.01"}]}',
            outcome="ok",
            writer_pid=_AGENT,
            reader_pid=12361,
            server="postgres 1.4",
            end_ns=(story.now + 31) * _MS,
        )
    )
    result = (edit, "The file was edited.", False)
    for grew, uncached in ((5300, False), (3300, True), (2600, False)):
        result = story.bash(
            "pytest -k rounding -x",
            ms=5900,
            code=1,
            out="FAILED tests/test_rounding.py::test_splits_remainder\nE  assert Decimal('10.01') == Decimal('10')\n1 failed",
            **_turn(result, says="Running everything that touches rounding.", grew=grew, uncached=uncached),
        )
        story.sample(150, 480)
    result = story.bash(
        "cat .env", ms=9, code=1, out="cat: .env: Permission denied", **_turn(result, says="Perhaps a setting.")
    )
    story.files(12388, "cat", refused=["/home/ada/code/parcel/.env"])
    (edit, plan) = story.ask(
        ms=5200,
        results=[result],
        says="The remainder must go to the largest line. Now the fix and its tests.",
        tools=[
            (
                "Write",
                {"file_path": "/home/ada/code/parcel/tests/test_rounding.py", "content": "def test_splits_remainder(): ..."},
            ),
            ("TodoWrite", {"todos": _todos(4)}),
        ],
        cut=True,
    )
    story.files(
        _AGENT,
        "claude",
        wrote=["/home/ada/code/parcel/tests/test_rounding.py", "/home/ada/code/parcel/src/billing/rounding.py"],
    )
    result = story.bash(
        "pytest -q", ms=41_600, out="214 passed in 41.2 s", **_turn((edit, "ok", False), extra=[(plan, "ok", False)])
    )
    story.sample(120, 610)
    story.ran(
        "git",
        "commit",
        "-m",
        "Round once",
        ms=44,
        wrote=["/home/ada/code/parcel/.git/COMMIT_EDITMSG"],
        removed=["/home/ada/code/parcel/.git/index.lock"],
    )
    story.ask(ms=2400, results=[result], status=529)
    story.wait(2000)
    story.ask(
        ms=3800,
        results=[result],
        says="Done. Totals are exact until the order is closed; the remainder goes to the largest line. 214 tests pass, and "
        "the change is committed as `Round once`.",
        out=410,
    )
    story.events.append(
        BlindSpot(
            story.origin(12612, "codex"),
            77 * _TICK,
            1,
            15_018,
            peers=("104.18.7.46:443",),
            files=("/usr/bin/codex",),
            looks_like=("rustls with aws-lc",),
        )
    )
    story.events.append(Loss(story.origin(0, ""), "tls", reason=Reason.KERNEL_LOST, count=41, size=1200))
    story.wait(300).events.append(ProcessExit(story.origin(), 1, 5 * _TICK, exit_code=0, duration_ns=story.now * _MS))
    return story.events


def _turn(
    result: tuple[str, str, bool],
    *,
    says: str = "",
    grew: int = 5000,
    uncached: bool = False,
    wait: int = 1900,
    extra: Sequence[tuple[str, str, bool]] = (),
) -> dict[str, Any]:
    return {"results": [result, *extra], "says": says, "grew": grew, "uncached": uncached, "ms_of_model": wait}


def _todos(done: int) -> list[dict[str, str]]:
    steps = ("find the place", "reproduce it", "fix it", "add tests", "review", "review and commit")
    states = ["completed" if at < done else "in_progress" if at == done else "pending" for at in range(len(steps))]
    return [{"content": step, "status": state, "activeForm": step} for step, state in zip(steps, states, strict=True)]


def output(events: Iterable[Event]) -> list[Output]:
    return run(materialize(), list(events))


def stored(events: Iterable[Event]) -> MemoryStore:
    """A store in memory with the log and the rows of these events, whose run has not ended."""
    store, made = MemoryStore(), output(events)
    rows = [each for each in made if isinstance(each, AnyRow)]
    log, tally = LogWriter(store), Tally()
    tally.add(rows)
    run = Recording(number=1, started_ms=_DAY, committed_ms=_DAY + 1000)
    writes = log.append([each for each in made if not isinstance(each, AnyRow)])
    store.commit([*writes, *map(put, rows), Put(RUNS, 1, run), Put(TOTALS, 1, tally.totals)])
    log.keep()
    return store


def recorded(path: Path, events: Iterable[Event], *, ended: bool = True) -> Path:
    """A store in a file, as `record` writes it."""
    ledger = Ledger()
    ledger.begin()
    ledger.meter("tls").lose(Reason.KERNEL_LOST, 41, 1200)
    writer = sinks.store(path).open(ledger)
    writer.write(output(events))
    writer.flush()
    if ended:
        writer.close()
    return path
