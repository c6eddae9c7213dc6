"""
Commands that end after a moment, recorded again and again -> in how many recordings the first request was there.

    python -m tests.agents.short_runs [--runs N] [NAME…]

A command may be a chain of launchers, whose last program is not known before it starts. The exit status is 1 if a request is
missing in any recording.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from agentsight_rx.events import HttpRequest
from agentsight_rx.store.log.reading import read_events
from agentsight_rx.store.state import LmdbStore
from tests.agents.agent import Place
from tests.agents.agents import agent_named
from tests.agents.install import INSTALLED, PYTHON, install
from tests.agents.network import leave_the_network
from tests.live.capture import PATIENCE_S, PROGRAM
from tests.live.peers import WirePeer, wire_server

__all__ = ["COMMANDS", "main"]

_BODY = '{"model":"demo","messages":[{"role":"user","content":"short"}]}'
_START = "import subprocess, sys; sys.exit(subprocess.run(sys.argv[1:]).returncode)"


def _curl(place: Place) -> list[str]:
    said = ["--silent", "--fail", "--cacert", str(place.peer.ca_file), "--json", _BODY, "--output", "/dev/null"]
    return ["/usr/bin/curl", *said, f"{place.url}/v1/chat/completions"]


def _launched(command: Callable[[Place], list[str]]) -> Callable[[Place], list[str]]:
    """sh starts env, which becomes Python, which starts the command."""
    return lambda place: ["/bin/sh", "-c", '/usr/bin/env "$@"; exit $?', "sh", PYTHON, "-c", _START, *command(place)]


def _http_client(place: Place) -> list[str]:
    return [PYTHON, "-c", f"import urllib.request as r; r.urlopen('{place.url}/v1/chat/completions', b'{_BODY}').read()"]


COMMANDS: dict[str, Callable[[Place], list[str]]] = {
    "curl": _curl,
    "python": _http_client,
    "launchers-curl": _launched(_curl),
    "claude": agent_named("claude").command,
    "launchers-claude": _launched(agent_named("claude").command),
}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.agents.short_runs", description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--runs", type=int, default=50, help="recordings of each command (default: 50)")
    parser.add_argument(
        "names", nargs="*", choices=[*COMMANDS, []], metavar="NAME", help=f"of {', '.join(COMMANDS)} (default: all)"
    )
    options = parser.parse_args(arguments)
    install(["npm"], say=lambda text: print(text, file=sys.stderr))
    leave_the_network()
    bad = 0
    for name in options.names or COMMANDS:
        begin = time.monotonic()
        there = _count(name, options.runs)
        print(f"{name}: {there} of {options.runs}, {(time.monotonic() - begin) / options.runs:.2f} s each", flush=True)
        bad += there < options.runs
    return 1 if bad else 0


def _count(name: str, runs: int) -> int:
    """In how many of the recordings there is every request that the server logged meanwhile."""
    with tempfile.TemporaryDirectory(dir=INSTALLED) as directory, wire_server(Path(directory) / "server") as peer:
        return sum(_is_there(name, peer, Path(directory) / str(number)) for number in range(runs))


def _is_there(name: str, peer: WirePeer, directory: Path) -> bool:
    home, path = directory / "home", directory / "run.lmdb"
    home.mkdir(parents=True)
    place = Place(peer, home)
    before = len(peer.exchanges())
    env = place.env | agent_named("claude").env(place) | {"PYTHONPATH": str(INSTALLED.parents[1])}
    subprocess.run(
        [*PROGRAM, "record", "--no-server", "--db", str(path), "--", *COMMANDS[name](place)],
        cwd=home,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=PATIENCE_S,
        check=True,
    )
    asked = [exchange.path for exchange in peer.exchanges()[before:] if exchange.method == "POST"]
    return bool(asked) and sorted(asked) == sorted(_requests_in(path))


def _requests_in(path: Path) -> list[str]:
    store = LmdbStore.open(path, readonly=True)
    try:
        requests = [event for event in read_events(store) if isinstance(event, HttpRequest)]
    finally:
        store.close()
    return [request.target for request in requests if request.method == "POST" and request.complete]


if __name__ == "__main__":
    sys.exit(main())
