"""A command -> the program that it runs: through PATH of the invoking user, links, #! lines, launchers, npm packages."""

from __future__ import annotations

import os
import pwd
import re
import shlex
import stat
from collections.abc import Iterator, Mapping
from itertools import chain, islice
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from ...core.errors import CaptureError, UsageError
from ...core.options import json_decoder
from ...core.start import regex
from ..kernel.machine import MACHINE, machine_of


class Resolved(Struct, frozen=True):
    """
    The program of a command. `path` is the machine code that runs; `chain` has every file on the way to it: links, scripts,
    launchers. `others` are programs that a script on the way probably starts.
    """

    path: str
    chain: tuple[str, ...]
    others: tuple[str, ...] = ()


# -- where commands are ------------------------------------------------------------------------------------------------

# Below a home directory; a * stands for versions, of which the newest comes first
_IN_HOME = (
    ".local/bin",
    "bin",
    ".nvm/versions/node/*/bin",
    ".local/share/fnm/node-versions/*/installation/bin",
    ".volta/tools/image/node/*/bin",
    ".volta/bin",
    ".local/share/mise/installs/*/*/bin",
    ".local/share/mise/shims",
    ".local/share/pnpm",
    ".asdf/shims",
    ".bun/bin",
    ".deno/bin",
    ".cargo/bin",
)


def search_path(env: Mapping[str, str], home: Path | None = None) -> str:
    """
    PATH of the invoking user: the one of `env` and, under sudo, which does not keep theirs, the usual directories in their
    home. `home` is by default looked up where `env` comes from sudo.
    """
    home = home or _home_behind_sudo(env)
    own = env.get("PATH", os.defpath)
    if home is None:
        return own
    more = chain.from_iterable(sorted(home.glob(pattern), key=_version, reverse=True) for pattern in _IN_HOME)
    return ":".join([own, *map(str, more), "/snap/bin"])


def _home_behind_sudo(env: Mapping[str, str]) -> Path | None:
    uid = env.get("SUDO_UID", "")
    if os.geteuid() != 0 or not uid.isdecimal():
        return None
    try:
        return Path(pwd.getpwuid(int(uid)).pw_dir)
    except (KeyError, OverflowError):
        return None


def _version(directory: Path) -> list[int]:
    """A sort key: v9.0 comes before v20.0."""
    return [int(number) for number in re.findall(r"\d+", str(directory))]


# -- a command -> its program ------------------------------------------------------------------------------------------

_STEPS_MOST = 8  # from one interpreter to the next; the kernel allows 5
_SHELLS = {"sh", "bash", "dash", "ksh", "mksh", "zsh", "ash"}
_HEAD = 64 << 10  # bytes of a script that are read


def resolve(command: str, *, env: Mapping[str, str] | None = None, home: Path | None = None) -> Resolved:
    """
    Follow `command` as the invoking user would start it: PATH, links, #! lines, launchers.

    Raises UsageError where there is no such command, CaptureError where it cannot be followed to a program.
    """
    settings = os.environ if env is None else env
    return _Walk(search_path(settings, home)).to(command)


class _Walk:
    """One walk from a command to its program; the number of its steps is limited, so a cycle ends it."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._chain: list[str] = []
        self._others: list[str] = []

    def to(self, command: str) -> Resolved:
        found = _find(command, self._path)
        if found is None:
            where = "there is no such file that may be run" if "/" in command else f"it is not in PATH, {self._path!r}"
            raise UsageError(f"command not found: {command!r} ({where})")
        program = self._follow(found)
        return Resolved(program, tuple(dict.fromkeys(self._chain)), tuple(dict.fromkeys(self._others)))

    def _follow(self, found: str) -> str:
        real = os.path.realpath(found)
        self._chain += [found, real]
        if len(self._chain) > 2 * _STEPS_MOST:
            raise CaptureError(f"{self._chain[0]} cannot be followed to a program: {' -> '.join(self._chain[:8])} …")
        head = _head(real)
        if head.startswith(_ELF):
            return real
        if not head.startswith(b"#!"):
            raise CaptureError(f"{real} is neither a program for this machine nor a script with a #! line")
        text = head.decode(errors="replace")
        self._others += _native_programs(Path(real))
        line = text.partition("\n")[0].removeprefix("#!")
        interpreter, path = _interpreter(line, self._path)
        place = _find(interpreter, path)
        if place is None:
            raise CaptureError(f"{real} wants {interpreter!r} to run it (its first line is '#!{line}'), which was not found")
        if Path(place).name in _SHELLS and (target := _last_exec(text)):
            return self._hint(target, place)
        return self._follow(place)

    def _hint(self, target: str, shell: str) -> str:
        """A shell script whose last command is exec: very probably that program, else the shell."""
        before = list(self._chain)
        found = _find(target, self._path)
        try:
            if found is not None:
                return self._follow(found)
        except CaptureError:
            self._chain = before
        return self._follow(shell)


_ELF = b"\x7fELF"


def _find(command: str, path: str) -> str | None:
    """A file with an execute bit, whoever may use it; never a directory."""
    places = [command] if "/" in command else [f"{directory or '.'}/{command}" for directory in path.split(":")]
    for place in places:
        try:
            mode = os.stat(place).st_mode
        except (OSError, ValueError):  # ValueError: a NUL in it
            continue
        if stat.S_ISREG(mode) and mode & 0o111:
            return os.path.abspath(place)
    return None


def _head(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(_HEAD)
    except OSError as error:
        raise CaptureError(f"{path} cannot be read: {error.strerror}") from error


_ENV_WITH_VALUE = {"-u", "--unset", "-C", "--chdir"}
_ENV_SPLIT = regex(r"(\S+(?:\s+\S+)*?)\s+(?:-[iv]*S ?|--split-string[= ])(.*)")


def _interpreter(line: str, path: str) -> tuple[str, str]:
    """
    The interpreter in the #! line of a script, and the PATH in which to find it. Of env(1) its argument counts; its options,
    -S and VARIABLE=value are understood.
    """
    words = _words(line)
    if not words:
        return "", path
    if Path(words[0]).name != "env":
        return words[0], path
    split = _ENV_SPLIT.match(line)
    rest = iter(_words(f"{split[1]} {split[2]}" if split else line)[1:])
    for word in rest:
        if word in _ENV_WITH_VALUE:
            next(rest, None)
        elif word.startswith("PATH="):
            path = word.removeprefix("PATH=")
        elif not word.startswith("-") and "=" not in word:
            return word, path
    return "env", path


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line, comments=True)
    except ValueError:  # a quote that is not closed
        return line.split()


def _last_exec(script: str) -> str | None:
    """The program of the last exec in a shell script, where it is literal: exec /usr/lib/x/x "$@". Never a guess."""
    for line in reversed(script.splitlines()):
        if "exec" not in line or (words := _words(line))[:1] != ["exec"]:
            continue
        rest = words[3:] if words[1:2] == ["-a"] else words[1:]  # -a NAME: under another name
        target = next((word for word in rest if not word.startswith("-")), "")
        if target and not re.search(r"[$`*?(){}<>|&;]", target):
            return target
    return None


# -- npm packages with a program of their own -----------------------------------------------------------------

_PROGRAM_LEAST = 1 << 20  # bytes; no program with a TLS implementation is smaller
_ENTRIES_MOST = 4_000  # files of one package that are searched
_ANCESTORS = 5


_PACKAGE_NAME = regex(r"(?:@\w[\w.-]*/)?\w[\w.-]*")


class _Package(Struct):
    """The fields of a package.json that matter here."""

    name: str = ""
    optional: dict[str, Any] = msgspec.field(name="optionalDependencies", default_factory=dict[str, Any])


_decode = json_decoder(_Package).decode


def _native_programs(script: Path) -> list[str]:
    """Machine code in the package of a script, and in the packages for this platform beside it or inside it."""
    root = next((up for up in islice(script.parents, _ANCESTORS) if (up / "package.json").is_file()), None)
    if root is None:
        return []
    package = _package(root / "package.json")
    names = [name for name in package.optional if "linux" in name and _PACKAGE_NAME.fullmatch(name)]
    if _PACKAGE_NAME.fullmatch(package.name):
        names.append(f"{package.name}-linux-*")
    around = next((up for up in root.parents if up.name == "node_modules"), root)
    found = (sorted(place.glob(name)) for name in names for place in (root / "node_modules", around))
    directories = dict.fromkeys([root, *chain.from_iterable(found)])
    return [str(file) for directory in directories for file in _programs_below(directory)]


def _package(file: Path) -> _Package:
    try:
        return _decode(file.read_bytes())
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Package()


def _programs_below(directory: Path) -> Iterator[Path]:
    for file in islice(_files_below(directory), _ENTRIES_MOST):
        try:
            if file.stat().st_size > _PROGRAM_LEAST and _is_program(file):
                yield file
        except OSError:
            continue


def _files_below(directory: Path) -> Iterator[Path]:
    for place, directories, files in os.walk(directory):
        directories[:] = sorted(set(directories) - {"node_modules"})
        yield from (Path(place, name) for name in sorted(files))


def _is_program(file: Path) -> bool:
    with file.open("rb") as opened:
        return machine_of(opened.read(20)) == MACHINE.name
