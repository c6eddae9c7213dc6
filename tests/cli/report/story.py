"""A small recording, made by hand: an agent with a failing test, its tools, processes, files and peers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from agentsight_rx.events import (
    Connection,
    Event,
    FileEvent,
    HttpRequest,
    HttpResponse,
    NetEvent,
    Origin,
    ProcessExec,
    ProcessExit,
    ProcessFork,
)
from agentsight_rx.events.loss import Ledger
from agentsight_rx.sinks import store as store_sink
from agentsight_rx.view import Fold, Output

__all__ = ["AGENT", "BEGAN_MS", "Story", "recorded", "small_story"]

AGENT = 12345
BEGAN_MS = 1_764_266_404_000  # 2025-11-27 18:00:04 UTC
_SECOND = 1_000_000_000


class Story:
    """
    Events in the order of time, one call after the other of one conversation. `version` is in the head of each request, and
    `sent` in its body.
    """

    def __init__(
        self,
        *,
        pid: int = AGENT,
        comm: str = "claude",
        session: str = "5e5510",
        began_s: float = 0.0,
        version: str = "",
        sent: Mapping[str, object] | None = None,
    ) -> None:
        self.events: list[Event] = []
        self._agent = (("user-agent", f"claude-cli/{version} (external, cli)"),) if version else ()
        self._sent = dict(sent or {})
        self.pid, self.comm, self.session = pid, comm, session
        self.now_s = began_s
        self._exchange = 0
        self._messages: list[dict[str, object]] = []

    def origin(self, pid: int | None = None, comm: str | None = None, *, direction: str = "out") -> Origin:
        at = round(self.now_s * _SECOND)
        mine = pid is None
        return Origin(
            at + _SECOND,
            pid or self.pid,
            comm=comm or self.comm,
            wall_ns=BEGAN_MS * 1_000_000 + at,
            connection=Connection(self.pid, 1, "libssl.so", 7) if mine else None,
            direction=direction if mine else None,  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
        )

    def runs(self, argv: str, *, pid: int | None = None, ppid: int = 1, cwd: str = "/home/ada/code/parcel") -> None:
        words = tuple(argv.split())
        where = Origin(0, pid or self.pid)
        at = self.origin(where.pid, words[0])
        self.events.append(ProcessFork(at, ppid, 1))
        self.events.append(ProcessExec(at, ppid, 1, filename=f"/usr/bin/{words[0]}", argv=words, cwd=cwd))

    def ends(self, exit_code: int, *, pid: int | None = None, comm: str = "sh") -> None:
        self.events.append(ProcessExit(self.origin(pid or self.pid, comm), 1, 1, exit_code=exit_code))

    def touches(self, action: str, path: str, *, pid: int, comm: str, error: int = 0, written: int = 0, flags: int = 0) -> None:
        self.events.append(
            FileEvent(self.origin(pid, comm), 1, action, path=path, error=error, written_bytes=written, flags=flags)
        )

    def connects(self, peer: str, port: int, *, pid: int, comm: str) -> None:
        self.events.append(NetEvent(self.origin(pid, comm), 1, "connect", family="ipv4", protocol="tcp", peer=peer, port=port))

    def asks(
        self,
        *parts: dict[str, object],
        answer: Iterable[dict[str, object]] = (),
        usage: dict[str, int] | None = None,
        takes_s: float = 2.0,
        status: int = 200,
        model: str = "claude-sonnet-4-5",
        complete: bool = True,
    ) -> None:
        """One call: the parts are what this request adds to the conversation."""
        self._exchange += 1
        self._messages.append({"role": "user", "content": list(parts)})
        body = {
            "model": model,
            "max_tokens": 1024,
            "messages": self._messages,
            "metadata": {"user_id": f"session_{self.session}"},
            **self._sent,
        }
        host = (("host", "api.anthropic.com"), ("content-type", "application/json"))
        asked = self.origin()
        head = (*host, ("x-claude-code-session-id", self.session), *self._agent)
        self.events.append(
            HttpRequest(
                asked, self._exchange, "POST", target="/v1/messages", version="HTTP/1.1", headers=head,
                body=json.dumps(body).encode(), end_ns=asked.time_ns,
            )
        )  # fmt: skip
        self.now_s += takes_s
        said = list(answer)
        reply: dict[str, object] = {"id": f"msg_{self._exchange}", "type": "message", "role": "assistant", "model": model}
        reply |= {"content": said, "stop_reason": "end_turn", "usage": usage or {"input_tokens": 6200, "output_tokens": 640}}
        if status >= 400:
            reply = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
        got = self.origin(direction="in")
        self.events.append(
            HttpResponse(
                got, self._exchange, status, phrase="OK", version="HTTP/1.1", headers=(("content-type", "application/json"),),
                body=json.dumps(reply).encode(), end_ns=got.time_ns, method="POST", target="/v1/messages",
                host="api.anthropic.com", complete=complete, reason=None if complete else "gap",
            )
        )  # fmt: skip
        if status < 400:
            self._messages.append({"role": "assistant", "content": said})
        self.now_s += 0.1


def text(said: str) -> dict[str, object]:
    return {"type": "text", "text": said}


def tool(id: str, name: str, **given: object) -> dict[str, object]:
    return {"type": "tool_use", "id": id, "name": name, "input": given}


def result(id: str, output: str, *, failed: bool = False) -> dict[str, object]:
    return {"type": "tool_result", "tool_use_id": id, "content": output, "is_error": failed}


def small_story() -> Story:
    """Three turns: a prompt, a test that fails twice, a fix."""
    story = Story()
    story.runs("claude -p fix")
    story.now_s = 0.1
    story.asks(
        text("Invoice totals are off by one cent for orders with discounts"),
        answer=[text("I will run the test."), tool("t1", "Bash", command="pytest tests/test_invoice.py -q")],
        usage={"input_tokens": 6200, "cache_read_input_tokens": 12_000, "output_tokens": 640},
        takes_s=6.2,
    )
    for number, id in ((1, "t1"), (2, "t2")):
        pid = 12400 + number
        story.runs("sh -c pytest tests/test_invoice.py -q".replace("-c ", "-c "), pid=pid, ppid=AGENT)
        story.events[-1] = ProcessExec(
            story.origin(pid, "sh"),
            AGENT,
            1,
            filename="/bin/sh",
            argv=("sh", "-c", "pytest tests/test_invoice.py -q"),
            cwd="/x",
        )
        story.touches("open", "/home/ada/code/parcel/.pytest_cache/lastfailed", pid=pid, comm="sh", flags=0o101)
        story.touches("close", "/home/ada/code/parcel/.pytest_cache/lastfailed", pid=pid, comm="sh", written=412)
        story.now_s += 3.2
        story.ends(1, pid=pid)
        again = [tool("t2", "Bash", command="pytest tests/test_invoice.py -q")] if number == 1 else []
        edits = [tool("t3", "Edit", file_path="/home/ada/code/parcel/src/billing/invoice.py", old_string="a", new_string="b")]
        story.asks(
            result(id, "FAILED tests/test_invoice.py::test_discounted_total - assert 99.99 == 100.00", failed=True),
            answer=[text("Once more."), *(again or edits)],
            usage={"input_tokens": 2_400, "cache_read_input_tokens": 24_600, "output_tokens": 220},
        )
    story.touches("open", "/home/ada/code/parcel/src/billing/invoice.py", pid=AGENT, comm="claude", flags=0o1101)
    story.touches("close", "/home/ada/code/parcel/src/billing/invoice.py", pid=AGENT, comm="claude", written=2048)
    story.touches("unlink", "/home/ada/code/parcel/notes.tmp", pid=AGENT, comm="claude")
    story.touches("open", "/home/ada/code/parcel/.env", pid=AGENT, comm="claude", error=13)
    story.connects("127.0.0.1", 5432, pid=AGENT, comm="claude")
    story.asks(result("t3", "edited"), answer=[text("Done: the rounding is in one place.")], takes_s=1.5)
    story.ends(0)
    return story


def items(events: Iterable[Event]) -> Iterator[Output]:
    """The events, and behind each the rows that it adds."""
    fold = Fold()
    for event in events:
        yield event
        yield from fold.add(event)
    yield from fold.finish()


def recorded(path: Path, *stories: Story, ledger: Ledger | None = None, ended: bool = True) -> Path:
    """A store at `path` with all of the events."""
    counts = ledger or Ledger()
    counts.begin()
    writer = store_sink(path).open(counts)
    events = sorted((event for story in stories for event in story.events), key=lambda event: event.origin.time_ns)
    writer.write(list(items(events)))
    writer.flush()
    if ended:
        writer.close()
    return path
