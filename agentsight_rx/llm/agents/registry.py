"""The name and the arguments of a process, the head of its requests -> the agent that it is, by the table of all agents."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from ...core.start import regex
from .known import AGENTS, Agent
from .programs import LAUNCHER, base_name, script_or_module

_COMM = 15  # bytes of a process's name that the kernel keeps (TASK_COMM_LEN - 1)
_SUFFIXES = (".js", ".mjs", ".cjs", ".py", ".exe")

_KNOWN_MOST = 1024  # programs: a build starts a few of them thousands of times


class _Registry:
    """The agents, ours first, and by what each is known."""

    def __init__(self, agents: Iterable[Agent]) -> None:
        self.agents = {agent.id: agent for agent in agents}
        of = self.agents.values()
        self.names = {cut: agent.id for agent in of for name in agent.names for cut in (name, name[:_COMM])}
        self.prefixes = tuple((prefix, agent.id) for agent in of for prefix in agent.prefixes)
        self.starts = tuple(prefix for prefix, _ in self.prefixes)
        self.packages = {part: agent.id for agent in of for part in agent.packages}
        # A package has programs of others too, such as vendor/ripgrep/x64-linux/rg and node_modules/.bin/tsc
        self.package = re.compile(f"({'|'.join(map(re.escape, self.packages))})(?!(?:.*/)?(?:vendor|node_modules)/)")
        self.products = {product: agent.id for agent in of for product in agent.products}


_known = [_Registry(AGENTS)]  # one, which is replaced
_of_packages: list[Agent] = []
_of_user: list[Agent] = []


def add_agent(agent: Agent, /) -> None:
    """Know an agent of another package from here on. Where a name has two of them, ours is meant."""
    _of_packages.append(agent)
    _know()


def set_own_agents(agents: Iterable[Agent], /) -> None:
    """Know these agents of the user from here on, and no earlier ones. Where a name has two of them, theirs is not meant."""
    made = list(agents)
    if made != _of_user:
        _of_user[:] = made
        _know()


def known_agents() -> object:
    """Another one where other agents are known."""
    return _known[0]


def _know() -> None:
    known = _Registry(AGENTS)
    for agent in (*_of_packages, *_of_user):
        before, known = known, _Registry([*known.agents.values(), agent])
        known.names.update(before.names)
        known.packages.update(before.packages)
        known.products.update(before.products)
    _known[0] = known
    _of.cache_clear()


def all_agents() -> list[Agent]:
    """Every agent that is known by its name."""
    return list(_known[0].agents.values())


def agent_named(name: str, /) -> Agent | None:
    """The agent with this id."""
    return _known[0].agents.get(name)


def known_names() -> frozenset[str]:
    """The names of the programs of all known agents."""
    return frozenset(name for agent in _known[0].agents.values() for name in agent.names)


def agent_of(comm: str | None, argv: Sequence[str], /) -> str | None:
    """
    The id of the agent that a process is; None if it is no known agent. `comm` is cut to 15 bytes by the kernel.

    The name of the process decides, then argv[0], then the program that a launcher runs (`node /opt/npm/bin/codex`): an
    argument with a slash, before the arguments of the script. `python x.py --model claude-sonnet` and `docker run img bash -c
    claude` are not agents.
    """
    program = argv[0] if argv else ""
    launched = LAUNCHER.match(base_name(program)) is not None
    found = (_of(comm) if comm else None) or (_of(program) if program and not launched else None)
    if found or len(argv) < 2 or not (launched or (comm and LAUNCHER.match(comm))):
        return found
    script, by_name = script_or_module(argv)
    return _of(script) if by_name or ("/" in script and not _NO_PATH.search(script)) else None


def agent_of_product(product: str, /) -> str | None:
    """The id of the agent whose requests name this product, as in `User-Agent: claude-cli/2.1` or `X-Title: Cline`."""
    return _known[0].products.get(product.lower())


_NO_PATH = regex(r"[\s:]")  # the text of a shell, or a URL


@lru_cache(_KNOWN_MOST)
def _of(path: str) -> str | None:
    base = base_name(path)
    known = _known[0]
    found = known.names.get(base)
    if found:
        return found
    if base.startswith(known.starts):
        return _first(agent for prefix, agent in known.prefixes if base.startswith(prefix))
    if "/" not in path:
        return None
    if base.endswith(_SUFFIXES):
        found = known.names.get(base.rpartition(".")[0])
    if found:
        return found
    hit = known.package.search(path)
    return known.packages[hit[1]] if hit else None


def _first(found: Iterable[str | None]) -> str | None:
    return next((each for each in found if each), None)
