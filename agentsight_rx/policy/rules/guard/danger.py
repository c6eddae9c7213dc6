"""The words of a command -> whether it is one that a person should decide: what it deletes, overwrites or switches off."""

from __future__ import annotations

import os.path
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from ....core.start import regex

# The word of each, and how a sentence says it
DANGERS = {
    "delete": "deleted recursively outside of the workspace",
    "force-push": "pushed over the history of a branch",
    "pipe-to-shell": "ran what it downloads as a program",
    "key-mode": "made a key readable for others",
    "sandbox-off": "started an agent without its sandbox",
    "overwrite-disk": "wrote to a disk itself",
}


class Danger(NamedTuple):
    kind: str
    target: str


_PIPED = regex(
    r"\b(?:curl|wget)\b[^|;&\n]*\|\s*(?:sudo\s+(?:-\S+\s+)*)?(?:env\s+)?(?:/\S*/)?(?:ba|da|z|k)?sh\b"
    r"|\b(?:ba|da|z|k)?sh\s+(?:-c\s+)?[\"']?(?:<\(|\$\(|`)\s*(?:curl|wget)\b"
    r"|\b(?:eval|source|\.)\s+[\"']?(?:<\(|\$\(|`)\s*(?:curl|wget)\b"
    r"|\b(?:curl|wget)\b[^|;&\n]*\|\s*(?:sudo\s+)?(?:/\S*/)?(?:python[\d.]*|node|perl|ruby)\s*(?:-\s*)?(?:$|[;&|\n])"
)
_SHELL = regex(r"-?(?:ba|da|z|k|a)?sh\Z")
_KEY = regex(r"(?:/|\A)(?:id_(?:rsa|dsa|ecdsa|ed25519)[^/.]*|[^/]+\.(?:pem|key)|\.ssh|\.gnupg)/?\Z")
_OPEN_MODE = regex(r"(?:[0-7]?[0-7](?:[1-7][0-7]|[0-7][1-7])|[augo,]*[ago][augo]*\+[rwxX]+|\+[rwx]+)\Z")
_WITHOUT_SANDBOX = frozenset(
    {
        "--dangerously-skip-permissions",
        "--dangerously-bypass-approvals-and-sandbox",
        "--yolo",
        "--allow-all-tools",
        "danger-full-access",
        "--sandbox=danger-full-access",
        "--permission-mode=bypassPermissions",
        "bypassPermissions",
    }
)
_WORKTREE_VALUES = frozenset({"-b", "-B", "--reason", "--orphan"})  # options of `git worktree add` with a value
_DISK = regex(r"(?:of=)?/dev/(?:sd|nvme|vd|xvd|hd|mmcblk)")


def danger_of(argv: Sequence[str], cwd: str, outside: Callable[[str], bool], *, is_agent: bool) -> Danger | None:
    """`outside`: is a path outside of the workspace and of temporary folders? `is_agent`: the program is a known agent."""
    if not argv:
        return None
    name = os.path.basename(argv[0])
    words = list(argv[1:])
    if name == "busybox" and words:
        name, words = words[0], words[1:]
    if name in _TESTS:
        return _TESTS[name](words, cwd, outside)
    if _SHELL.match(name):
        found = next((hit for word in words if ("curl" in word or "wget" in word) and (hit := _PIPED.search(word))), None)
        if found:
            return Danger("pipe-to-shell", " ".join(found[0].split())[:200])
        name = os.path.basename(words[0]) if words else name  # of a script that starts an agent
    if is_agent:
        flag = next((word for word in words if word in _WITHOUT_SANDBOX), None)
        return Danger("sandbox-off", f"{name} {flag}") if flag else None
    return None


def worktree_of(argv: Sequence[str], cwd: str) -> str:
    """The folder that `git worktree add` makes, as a second working tree of the same repository; "" for another command."""
    if not argv or os.path.basename(argv[0]) != "git" or "worktree" not in argv or "add" not in argv:
        return ""
    words = list(argv[argv.index("worktree") + 1 :])
    if words[:1] != ["add"]:
        return ""
    _, others = _split([word for at, word in enumerate(words) if at and words[at - 1] not in _WORKTREE_VALUES])
    place = argv[argv.index("-C") + 1] if "-C" in argv[: argv.index("worktree") - 1] else "."
    return _absolute(others[0], _absolute(place, cwd)) if others else ""


def _split(words: Sequence[str]) -> tuple[set[str], list[str]]:
    """Flags (letters of short ones apart) and the other words."""
    flags, others, over = set[str](), list[str](), False
    for word in words:
        if over or not word.startswith("-") or word == "-":
            others.append(word)
        elif word == "--":
            over = True
        elif word.startswith("--"):
            flags.add(word)
        else:
            flags.update(f"-{letter}" for letter in word[1:])
    return flags, others


def _absolute(path: str, cwd: str) -> str:
    return os.path.normpath(os.path.join(cwd or "/", path))


def _rm(words: Sequence[str], cwd: str, outside: Callable[[str], bool]) -> Danger | None:
    flags, paths = _split(words)
    if not flags & {"-r", "-R", "--recursive", "--no-preserve-root"}:
        return None
    found = next((path for each in paths if outside(path := _absolute(each, cwd))), None)
    return Danger("delete", found) if found else None


def _find(words: Sequence[str], cwd: str, outside: Callable[[str], bool]) -> Danger | None:
    deletes = "-delete" in words or any(
        word in ("-exec", "-execdir") and os.path.basename(words[at + 1]) == "rm" for at, word in enumerate(words[:-1])
    )
    if not deletes:
        return None
    places: list[str] = []
    for word in words:
        if word.startswith(("-", "(", "!")):
            break
        places.append(word)
    found = next((path for each in places or ["."] if outside(path := _absolute(each, cwd))), None)
    return Danger("delete", found) if found else None


def _git(words: Sequence[str], cwd: str, outside: Callable[[str], bool]) -> Danger | None:
    if "push" not in words:
        return None
    behind = words[words.index("push") + 1 :]
    flags, others = _split(behind)
    forced = flags & {"-f", "--force", "--mirror"} or any(word.startswith("+") for word in others[1:])
    return Danger("force-push", " ".join(others) or "the current branch") if forced else None


def _chmod(words: Sequence[str], cwd: str, outside: Callable[[str], bool]) -> Danger | None:
    _, others = _split(words)
    if len(others) < 2 or not _OPEN_MODE.match(others[0]):
        return None
    found = next((path for each in others[1:] if _KEY.search(path := _absolute(each, cwd))), None)
    return Danger("key-mode", found) if found else None


def _disk(words: Sequence[str], cwd: str, outside: Callable[[str], bool]) -> Danger | None:
    found = next((word for word in words if _DISK.match(word) and not word.startswith("if=")), None)
    return Danger("overwrite-disk", found.removeprefix("of=")) if found else None


def _mkfs(words: Sequence[str], cwd: str, outside: Callable[[str], bool]) -> Danger | None:
    return _disk(words, cwd, outside)


def _dd(words: Sequence[str], cwd: str, outside: Callable[[str], bool]) -> Danger | None:
    return _disk([word for word in words if word.startswith("of=")], cwd, outside)


_TESTS: dict[str, Callable[[Sequence[str], str, Callable[[str], bool]], Danger | None]] = {
    "rm": _rm,
    "find": _find,
    "git": _git,
    "chmod": _chmod,
    "dd": _dd,
    "shred": _disk,
    "wipefs": _disk,
    "mkfs": _mkfs,
    **{f"mkfs.{kind}": _mkfs for kind in ("ext4", "ext3", "ext2", "xfs", "btrfs", "vfat")},
}


# -- commands ------------------------------------------------------------------------------------------------------
# The line that an agent gave to a shell -> the commands in it. What a variable stands for is not known, and stays as it is.


_OPERATORS = ";&|()<>\n"
_HERE = regex(r"<<-?[ \t]*(['\"]?)(\w+)\1([^\n]*)\n(?:.*?\n)??[ \t]*\2[ \t]*$", re.DOTALL | re.MULTILINE)
_BEFORE = frozenset({"sudo", "env", "nohup", "time", "command", "exec", "then", "do", "else", "if", "while", "!", "{"})
_ASSIGNED = regex(r"\w+=")
_HOME = regex(r"/(?:home/[^/]+|root)(?=/|\Z)")
_DEEPEST = 4  # shells in shells


def dangers_in(line: str, cwd: str, outside: Callable[[str], bool]) -> Iterator[Danger]:
    """Each command that a person should decide, as `danger_of` has it."""
    if found := danger_of(["sh", "-c", line], cwd, outside, is_agent=False):
        yield found  # a download that is piped into a program is two commands
    for argv, folder in _commands(line, cwd, _DEEPEST):
        if found := danger_of(argv, folder, outside, is_agent=False):
            yield found


def _commands(line: str, cwd: str, depth: int) -> Iterator[tuple[list[str], str]]:
    """Each with the folder in which it runs."""
    home = _HOME.match(cwd)
    for words in _split_line(_HERE.sub(r"\3", line.replace("\\\n", " "))):
        while words and (words[0] in _BEFORE or _ASSIGNED.match(words[0])):
            is_sudo = words.pop(0) == "sudo"
            while is_sudo and words and words[0].startswith("-"):
                words.pop(0)
        if home is not None:
            words = [home[0] + word[1:] if word == "~" or word.startswith("~/") else word for word in words]
        name = os.path.basename(words[0]) if words else ""
        if name == "cd" and len(words) > 1:
            cwd = _absolute(words[1], cwd)
        elif _SHELL.match(name) and depth and (script := _script(words)):
            yield from _commands(script, cwd, depth - 1)
        elif words:
            yield words, cwd


def _script(words: Sequence[str]) -> str:
    """The line that a shell is given, as in `bash -lc LINE`."""
    at = next((at for at, word in enumerate(words) if at and word.startswith("-") and word.endswith("c")), len(words))
    return words[at + 1] if at + 1 < len(words) else ""


def _split_line(line: str) -> Iterator[list[str]]:
    """The words between operators, as far as quotes are closed."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=_OPERATORS)
    lexer.whitespace, lexer.commenters = " \t\r", ""
    words: list[str] = []
    with suppress(ValueError):  # a quote that does not end, such as of a line that was cut
        for word in lexer:
            if word.strip(_OPERATORS):
                words.append(word)
            else:
                yield words
                words = []
    yield words
