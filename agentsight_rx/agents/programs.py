"""The arguments of a process -> what it is beside the agents: a launcher, a client, a worker of its parent."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["LAUNCHER", "base_name", "is_client", "is_launcher", "is_prompt", "is_worker", "script_of"]

_PYTHON = r"python[\d.]*|pypy[\d.]*"
_SHELL = r"(?:ba|da|z|k|a|fi)?sh|busybox"
# Programs that run the file they are given. The arguments of any other program only name files: `git log /src/codex`
LAUNCHER = re.compile(rf"(?:{_PYTHON}|node|nodejs|bunx?|deno|tsx|uvx?|npx|pnpm|yarn|{_SHELL}|env|sudo|nohup|setsid)\Z")
_INTERPRETER = re.compile(rf"(?:{_PYTHON}|node|nodejs|bun|deno|tsx|ruby|perl|php|java|dotnet)\Z")
_SHELLS = re.compile(rf"-?(?:{_SHELL})\Z")  # a login shell has a dash in front
# Programs that only start another one
_WRAPPER = re.compile(
    r"(?:env|sudo|nohup|setsid|timeout|nice|ionice|stdbuf|time|unshare|setpriv|xargs|strace|script|tini|doas)\Z"
)
# A program that asks one thing for its caller
_CLIENT = re.compile(r"(?:curl|curlie|wget2?|xh|httpie|grpcurl|websocat)\Z")
_WORKER = "multiprocessing"  # Python starts a worker by `-c "from multiprocessing.spawn import …"`
_CODE = frozenset({"-c", "-e", "--eval", "-p", "--print"})  # the argument behind it is a program


def base_name(path: str, /) -> str:
    return path.rpartition("/")[2]


def script_of(argv: Sequence[str], /) -> str:
    """The script that an interpreter or a shell runs, or the module behind `-m`; empty: none, or code in an argument."""
    words = iter(argv[1:])
    for word in words:
        if word == "-m":
            return next(words, "")
        if word in _CODE or (_SHELLS.match(base_name(argv[0])) and re.fullmatch(r"-[a-z]*c", word)):
            return ""
        if not word.startswith("-"):
            return word
    return ""


def is_client(argv: Sequence[str], /) -> bool:
    """A program that makes one request for whoever started it."""
    return bool(argv) and _CLIENT.match(base_name(argv[0])) is not None


def is_launcher(argv: Sequence[str], /) -> bool:
    """A shell that runs a line, or a program such as `sudo` that starts another one. A script of a shell is a program."""
    program = base_name(argv[0]) if argv else ""
    return _WRAPPER.match(program) is not None or (_SHELLS.match(program) is not None and not script_of(argv))


def is_prompt(argv: Sequence[str], /) -> bool:
    """A shell that reads what a person types."""
    return bool(argv) and _SHELLS.match(base_name(argv[0])) is not None and all(word[:1] == "-" for word in argv[1:])


def is_worker(parent: Sequence[str], child: Sequence[str], /) -> bool:
    """Both are one program, such as the processes of Electron, of a cluster of node, or of Python's multiprocessing."""
    if not parent or not child or is_launcher(child):
        return False
    if tuple(parent) == tuple(child):
        return True
    program, mine = base_name(parent[0]), base_name(child[0])
    if not _INTERPRETER.match(mine) and not _SHELLS.match(mine):
        return program == mine and _CLIENT.match(mine) is None
    if not _INTERPRETER.match(program):
        return False
    script = script_of(child)
    return (bool(script) and script == script_of(parent)) or any(_WORKER in word for word in child[1:3])
