"""Five kinds of recordings, in files: a small one, sub-agents, errors with retries and alerts, an import, a lossy one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from agentsight_rx.events import Event, HttpRequest, HttpResponse
from tests.sources.session_files.test_source import FILES, imported, write
from tests.view.page.alert_story import alerts_on, written
from tests.view.page.story import Story, long_session, output, parcel, recorded
from tests.view.talks import TASK, WORKER, delegated

__all__ = ["RECORDINGS", "lossy", "troubled", "with_sub_agents"]

_CALLS = 60
_LATE = 1_795_716_900_000  # behind the last of these calls, ms


def with_sub_agents() -> list[Event]:
    """A main agent whose sub-agent hands a part of its task on, and a second sub-agent that runs at the same time."""
    machine, main = delegated(prompt="Make the parser right")
    main.turn("Look at it first", asks_for=[("t0", "read", {"path": "/src/parser.py"})])
    main.turn(
        ("t0", "The parser reads a line at a time. " * 200),
        asks_for=[
            ("t1", "task", {"subagent_type": "reviewer", "prompt": TASK}),
            ("t2", "task", {"subagent_type": "tester", "prompt": "Run the tests of the parser"}),
        ],
    )
    worker = machine.talk("worker", WORKER)
    tester = machine.talk("tester", WORKER)
    worker.turn(TASK, asks_for=[("u1", "task", {"name": "counter", "prompt": "Count the lines of the parser"})])
    tester.turn("Run the tests of the parser", asks_for=[("v1", "grep", {"pattern": "assert"})])
    machine.talk("below", WORKER).turn("Count the lines of the parser")
    worker.turn(("u1", "12"))
    tester.turn(("v1", "9 lines"))
    main.turn(("t1", "all is well"), ("t2", "9 passed"))
    return machine.events


def troubled() -> list[Event]:
    """Calls that fail with several statuses and are sent again, commands that fail, and files that are refused."""
    story = Story(session="troubled")
    story.ask(ms=700, prompt="Mend the build.", status=529)
    story.again(wait_ms=900, ms=900, status=429, headers=[("retry-after", "2")])
    command: list[tuple[str, dict[str, str]]] = [("Bash", {"command": "make"})]
    (id,) = story.again(wait_ms=1800, ms=2200, says="First the build.", tools=command)
    story.wait(12)
    story.ran("/bin/bash", "-c", "make", ms=340, code=2)
    result = id, "make: *** [all] Error 2", True
    for at in range(4):
        result = story.bash("make", ms=330 + at, code=2, out="make: *** [all] Error 2", results=[result], uncached=at == 2)
    story.files(12388, "cat", refused=["/home/ada/.ssh/id_ed25519", "/home/ada/code/parcel/.env"])
    story.ask(ms=1100, results=[result], says="It is not possible.", max_tokens=64)
    story.ask(ms=400, prompt="Try once more.", status=500)
    story.again(wait_ms=500, ms=2400, says="It is mended.", out=77)
    return story.events


def lossy() -> list[Event]:
    """A long session of which answers were cut, and whose last call was never answered."""
    story = Story(session="lossy", begin_ms=_LATE)
    story.ask(ms=4000, prompt="And the last part?", says="half of it", cut=True)
    story.ask(ms=100, prompt="Are you there?", answered=False)
    tail = [
        replace(event, exchange=event.exchange + _CALLS)
        for event in story.events
        if isinstance(event, HttpRequest | HttpResponse)
    ]
    return [*long_session(_CALLS, session="lossy"), *tail]


def _alerts(path: Path) -> Path:
    made = output(troubled())
    return written(path, [*made, *alerts_on(made, 9)])


def _past(path: Path) -> Path:
    home = path.parent / "home"
    for name, content in FILES.items():
        write(home, name, content)
    imported(home, path)
    return path


RECORDINGS: dict[str, Callable[[Path], Path]] = {
    "parcel": lambda path: recorded(path, parcel()),
    "agents": lambda path: recorded(path, with_sub_agents()),
    "troubled": _alerts,
    "past": _past,
    "lossy": lambda path: recorded(path, lossy()),
}
