"""
The words of a program and a file that it opened -> whether it searched a tree, and came by without being asked for it.

`grep -r x .` came by `./.env`, and `grep -r x ~/.ssh` was asked for keys. So a search that begins in a hidden folder, or in a
folder of secrets, was asked for the files there, and a search with a pattern of names such as `--include=.env` for those names.
"""

from __future__ import annotations

import os.path
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from ....core.start import regex

_GREPS = frozenset({"grep", "egrep", "fgrep", "zgrep"})  # these search trees only with an option
_TREES = frozenset({"rg", "ag", "ack", "ug", "ugrep", "pt"})
_FINDERS = frozenset({"find", "fd", "fdfind", "xargs", "parallel"})  # they name each file that they find to another program
_RECURSIVE = regex(r"-[a-zA-Z]*[rR][a-zA-Z]*\Z|--(?:dereference-)?recursive\Z|--directories=recurse\Z")
_GIVES_PATTERN = regex(r"-[a-zA-Z]*[ef]\Z|--(?:regexp|file)(?:=|\Z)")
_TAKES_VALUE = regex(
    r"-[a-zA-Z]*[efABCmdDgtTM]\Z|--(?:regexp|file|include|exclude|exclude-dir|i?glob|type|max-count|max-depth|context)\Z"
)
_OF_NAMES = regex(r"(?:-[gG]|--include|--i?glob|-i?name|-i?path|-i?wholename)\Z")
_ANY = frozenset({"*", "**", "*.*", "**/*"})
_HIDDEN = regex(r"/(?:\.[^/]|secrets?(?:/|\Z))")


class Command(NamedTuple):
    """A program with its words, and where it was started."""

    argv: Sequence[str]
    cwd: str


def came_by(path: str, command: Command, parent: Sequence[str] = ()) -> bool:
    """`parent` are the words of the program that started it."""
    name, words = _program(command.argv)
    finder, of_finder = _program(parent)
    if name not in _GREPS and name not in _TREES:
        return False
    by_finder = finder in _FINDERS
    if not by_finder and name in _GREPS and not any(map(_RECURSIVE.match, words)):
        return False
    roots = [_at(root, command.cwd) for root in (_places(of_finder) if by_finder else _roots(words))]
    if any(root == path or _HIDDEN.search(root) for root in roots):
        return False
    base = os.path.basename(path)
    return not any(fnmatchcase(base, pattern) for each in (words, of_finder) for pattern in _patterns(each))


def _program(argv: Sequence[str]) -> tuple[str, Sequence[str]]:
    if not argv:
        return "", ()
    name, words = os.path.basename(argv[0]), argv[1:]
    if name == "busybox" and words:
        name, words = words[0], words[1:]
    if name == "git" and "grep" in words:
        return "rg", words[words.index("grep") + 1 :]
    return name, words


def _roots(words: Sequence[str]) -> list[str]:
    """The words where a search begins: no options, no values of options, and not the pattern."""
    found, given, is_value = list[str](), False, False
    for at, word in enumerate(words):
        if is_value:
            is_value = False
        elif word == "--":
            found += words[at + 1 :]
            break
        elif word.startswith("-") and word != "-":
            given = given or _GIVES_PATTERN.match(word) is not None
            is_value = _TAKES_VALUE.match(word) is not None
        else:
            found.append(word)
    return (found if given else found[1:]) or ["."]


def _places(words: Sequence[str]) -> list[str]:
    """Where `find` begins."""
    ends = next((at for at, word in enumerate(words) if word.startswith(("-", "(", "!"))), len(words))
    return list(words[:ends])


def _patterns(words: Sequence[str]) -> Iterator[str]:
    """The patterns of names in options, without the patterns that any name fits."""
    for word, behind in zip(words, [*words[1:], ""], strict=False):
        option, _, value = word.partition("=")
        if _OF_NAMES.match(option) and (pattern := os.path.basename(value or behind)) not in _ANY:
            yield pattern


def _at(path: str, cwd: str) -> str:
    return os.path.normpath(os.path.join(cwd or "/", path))
