"""agentsight-rx mcp install: the lines of the server in the configuration of an agent or an editor, written or taken out."""

from __future__ import annotations

import json
import os
import re
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
import typer

from ...core.errors import UnwritableError, UsageError
from ...core.files import why, written_whole
from ..capturing.launch import invoking_user
from ..program.errors import write_line
from ..values import one_of

NAME = "agentsight-rx"
_WORDS = ("-m", "agentsight_rx", "mcp")


def _plain() -> dict[str, Any]:
    return {"command": sys.executable, "args": [*_WORDS]}


def _typed() -> dict[str, Any]:
    return {"type": "stdio", **_plain()}


def _local() -> dict[str, Any]:
    return {"type": "local", "command": [sys.executable, *_WORDS], "enabled": True}


class Client(NamedTuple):
    """
    Its configuration below the home, the member that has the servers, and the entry. `$VARIABLE` names another place for the
    first folder, or for the home.
    """

    title: str
    file: str
    servers: str
    entry: Callable[[], dict[str, Any]]
    variable: str = ""


CLIENTS = {
    "claude": Client("Claude Code", ".claude.json", "mcpServers", _typed, "CLAUDE_CONFIG_DIR"),
    "codex": Client("Codex", ".codex/config.toml", "mcp_servers", _plain, "CODEX_HOME"),
    "gemini": Client("Gemini CLI", ".gemini/settings.json", "mcpServers", _plain),
    "opencode": Client("opencode", ".config/opencode/opencode.json", "mcp", _local, "XDG_CONFIG_HOME"),
    "qwen": Client("Qwen Code", ".qwen/settings.json", "mcpServers", _plain),
    "cursor": Client("Cursor", ".cursor/mcp.json", "mcpServers", _plain),
    "vscode": Client("Visual Studio Code", ".config/Code/User/mcp.json", "servers", _typed, "XDG_CONFIG_HOME"),
    "windsurf": Client("Windsurf", ".codeium/windsurf/mcp_config.json", "mcpServers", _plain),
    "zed": Client("Zed", ".config/zed/settings.json", "context_servers", _plain, "XDG_CONFIG_HOME"),
}


def install(
    *,
    client: Annotated[str, typer.Option("--for", metavar="CLIENT", help=f"One of {', '.join(CLIENTS)}.")],
    remove: Annotated[bool, typer.Option("--remove", help="Take the entry out again.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Without asking.")] = False,
) -> None:
    """Write the MCP server into the configuration of an agent or an editor, after showing the lines; or take it out."""
    one_of("--for", client, tuple(CLIENTS))
    if invoking_user()[0] != os.getuid():
        raise UsageError("the configuration is yours, not root's: run it without sudo")
    chosen = CLIENTS[client]
    file = place_of(chosen)
    text = _text(file)
    change = _change_toml if file.suffix == ".toml" else _change_json
    new = change(text, file, chosen, remove=remove)
    if new == text:
        write_line(f"{file}: {'there is no entry' if remove else 'the entry is there'}, nothing to do")
        return
    write_line(f"{file}: {'removes' if remove else 'adds'}, for {chosen.title}")
    for line in lines_of(chosen):
        write_line(f"{'-' if remove else '+'} {line}")
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError("nothing was written: there is no terminal to ask on; --yes writes it without asking")
        typer.confirm("Write it?", abort=True)
    _write(file, new)
    write_line(f"done; a {chosen.title} that runs has to be started anew")


def place_of(client: Client, /) -> Path:
    """The file, with a link followed. Raises UsageError without a home."""
    home, named = os.environ.get("HOME", ""), os.environ.get(client.variable, "") if client.variable else ""
    if named.startswith("/"):
        first, _, rest = client.file.partition("/")
        path = Path(named, rest or first)
    elif home.startswith("/"):
        path = Path(home, client.file)
    else:
        raise UsageError(f"HOME={home!r} is no directory, so the configuration of {client.title} cannot be found: set HOME")
    return Path(os.path.realpath(path))


def lines_of(client: Client, /) -> Iterator[str]:
    """The entry as a person would write it."""
    if client.file.endswith(".toml"):
        yield f"[{client.servers}.{NAME}]"
        yield from (f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in client.entry().items())
    else:
        yield from json.dumps({client.servers: {NAME: client.entry()}}, indent=2, ensure_ascii=False).splitlines()


def _by_hand(client: Client, file: Path, why_not: str) -> UsageError:
    lines = "\n  ".join(lines_of(client))
    return UsageError(f"{file} {why_not}, so it is left as it is. The lines for it:\n  {lines}")


def _change_json(text: str, file: Path, client: Client, *, remove: bool) -> str:
    try:
        found = msgspec.json.decode(text.strip() or "{}", type=dict[str, Any])
        servers = msgspec.convert(found.get(client.servers, {}), dict[str, Any])
    except msgspec.MsgspecError as error:
        raise _by_hand(client, file, f"is not plain JSON with an object of servers at {client.servers!r} ({error})") from error
    if (NAME not in servers) if remove else servers.get(NAME) == client.entry():
        return text
    servers = {name: each for name, each in servers.items() if not remove or name != NAME}
    found[client.servers] = servers if remove else {**servers, NAME: client.entry()}
    if not found[client.servers]:
        del found[client.servers]
    indent = re.search(r"\n([ \t]+)\S", text)
    return json.dumps(found, indent=indent[1] if indent else 2, ensure_ascii=False) + "\n"


def _change_toml(text: str, file: Path, client: Client, *, remove: bool) -> str:
    """The text of all other lines stays. The new text is read before it is written: it differs by the entry alone."""
    header = re.compile(rf"\s*\[\s*{client.servers}\s*\.\s*[\"']?{NAME}[\"']?\s*(\..*)?\]\s*(#.*)?")
    kept, is_ours = list[str](), False
    for line in text.splitlines(keepends=True):
        if line.lstrip().startswith("["):
            is_ours = header.fullmatch(line.rstrip("\r\n")) is not None
        kept += [] if is_ours else [line]
    rest = "".join(kept)
    if rest != text and rest.endswith("\n\n"):
        rest = rest[:-1]
    try:
        before = tomllib.loads(text)
        servers = dict(before.get(client.servers, {}))
        if (NAME not in servers) if remove else servers.get(NAME) == client.entry():
            return text
        between = "" if not rest else "\n" if rest.endswith("\n") else "\n\n"
        new = rest if remove else f"{rest}{between}" + "".join(f"{line}\n" for line in lines_of(client))
        servers = {name: each for name, each in servers.items() if name != NAME} | ({} if remove else {NAME: client.entry()})
        if {**before, client.servers: servers} != {client.servers: {}, **tomllib.loads(new)}:
            raise ValueError("it has the entry in another form")
    except ValueError as error:
        raise _by_hand(client, file, f"cannot be changed ({error})") from error
    return new


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}") from error


def _write(file: Path, text: str) -> None:
    try:
        mode = file.stat().st_mode & 0o777 if file.exists() else 0o600
        file.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(file, replace=True) as whole:
            whole.write(text.encode())
            os.fchmod(whole.fileno(), mode)
    except OSError as error:
        raise UnwritableError(f"{file} cannot be written: {why(error, file)}") from error
