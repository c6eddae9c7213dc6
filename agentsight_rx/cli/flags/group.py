"""Groups of flags, each a Struct -> a command with a flag for each field, as typer reads it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, wraps
from typing import Annotated, Any, ClassVar, NamedTuple, TypeVar, get_args, get_origin

import typer
from msgspec import Struct

# The titles under which the help shows flags
WATCH, TLS, STDIO, SYSTEM = "what to watch", "TLS", "stdio", "system"
FILTERS, OUT, PAGE = "filters", "where it goes", "the page"
WHICH, HOW = "what to show", "how to show it"

T = TypeVar("T")


def flag(title: str, names: str, help: str, value: str | None = None, **more: Any) -> Any:
    """A flag below this title of the help. `value` stands for its value there."""
    return typer.Option(*names.split(), help=help, metavar=value, rich_help_panel=title, **more)


class Group(Struct, frozen=True):
    """
    Flags that belong together. A field is a flag, annotated with `flag`, or another group. Its name is the name of the
    parameter in typer, so no other flag of the command may have it; its value is the default of the flag.

    `concerned` are the sources that the flags concern, None for all. A flag annotated with `Of` concerns other ones.
    """

    concerned: ClassVar[tuple[str, ...] | None] = None


class Of:
    """The sources that a flag concerns."""

    def __init__(self, *sources: str) -> None:
        self.sources = sources


class Only:
    """
    In the annotation of a parameter: which flags of the group a command has, in this order, as names or as groups inside it.
    `changed` are the flags that the command declares in another way.
    """

    def __init__(self, *named: str | type[Group], **changed: Any) -> None:
        self._named = named
        self._changed = changed

    def of(self, flags: Sequence[_Flag]) -> list[_Flag]:
        known = {*(each.name for each in flags), *(each.group for each in flags)}
        if unknown := {*self._named, *self._changed} - known:
            raise TypeError(f"the group has no flag {unknown}")
        return [each._replace(hint=self._changed.get(each.name, each.hint)) for each in self._chosen(flags)]

    def _chosen(self, flags: Sequence[_Flag]) -> list[_Flag]:
        return [each for asked in self._named for each in flags if asked in (each.name, each.group)]


class Without(Only):
    """All flags of the group but these."""

    def _chosen(self, flags: Sequence[_Flag]) -> list[_Flag]:
        return [each for each in flags if each.name not in self._named and each.group not in self._named]


class _Flag(NamedTuple):
    name: str
    hint: Any
    default: Any
    group: type[Group]

    @property
    def parameter(self) -> inspect.Parameter:
        return inspect.Parameter(self.name, inspect.Parameter.KEYWORD_ONLY, default=self.default, annotation=self.hint)

    def concerns(self, source: str) -> bool:
        mine = next((mark.sources for mark in get_args(self.hint) if isinstance(mark, Of)), self.group.concerned)
        return mine is None or source in mine


def flattened(command: Callable[..., T], *, source: str | None = None) -> Callable[..., T]:
    """
    The command with flags in the place of the groups among its parameters. A group that is the default of its parameter has
    the defaults of its flags. With `source` it has only the flags that concern this source, and this source is on.
    """
    parameters = inspect.signature(command, eval_str=True).parameters
    groups = {name: group for name, each in parameters.items() if (group := _group_of(each)) is not None}
    flat: list[inspect.Parameter] = []
    for name, each in parameters.items():
        if name in groups:
            flags = _wanted(list(_flags(groups[name])), each.annotation)
            flat += [asked.parameter for asked in flags if source is None or asked.concerns(source)]
        else:
            flat.append(each.replace(kind=inspect.Parameter.KEYWORD_ONLY))
    on = {} if source is None else {source: True}

    @wraps(command)
    def called(**given: Any) -> T:
        given |= on
        return command(**{name: _filled(groups[name], given) if name in groups else given[name] for name in parameters})

    called.__signature__ = inspect.Signature(flat)  # type: ignore[attr-defined]  # typer reads it
    called.__annotations__ = {each.name: each.annotation for each in flat}
    return called


def _group_of(parameter: inspect.Parameter) -> Group | None:
    kind = get_args(parameter.annotation)[0] if get_origin(parameter.annotation) is Annotated else parameter.annotation
    if not (isinstance(kind, type) and issubclass(kind, Group)):
        return None
    return kind() if parameter.default is inspect.Parameter.empty else parameter.default


def _flags(group: Group) -> Iterator[_Flag]:
    hints = _hints(type(group))
    for name in group.__struct_fields__:
        value = getattr(group, name)
        if isinstance(value, Group):
            yield from _flags(value)
        else:
            yield _Flag(name, hints[name], value, type(group))


@cache
def _hints(group: type[Group]) -> Mapping[str, Any]:
    """The annotations of its fields, also those of the groups that it inherits from."""
    return {name: hint for kind in group.__mro__[::-1] for name, hint in inspect.get_annotations(kind, eval_str=True).items()}


def _wanted(flags: list[_Flag], hint: Any) -> list[_Flag]:
    only = next((mark for mark in get_args(hint) if isinstance(mark, Only)), None)
    return flags if only is None else only.of(flags)


def _filled(group: Group, given: Mapping[str, Any]) -> Group:
    """The group with the values that were given."""
    values = {name: getattr(group, name) for name in group.__struct_fields__}
    return type(group)(
        **{
            name: _filled(value, given) if isinstance(value, Group) else given.get(name, value)
            for name, value in values.items()
        }
    )
