"""A command -> its help: plain text as wide as the terminal, flags in groups; --help has all of them, -h the most used."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from itertools import takewhile
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup

from .plain_values import convert_plainly

_WIDE_MOST = 100
_FIRST_GROUP = "flags"  # of commands with few flags

# What -h shows of a command with many flags
_MOST_USED = {
    "trace": ("ssl", "process", "stdio", "files", "net", "pid", "comm", "http_filter", "json_lines", "db", "server"),
    "record": ("command", "pid", "comm", "binary_path", "http_filter", "db", "log", "server", "server_port", "wait_all"),
}

# How the flags that select processes combine, which sources/target.py does: flag, a process is watched if, together with others
SELECTIONS = (
    ("--pid PID", "it is this process", "all that is given of --pid, --comm and --session must fit"),
    ("--comm NAMES", "it or its program has exactly one of these names, whatever its threads are called", "as --pid"),
    ("--session SID", "it is in this session", "as --pid"),
    (
        "--[no-]children",
        "what fits an ancestor fits it too",
        "holds for --pid, --comm and --session, each by itself",
    ),
    (
        "--uid UID",
        "this user runs it when the event happens",
        "must fit besides; for one source --ssl-uid or --stdio-uid takes its place",
    ),
    ("--cgroup PATH", "it is in this control group or below when the event happens", "must fit besides"),
    (
        "--binary-path docker://NAME",
        "it is in this container (podman://, k8s:// too)",
        "watched by every source, besides the processes that --pid, --comm and --session choose",
    ),
    (
        "--binary-path FILE",
        "its TLS is read in this file too",
        "without --pid and --session, TLS is read only of processes that use the file, whatever --comm says",
    ),
    ("none of these", "every process is", "in a container without --pid=host: every process of the container"),
)


class Command(TyperCommand):
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if "-h" in takewhile(lambda word: word != "--", args):
            typer.echo("\n".join(_help(self, ctx, most_used=True)))
            ctx.exit()
        convert_plainly(self.get_params(ctx))
        return super().parse_args(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        formatter.write("\n".join(_help(self, ctx, most_used=False)))


class Group(TyperGroup):
    meanings: ClassVar[Mapping[str, str]] = {}  # of the commands by name, where these are known without importing them

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        convert_plainly(self.get_params(ctx))
        return super().parse_args(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        formatter.write("\n".join(_group_help(self, ctx)))


def _group_help(group: Any, ctx: Any) -> Iterator[str]:
    yield f"{ctx.command_path} COMMAND …"
    yield ""
    yield from _wrapped(str(group.help))
    yield ""
    rows = list(group.meanings.items()) or [(name, _sentences(command)[0]) for name, command in group.commands.items()]
    yield from _rows("commands", rows, column=max(len(name) for name, _ in rows) + 4)
    options = [parameter for parameter in group.get_params(ctx) if _is_flag(parameter)]
    for title, flags in groups_of(options):
        yield ""
        yield from _rows(title, [(spec_of(each), meaning_of(each)) for each in flags], column=_column(options))
    yield ""
    yield f"{ctx.command_path} COMMAND --help has the flags of a command."


def _help(command: Any, ctx: Any, *, most_used: bool) -> Iterator[str]:
    wanted = _MOST_USED.get(str(ctx.info_name), ()) if most_used else ()
    parameters = [each for each in command.get_params(ctx) if not wanted or each.name in wanted]
    arguments = "".join(f" {spec_of(each)}" for each in parameters if not _is_flag(each))
    yield f"{ctx.command_path} [FLAGS]{arguments}"
    yield ""
    for sentence in _sentences(command):
        yield from _wrapped(sentence)
    for name, group in groups_of(parameters):
        yield ""
        yield from _rows(name, [(spec_of(each), meaning_of(each)) for each in group], column=_column(parameters))
    if wanted:
        yield ""
        yield f"All flags: {ctx.command_path} --help"
    elif any(each.name == "comm" for each in parameters):
        yield ""
        yield from _selections({spec_of(each).rpartition(", ")[2].partition(" ")[0] for each in parameters})


def _selections(flags: set[str]) -> Iterator[str]:
    """The rows of the table of selections that concern these flags, a paragraph each."""
    yield "which processes are watched"
    for given, who, together in SELECTIONS:
        named = given.partition(" ")[0] if given.startswith("--") else "--session"
        if named not in flags:
            continue
        yield from _wrapped(f"{given}: {who}" + (f"; {together}." if together else "."), indent=2)


def groups_of(parameters: Iterable[Any]) -> list[tuple[str, list[Any]]]:
    """The flags and arguments by group, in the order in which the groups appear."""
    found: dict[str, list[Any]] = {}
    for parameter in parameters:
        if not getattr(parameter, "hidden", False):
            found.setdefault(getattr(parameter, "rich_help_panel", None) or _FIRST_GROUP, []).append(parameter)
    return list(found.items())


def spec_of(parameter: Any) -> str:
    """As it is written on the command line: `-p, --pid PID`, `--[no-]children`, `FILE...`."""
    if not _is_flag(parameter):
        return str(parameter.metavar or parameter.name.upper())
    names = sorted(parameter.opts, key=len)
    if parameter.secondary_opts:
        names = [f"--[no-]{name.removeprefix('--')}" for name in names]
    value = "" if parameter.is_flag or parameter.count else f" {parameter.metavar or 'VALUE'}"
    return ", ".join(names) + value


def _is_flag(parameter: Any) -> bool:
    return bool(parameter.param_type_name == "option")


def meaning_of(parameter: Any) -> str:
    """Its help, and its default where that is not nothing."""
    text = " ".join((getattr(parameter, "help", None) or "").split())
    if parameter.name == "help":
        return "All flags; of a command -h shows the most used."
    default = parameter.default if _is_flag(parameter) else None
    if default is None or default is False or default == "" or default == [] or callable(default):
        return text
    return f"{text} [{'on' if default is True else default}]"


def _sentences(command: Any) -> list[str]:
    """The paragraphs of its docstring."""
    return [" ".join(part.split()) for part in str(command.help or "").split("\n\n")]


def _column(parameters: Iterable[Any]) -> int:
    return max((len(spec_of(each)) for each in parameters), default=0) + 4


def _rows(title: str, rows: Iterable[tuple[str, str]], *, column: int) -> Iterator[str]:
    yield title
    for left, right in rows:
        first, *more = textwrap.wrap(right, _width() - column) or [""]
        yield f"  {left:<{column - 2}}{first}".rstrip()
        yield from (" " * column + line for line in more)


def _wrapped(text: str, *, indent: int = 0) -> list[str]:
    return textwrap.wrap(text, _width(), initial_indent=" " * indent, subsequent_indent=" " * 2 * indent)


def _width() -> int:
    return max(60, min(shutil.get_terminal_size((80, 24)).columns, _WIDE_MOST)) - 1
