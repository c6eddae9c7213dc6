"""
Files in the configuration of the invoking user, under sudo of the person who ran it -> their paths, their flags, own agents.
"""

from __future__ import annotations

import difflib
import json
import os
import pwd
import sys
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from ...core.errors import UsageError
from ...core.files import create_private
from ..flags.group import OUT, flag

# -- config --------------------------------------------------------------------------------------------------------
# A TOML file <-> the flags of a command, under their names: --config reads it, --save-config writes it.


_NOT_SAVED = frozenset({"config", "save_to", "explain", "help"})


def _load(context: typer.Context, path: Path | None) -> Path | None:
    """Make the values in the file the defaults; flags on the command line come before them."""
    if path is None:
        return None
    try:
        values = tomllib.loads(path.read_text())
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not TOML: {error}") from error
    names = dict(_names(context))
    for key in values:
        if key not in names:
            near = difflib.get_close_matches(key, names, 1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(names))}"
            raise UsageError(f"{path}: unknown name {key!r}; {hint}")
    context.default_map = {names[key]: value for key, value in values.items()}
    return path


def _names(context: typer.Context) -> Iterator[tuple[str, str]]:
    """(name in the file, name of the parameter) of each flag: the longest form without its dashes."""
    parameters: list[Any] = context.command.params
    for parameter in parameters:
        if parameter.name not in _NOT_SAVED and parameter.opts[0].startswith("-"):
            yield max(parameter.opts, key=len).lstrip("-"), parameter.name


def save_config(context: typer.Context, path: Path) -> None:
    """Write the flags that were given, so that `--config` gives the same run again."""
    lines: list[str] = []
    for name, parameter in _names(context):
        value = context.params.get(parameter)
        source = context.get_parameter_source(parameter)
        if value is not None and source is not None and source.name != "DEFAULT":
            lines.append(f"{name} = {_toml(value)}\n")
    with open(create_private(path), "w", encoding="utf-8") as file:
        file.writelines(lines)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml(each) for each in value)}]"  # pyright: ignore[reportUnknownVariableType]
    return json.dumps(str(value), ensure_ascii=False)


Config = Annotated[Path | None, flag(OUT, "--config", "Read flags from this TOML file.", "FILE", callback=_load, is_eager=True)]
SaveConfig = Annotated[Path | None, flag(OUT, "--save-config", "Write the given flags to a file, and exit.", "FILE")]


# ------------------------------------------------------------------------------------------------------------------------


def own_file(name: str, /) -> Path | None:
    """`~/.config/agentsight-rx/NAME`; None without a home."""
    uid = os.getuid()
    sudo = os.environ.get("SUDO_UID", "")
    if os.geteuid() == 0 and sudo.isdecimal():
        uid = int(sudo)
    is_ours = uid == os.getuid()
    base = os.environ.get("XDG_CONFIG_HOME", "") if is_ours else ""
    home = os.environ.get("HOME", "") if is_ours else ""
    if not base.startswith("/") and not home.startswith("/"):
        with suppress(KeyError):
            home = pwd.getpwuid(uid).pw_dir
    place = Path(base) if base.startswith("/") else Path(home) / ".config"
    return place / "agentsight-rx" / name if place.is_absolute() else None


# -- own agents ----------------------------------------------------------------------------------------------------
# `agents.toml` in the user's configuration -> agents that are known by name, beside the table of llm/agents/known.py.


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
            from ...llm.agents import set_own_agents

            set_own_agents(())
        return ""
    return _known_from(path)  # what it needs is imported only then


def _known_from(path: Path) -> str:
    import tomllib
    from hashlib import sha256

    from msgspec import Struct, ValidationError, convert

    from ...core.errors import UsageError
    from ...core.messages import program
    from ...llm.agents import AGENTS, Agent, set_own_agents

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
