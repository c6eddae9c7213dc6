"""The words of a command -> whether it is one that a person should decide: what it deletes, overwrites or switches off."""

from __future__ import annotations

import os.path
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from ....core.start import regex
from .shell import SHELL, commands_in

# The word of each, and how a sentence says that it was done, and what was asked for
DANGERS = {
    "delete": ("deleted recursively outside of the workspace", "delete recursively outside of the workspace"),
    "force-push": ("pushed over the history of a branch", "push over the history of a branch"),
    "pipe-to-shell": ("ran what it downloads as a program", "run what it downloads as a program"),
    "key-mode": ("made a key readable for others", "make a key readable for others"),
    "sandbox-off": ("started an agent without its sandbox", "start an agent without its sandbox"),
    "overwrite-disk": ("wrote to a disk itself", "write to a disk itself"),
}
DANGER = "process.danger"  # a rule about it is judged by what an agent asked for, too


class Danger(NamedTuple):
    kind: str
    target: str


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
    if SHELL.match(name):
        if found := next((text for word in words if "curl" in word or "wget" in word for text in _downloads(word, cwd)), ""):
            return _run(found)
        name = os.path.basename(words[0]) if words else name  # of a script that starts an agent
    if is_agent:
        flag = next((word for word in words if word in _WITHOUT_SANDBOX), None)
        return Danger("sandbox-off", f"{name} {flag}") if flag else None
    return None


def dangers_asked(
    text: str, cwd: str, outside: Callable[[str], bool], is_agent: Callable[[Sequence[str]], bool]
) -> Iterator[tuple[Danger, str]]:
    """Each danger of a text that a shell is to run, with its command; none twice."""
    found = dict[Danger, str]()
    for argv, folder, download in commands_in(text, cwd):
        danger = _run(download) if download else danger_of(argv, folder, outside, is_agent=is_agent(argv))
        if danger is not None:
            found.setdefault(danger, " ".join(argv))
    yield from found.items()


def _downloads(text: str, cwd: str) -> Iterator[str]:
    return (command.download for command in commands_in(text, cwd) if command.download)


def _run(download: str) -> Danger:
    return Danger("pipe-to-shell", " ".join(download.split())[:200])


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
