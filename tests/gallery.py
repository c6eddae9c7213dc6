"""The recording of the examples: `python -m tests.gallery > examples/run.jsonl` makes it."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from agentsight_rx.events import ProcessExec, ProcessFork
from agentsight_rx.events.envelope import encode_line
from tests.cli.report.story import Story, result, text, tool

__all__ = ["lines"]

_AGENT = 4242
_HAIKU = "claude-haiku-4-5"


def lines() -> Iterator[bytes]:
    """Events as lines: two prompts of a person, a failing test that gets fixed, a push; titles by a smaller model."""
    story = Story(pid=_AGENT, session="7d1e0c52")
    story.runs("claude", cwd="/home/ada/shop")
    story.now_s = 1.0
    story.asks(
        text("Why is the total of a refunded order wrong? Fix it."),
        answer=[text("I run the test first."), tool("t1", "Bash", command="pytest -q tests/test_refunds.py")],
        usage={"input_tokens": 5100, "output_tokens": 180},
    )
    _runs(story, 4301, "pytest -q tests/test_refunds.py", exit_code=1, takes_s=8)
    story.asks(
        result("t1", "FAILED tests/test_refunds.py::test_total - assert 90 == 100", failed=True),
        answer=[tool("t2", "Edit", file_path="/home/ada/shop/refunds.py", old_string="a", new_string="b")],
        usage={"input_tokens": 420, "cache_read_input_tokens": 5280, "output_tokens": 260},
        takes_s=4,
    )
    story.touches("open", "/home/ada/shop/refunds.py", pid=_AGENT, comm="claude", flags=0o1101)
    story.touches("close", "/home/ada/shop/refunds.py", pid=_AGENT, comm="claude", written=912)
    story.now_s += 40
    story.asks(
        result("t2", "edited"),
        answer=[tool("t3", "Bash", command="pytest -q tests/test_refunds.py > report.txt")],
        usage={"input_tokens": 90, "cache_read_input_tokens": 5960, "output_tokens": 70},
    )
    _runs(story, 4302, "pytest -q tests/test_refunds.py > report.txt", exit_code=0, takes_s=9, writes="report.txt")
    story.asks(
        result("t3", "1 passed"),
        answer=[text("The refund was counted twice; it is fixed.")],
        usage={"input_tokens": 6200, "output_tokens": 40},
    )
    story.asks(
        text("Suggest a commit message."),
        answer=[text("Count refunds once")],
        usage={"input_tokens": 800, "output_tokens": 9},
        model=_HAIKU,
    )
    story.now_s += 50
    story.asks(
        text("Push it."),
        answer=[tool("t4", "Bash", command="git push --force origin main")],
        usage={"input_tokens": 6300, "output_tokens": 45},
    )
    _runs(story, 4303, "git push --force origin main", exit_code=0, takes_s=3)
    story.asks(result("t4", "forced update"), answer=[text("It is pushed.")], usage={"input_tokens": 6400, "output_tokens": 12})
    story.ends(0, comm="claude")
    return (encode_line(event) for event in story.events)


def _runs(story: Story, pid: int, command: str, *, exit_code: int, takes_s: float, writes: str = "") -> None:
    """The shell that the agent starts for a command."""
    at = story.origin(pid, "sh")
    story.events.append(ProcessFork(at, _AGENT, 1))
    story.events.append(ProcessExec(at, _AGENT, 1, filename="/bin/sh", argv=("sh", "-c", command), cwd="/home/ada/shop"))
    story.now_s += takes_s
    if writes:
        story.touches("close", f"/home/ada/shop/{writes}", pid=pid, comm="sh", written=310)
    story.ends(exit_code, pid=pid)
    story.now_s += 0.1


if __name__ == "__main__":
    sys.stdout.buffer.writelines(line + b"\n" for line in lines())
