"""`agents.toml` in the user's configuration -> agents that are known by name, beside the table of llm/agents/known.py."""

from __future__ import annotations

import sys
from pathlib import Path

from .own_files import own_file

__all__ = ["AGENTS_FILE", "load_own_agents"]

AGENTS_FILE = "agents.toml"

_FIELDS = "title, names, prefixes, packages, products"


def load_own_agents() -> str:
    """
    Know the agents of the invoking user's file, if there is one, and no others of the user; under sudo the file of the person
    who ran it. Returns the sha256 of the file, "" without one. Raises UsageError where the file cannot be read, or says
    something else than agents: then those that were known before are.
    """
    path = own_file(AGENTS_FILE)
    if path is None or not path.is_file():
        if "agentsight_rx.llm.agents" in sys.modules:  # else none were known
            from ..llm.agents import set_own_agents

            set_own_agents(())
        return ""
    return _load(path)  # what it needs is imported only then


def _load(path: Path) -> str:
    import tomllib
    from hashlib import sha256

    from msgspec import Struct, ValidationError, convert

    from ..core.errors import UsageError
    from ..core.messages import program
    from ..llm.agents import AGENTS, Agent, set_own_agents

    class Own(Struct, forbid_unknown_fields=True, frozen=True):
        title: str = ""
        names: tuple[str, ...] = ()
        prefixes: tuple[str, ...] = ()
        packages: tuple[str, ...] = ()
        products: tuple[str, ...] = ()

    try:
        content = path.read_bytes()
        found = convert(tomllib.loads(content.decode()), dict[str, Own])
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} cannot be read as TOML: {error}") from error
    except ValidationError as error:
        raise UsageError(f"{path}: {error}; expected a table for each agent, [NAME], with {_FIELDS}") from error
    known = {agent.id for agent in AGENTS}
    for name, own in found.items():
        if name in known:
            raise UsageError(f"{path}: [{name}] is the name of an agent that is known already: choose another one")
        if not (own.names or own.prefixes or own.packages or own.products):
            raise UsageError(f"{path}: [{name}] says nothing to know it by: give names, prefixes, packages or products")
    set_own_agents(
        Agent(
            id=name,
            title=own.title or name,
            names=own.names,
            prefixes=own.prefixes,
            packages=own.packages,
            products=tuple(each.lower() for each in own.products),
            capture=f"{program()} record -- {own.names[0] if own.names else name}",
        )
        for name, own in found.items()
    )
    return sha256(content).hexdigest()
