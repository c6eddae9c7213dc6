"""
Parts of other packages -> known to this program: by entry points of the groups `agentsight_rx.providers`, `.agents`,
`.session_files`, `.operators`, `.sinks`, `.sources` and `.deliveries`, or by a call of `register_…`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from importlib.metadata import version as version_of
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ...core.errors import AgentsightError, UsageError
from ...core.merge import beside_losses
from ...core.messages import say
from ...core.sink import Sink
from ...core.start import PREFIX, any_part, entries, strangers
from ...core.stream import Operator, Stream
from ...events import Event
from ...llm import Provider
from ...llm.agents import Agent
from .parts import GROUPS

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from ...llm.agents.session_files import Parser

__all__ = [
    "Plugin",
    "delivery",
    "found",
    "load",
    "operator",
    "register_agent",
    "register_delivery",
    "register_operator",
    "register_provider",
    "register_session_files",
    "register_sink",
    "register_source",
    "sink",
    "source",
]


class Plugin(Struct, frozen=True):
    """One part and where it came from. `why`: it is skipped, for this reason."""

    group: str
    name: str
    package: str = "this program"  # of a part that was registered by a call
    version: str = ""
    why: str = ""


def register_provider(provider: Provider) -> None:
    """A dialect of calls to models. It comes behind all others: it is asked where no other one knows a path or an event."""
    _register("providers", provider.name, provider)


def register_agent(agent: Agent) -> None:
    """An agent that is known by its name."""
    _register("agents", agent.id, agent)


def register_session_files(parser: type[Parser[Any]]) -> None:
    """The parser of the session files of an agent, which may be registered, too."""
    _register("session_files", parser.agent, parser)


def register_operator(name: str, make: Callable[..., Operator[Any, Any]]) -> None:
    """An operator for `--pipe NAME`, or `--pipe NAME=TEXT`, where `make` takes a text."""
    _register("operators", name, make)


def register_sink(name: str, make: Callable[..., Sink[Any]]) -> None:
    """A destination for `--sink NAME` or `--sink NAME=TEXT`."""
    _register("sinks", name, make)


def register_source(name: str, make: Callable[..., Stream[Any]]) -> None:
    """A source for `--source NAME` or `--source NAME=TEXT`."""
    _register("sources", name, make)


def register_delivery(name: str, make: Callable[..., Callable[[Mapping[str, object]], None]]) -> None:
    """
    A destination of alerts for `plugin = "NAME"` or `"NAME=TEXT"` below [[deliver]]. What `make` returns is called with each
    alert as a value of JSON, on a thread of its own, and raises where it could not deliver it.
    """
    _register("deliveries", name, make)


def load(*groups: str) -> None:
    """Look for the installed parts of these groups, once. One that is broken is named in a line and skipped."""
    found: list[Plugin] = []
    if not _loaded and any_part():
        found += map(_stranger, strangers(GROUPS))
    for group in groups:
        if group not in _loaded:
            _loaded.add(group)
            found += [_load(group, entry) for entry in entries(group)]
    for plugin in found:
        _plugins.append(plugin)
        if plugin.why:
            say(f"{plugin.group} {plugin.name} of {plugin.package} {plugin.version} is skipped: {plugin.why}")


def found() -> list[Plugin]:
    """Every part of another package, installed or registered, also the broken ones."""
    load(*GROUPS)
    return list(_plugins)


def operator(text: str) -> Operator[Event, Event]:
    """The operator that `NAME` or `NAME=TEXT` names. Losses go past it. Raises UsageError."""
    name, _, options = text.partition("=")
    made: Operator[Event, Event] = _made("operators", text, Operator)
    return beside_losses(name, made, options)


def sink(text: str) -> Sink[Any]:
    """The sink that `NAME` or `NAME=TEXT` names. Raises UsageError."""
    made: Sink[Any] = _made("sinks", text, Sink)
    return made


def source(text: str) -> Stream[Any]:
    """The source that `NAME` or `NAME=TEXT` names. Raises UsageError."""
    made: Stream[Any] = _made("sources", text, Stream)
    return made


def delivery(text: str) -> Callable[[Mapping[str, object]], None]:
    """The delivery that `NAME` or `NAME=TEXT` names. Raises UsageError."""
    made: Callable[[Mapping[str, object]], None] = _made("deliveries", text, Callable)
    return made


_parts: dict[tuple[str, str], Any] = {}
_plugins: list[Plugin] = []
_loaded: set[str] = set()


def _stranger(entry: EntryPoint) -> Plugin:
    meant = get_close_matches(entry.group, [PREFIX + group for group in GROUPS], 1)
    why = f"its group {entry.group!r} is none of ours" + (f": did you mean {meant[0]!r}?" if meant else "")
    return Plugin(entry.group, entry.name, *_origin(entry), why)


def _origin(entry: EntryPoint) -> tuple[str, str]:
    return (entry.dist.name, entry.dist.version) if entry.dist is not None else ("", "")


def _wants(entry: EntryPoint) -> str:
    """The release of this program that its package wants, where this is another one."""
    this = version_of("agentsight-rx")
    for text in (entry.dist.requires or []) if entry.dist is not None else []:
        wanted = Requirement(text)
        ours = canonicalize_name(wanted.name) == "agentsight-rx" and (
            wanted.marker is None or wanted.marker.evaluate({"extra": ""})
        )
        if ours and not wanted.specifier.contains(this, prereleases=True):
            return f"it wants {text}, and this is {this}"
    return ""


def _load(group: str, entry: EntryPoint) -> Plugin:
    package, version = _origin(entry)
    try:
        if why := _wants(entry):
            return Plugin(group, entry.name, package, version, why)
        part = entry.load()
        name = _name_of(part, entry.name)
        why = _wrong(group, name, part)
        if not why:
            _add(group, name, part)
    except (Exception, SystemExit) as error:  # whatever the package does when it is imported
        name, why = entry.name, f"{type(error).__name__}: {error}".partition("\n")[0]
    return Plugin(group, name, package, version, why)


def _name_of(part: object, otherwise: str) -> str:
    """A provider and an agent have a name of their own."""
    return part.name if isinstance(part, Provider) else part.id if isinstance(part, Agent) else otherwise


def _wrong(group: str, name: str, part: object) -> str:
    why = GROUPS[group].wrong(name, part)
    if why:
        return why if "there already" in why else f"{why}, and got {part!r:.80}"
    return f"there is another one of the name {name!r}" if (group, name) in _parts else ""


def _add(group: str, name: str, part: object) -> None:
    GROUPS[group].add(part)
    _parts[group, name] = part


def _register(group: str, name: str, part: object) -> None:
    load(group)  # an installed one keeps its name
    why = _wrong(group, name, part)
    if why:
        raise UsageError(f"{group} {name} cannot be registered: {why}")
    _add(group, name, part)
    _plugins.append(Plugin(group, name))


def _made(group: str, text: str, kind: Any) -> Any:
    load(group)
    name, given, options = text.partition("=")
    make = _parts.get((group, name))
    if make is None:
        known = ", ".join(sorted(other for place, other in _parts if place == group))
        raise UsageError(f"{name} is none of the installed {group}: {known or f'no package has a part in {PREFIX}{group}'}")
    try:
        made = make(options) if given else make()
    except AgentsightError:
        raise
    except Exception as error:
        raise UsageError(f"{name} of {group} cannot be made of {text!r}: {error}") from error
    if not isinstance(made, kind):
        raise UsageError(f"{name} of {group} made {made!r:.80}, and a {kind.__name__} was expected")
    return made
