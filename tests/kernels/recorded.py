"""
A client of the agents tier, recorded by `agentsight-rx record` -> whether the recording has every byte that the server logged.

The events of a streamed answer are compared, since a recording keeps no framing of theirs; other bodies byte by byte.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from agentsight_rx.events import BodyPart, HttpRequest, HttpResponse, SseMessage
from agentsight_rx.sources.own_folder import own_folder
from agentsight_rx.store.log.reading import read_events
from agentsight_rx.store.state import LmdbStore
from tests.agents.agent import Agent, Place
from tests.agents.agents import agent_named
from tests.agents.compare import Said, differences, of_capture, of_server
from tests.kernels.sentences import ALL_CAPTURED, Done
from tests.live.capture import PROGRAM
from tests.live.peers import WIRE_CLIENTS, Client, client_named, wire_server
from tests.reports import read_report

__all__ = ["RECORDED", "record", "recorded", "whole", "without_framing"]

_ROOT = Path(__file__).parents[2]
LANES, CALLS, SIZE = 2, 6, 20_011  # of the clients that take them: a guest without KVM is slow
# primp breaks off an answer of very many small frames ("too_many_data_frames") that it cannot read in time. The first five
# calls have none.
_SIZES = {"rustls": (1, 5, SIZE)}

# Name of a check -> an entry of the agents tier, or of the clients of the wire server
RECORDED: dict[str, Agent | Client] = {
    "python": agent_named("python-http.client"),
    "curl-h1": agent_named("curl-h1-tls1.3"),
    "curl-h2": agent_named("curl-h2-tls1.3"),
    "wget": agent_named("wget"),
    "node": agent_named("node"),
    "node-h2": client_named("node-h2", WIRE_CLIENTS),
    "go-h1": agent_named("go-h1-tls1.3"),
    "go-h2": agent_named("go-h2-tls1.3"),
    "rustls": agent_named("python-primp"),
    "uv": agent_named("uv"),
    "uv-ring": agent_named("uv-ring"),
    "plain": agent_named("curl-plain"),
    "h2c": agent_named("curl-h2c"),
}


def recorded(name: str, directory: Path) -> str:
    """A sentence that says what was compared. AssertionError says what is wrong."""
    client = RECORDED[name]
    home = directory / "home"
    home.mkdir()
    with wire_server(directory / "server", *(client.server if isinstance(client, Agent) else ())) as peer:
        place = Place(peer, home)
        if isinstance(client, Agent):
            client.prepare(place)
            sizes = _SIZES.get(name, (LANES, CALLS, SIZE))
            command = _smaller(client.command(place), place.url, sizes)
            env, least = place.env | client.env(place), min(client.calls, sizes[0] * sizes[1])
        else:
            command, env, least = client.command(peer, LANES * CALLS, SIZE), client.env(peer, home), LANES * CALLS
        done = record(directory / "run.lmdb", command, home, env)
    kinds = [exchange.response_headers.get("content-type", "") for exchange in peer.exchanges()]
    served = [without_framing(said, kind) for said, kind in zip(of_server(peer), kinds, strict=True)]
    assert not done.status, f"`record` ended with {done.status}: {done.last}"
    assert len(served) >= least, f"the client made {len(served)} of {least} calls"
    seen, unended = whole(directory / "run.lmdb")
    said = f"{found[0]}; it said: {done.printed[-1000:]}" if (found := differences(served, seen)) else ""
    assert not found, f"{len(found)} of {len(served)} calls differ: {said}"
    assert ALL_CAPTURED in done.printed, f"it does not say that nothing is missing: {done.printed[-1500:]}"
    assert not unended, f"no exit code of {unended[0]}"
    return f"{len(served)} calls, {sum(len(said.sent) + len(said.answered) for said in served):,} bytes"


def _smaller(command: Sequence[str], url: str, sizes: tuple[int, int, int]) -> list[str]:
    """With fewer connections at once, of a program that takes URL, LANES, CALLS and SIZE."""
    words = list(command)
    at = words.index(url) + 1 if url in words else len(words)
    if all(word.isdigit() for word in words[at : at + 3]) and len(words) >= at + 3:
        words[at : at + 3] = map(str, sizes)
    return words


def record(store: Path, command: Sequence[str], home: Path, env: dict[str, str], *, by: Sequence[str] = ()) -> Done:
    """Record it, by the program `by`, such as setpriv with its arguments."""
    path = os.pathsep.join(filter(None, (str(_ROOT), env.get("PYTHONPATH"))))
    cache = None if by else own_folder()  # programs are compiled once a guest: it takes a minute without KVM
    kept = {"XDG_CACHE_HOME": str(cache.parent)} if cache else {}
    return Done.of(
        subprocess.run(
            [*by, *PROGRAM, "record", "--no-server", "--db", str(store), "--", *command],
            cwd=home,
            env=env | kept | {"PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    )


def whole(path: Path) -> tuple[list[Said], list[str]]:
    """What a recording has of each call, and the processes without exit code and signal."""
    store = LmdbStore.open(path, readonly=True)
    try:
        events: list[Any] = list(read_events(store))
        rows = read_report(store).processes
    finally:
        store.close()
    unended = [row.comm or f"process {row.pid}" for row in rows if row.exit_code is None and row.signal is None]
    return of_capture(_as_bodies(events)), unended


def _as_bodies(events: Iterable[Any]) -> list[Any]:
    """HTTP as it is; a stream's events as one part of its body."""
    kept: list[Any] = []
    streams: dict[Any, SseMessage] = {}
    for event in events:
        match event:
            case SseMessage():
                streams[event.origin.connection, event.exchange] = event  # a later one has all that the earlier had
            case HttpRequest() | HttpResponse() | BodyPart():
                kept.append(event)
            case _:
                pass
    return kept + [
        BodyPart(message.origin, message.exchange, _joined(each.data for each in message.events))
        for message in streams.values()
    ]


def without_framing(said: Said, kind: str) -> Said:
    """Of an answer that is a stream, by its content type, the events' data alone."""
    text = said.answered.decode() if "stream" in kind or "ndjson" in kind else ""
    if "ndjson" in kind:
        parts = [line for line in text.split("\n") if line]
    elif "event-stream" in kind:
        blocks = (block.split("\n") for block in text.split("\n\n") if block)
        parts = ["\n".join(line[6:] for line in lines if line.startswith("data: ")) for lines in blocks]
    else:
        return said
    return Said(said.what, said.status, said.sent, _joined(parts))


def _joined(parts: Iterable[str]) -> bytes:
    return "\n".join(parts).encode()
