"""A program, the command of its tool -> is it a helper: does it prepare what runs, as the shims of a version manager do?"""

from __future__ import annotations

import re

from ...store.rows.kinds import ProcessRow

__all__ = ["is_helper"]

# Programs that choose a version, a folder or an environment, and the folders of their shims and parts
_MANAGERS = re.compile(
    r"(?:pyenv|rbenv|nodenv|goenv|jenv|phpenv|plenv|asdf|mise|rtx|fnm|nvm|volta|direnv|rustup|sdk|conda|brew)(?:-[\w-]+)?"
)
_THEIR_FOLDERS = re.compile(
    r"/(?:\.?(?:pyenv|rbenv|nodenv|goenv|jenv|phpenv|plenv|asdf|mise|volta))/(?:libexec|shims|bin|lib)/"
)
# What start scripts run to look at names, paths and the machine
_SMALL = frozenset(
    {
        "arch", "awk", "basename", "cat", "cut", "cygpath", "dirname", "expr", "gawk", "getconf", "head", "hostname", "id",
        "lesspipe", "locale", "locale-check", "manpath", "mawk", "mesg", "nproc", "readlink", "realpath", "sed", "sort", "stty",
        "tail", "tr", "tty", "uname", "uniq", "wc", "whoami",
    }
)  # fmt: skip
_SHELLS = frozenset({"bash", "sh", "dash", "zsh", "env"})
_WORD = re.compile(r"[\w.+-]+")


def is_helper(row: ProcessRow, command: str, /) -> bool:
    """
    True for shims and parts of version managers, and for small tools that the command does not name. A program that failed is
    none, so that it is seen.
    """
    if row.has_failed:
        return False
    argv = row.argv or ((row.command,) if row.command else ())
    if not argv:
        return False
    program, *arguments = argv
    name = _name(program)
    asked = set(_WORD.findall(command))
    if name in asked:
        return False
    files = [program, *arguments[:1]] if name in _SHELLS else [program]
    if _MANAGERS.fullmatch(name) or any(_THEIR_FOLDERS.search(each) for each in files if "/versions/" not in each):
        return True
    return name in _SMALL


def _name(path: str) -> str:
    return path.rpartition("/")[2]
