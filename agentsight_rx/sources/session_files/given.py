"""
Given paths -> the places of session files in them: a home, a copy of an agent's folder, or one file.

Which agent they are of say, in this order, its own folders below or above the path, the last parts of these below it, and the
names of files.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from ...core.errors import UsageError
from ...llm.agents.known import Agent
from ...llm.agents.session_files import read_agents
from .files import Home, Listing, Place, is_like

_ALL = "*.jsonl"  # a pattern that tells no agent from another


def given(paths: Sequence[str], agents: Sequence[str] = ()) -> list[Place]:
    """Where session files are in these paths, of these `agents` or of all. Raises UsageError for a path without any."""
    chosen = [_by_path(each) for each in read_agents() if not agents or each.id in agents]
    return [place for path in paths for place in _of(path, chosen)]


def _by_path(agent: Agent) -> Agent:
    """Crush lists the databases of all projects in a file. A given path may be a copy, so the listed paths lead elsewhere."""
    return replace(agent, sessions=(".crush",), session_files=("crush.db",)) if agent.id == "crush" else agent


def _of(path: str, agents: Sequence[Agent]) -> list[Place]:
    try:
        is_file = stat.S_ISREG(os.stat(path).st_mode)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; give a file or a folder with session files of an agent") from error
    full = os.path.realpath(path) if is_file else os.path.abspath(path)
    if found := [each for agent in agents for each in _laid_out(full, agent) if _has_files(each)]:
        return found
    for by in (_by_file,) if is_file else (_by_folder, _by_name):
        found = _telling([each for agent in agents for each in by(full, agent)])
        if len({each.agent.id for each in found}) > 1:
            raise UsageError(f"{path}: its files may be of {_named(each.agent for each in found)}; say which by --agent")
        if found:
            return found
    if is_file and len(agents) == 1:
        return [Place(agents[0], *os.path.split(full))]
    raise UsageError(f"{path}: no session file was found in it; import reads session files of {_named(agents)}")


def _laid_out(path: str, agent: Agent) -> Iterator[Place]:
    """The agent's own folders: the path lies in one of them, or they lie below it, as below a home or a copied ~/.claude."""
    parts = path.split("/")
    for place in _places(agent):
        length = len(place)
        ends = [end for end in range(length, len(parts) + 1) if parts[end - length : end] == place]
        if ends:
            yield Place(agent, "/".join(parts[: ends[-1]]), "/".join(parts[ends[-1] :]))
            continue
        above = next(number for number in range(length - 1, -1, -1) if not number or parts[-number:] == place[:number])
        yield Place(agent, os.path.join(path, *place[above:]))


def _by_folder(path: str, agent: Agent) -> Iterator[Place]:
    """The path is a copy of ~/.claude by another name: it has `projects`."""
    below = {tuple(place[-number:]) for place in _places(agent) for number in range(1, len(place))}
    yield from filter(_has_files, (Place(agent, os.path.join(path, *each)) for each in sorted(below)))


def _by_name(path: str, agent: Agent) -> Iterator[Place]:
    yield from filter(_has_files, [Place(agent, path)])


def _by_file(path: str, agent: Agent) -> Iterator[Place]:
    if is_like(path.lstrip("/"), agent.session_files):
        yield Place(agent, *os.path.split(path))


def _places(agent: Agent) -> list[list[str]]:
    return [place.split("/") for place in agent.sessions if not place.startswith("$")]


def _has_files(place: Place) -> bool:
    if os.path.isfile(os.path.join(place.root, place.inside)):
        return is_like(place.inside, place.agent.session_files)
    return next(Listing(Home(place.root, None)).inside(place), None) is not None


def _telling(places: list[Place]) -> list[Place]:
    """Where the names of files tell the agent, these places alone; else all."""
    telling = [each for each in places if any(like.removeprefix("*/") != _ALL for like in each.agent.session_files)]
    return telling or places


def _named(agents: Iterator[Agent] | Sequence[Agent]) -> str:
    return ", ".join(dict.fromkeys(each.id for each in agents))
