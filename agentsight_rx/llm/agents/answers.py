"""
A program and its exit code, a file and its error -> whether that is an answer and no failure: a `grep` that found nothing.

Sources: EXIT STATUS of POSIX.1-2024 (the utility of that name), else the manual of the program that the table names.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from typing import NamedTuple

from ...core.start import regex
from .programs import base_name, is_launcher


class Answer(NamedTuple):
    """`sub`: the first argument that is no option is one of these. `options`: one of these is given. Empty: any will do."""

    programs: str
    code: int
    meaning: str
    source: str
    sub: str = ""
    options: str = ""


_POSIX, _GIT, _SYSTEMD = "POSIX.1-2024", "git help SUB", "systemctl(1), EXIT STATUS"
ANSWERS = (
    Answer("grep egrep fgrep", 1, "no line was selected", _POSIX),
    Answer("zgrep bzgrep xzgrep zstdgrep pcregrep pcre2grep ugrep", 1, "no line was selected", "the manual of each, as grep"),
    Answer("rg ag ack", 1, "no line was selected", "ripgrep guide, ag(1), ack(1)"),
    Answer("diff cmp", 1, "the files differ", _POSIX),
    Answer("zdiff zcmp bzdiff xzdiff diff3 sdiff colordiff", 1, "the files differ", "GNU diffutils manual; zdiff(1)"),
    Answer("test [", 1, "the expression is false", _POSIX),
    Answer("[[ (( let", 1, "the expression is false or zero", "GNU Bash manual, Conditional Constructs"),
    Answer("expr", 1, "the expression is null or zero", _POSIX),
    Answer("sort", 1, "the input is not sorted", _POSIX, options="-c -C --check"),
    Answer("tty", 1, "standard input is no terminal", _POSIX),
    Answer("mesg", 1, "messages are denied", _POSIX),
    Answer("command type hash which", 1, "there is no such command", f"{_POSIX}; which(1)"),
    Answer("command type hash", 127, "there is no such command", f"{_POSIX}; dash(1)"),
    Answer("readlink", 1, "it is no symbolic link", "GNU coreutils manual, readlink"),
    Answer("pgrep pidof pkill killall", 1, "no process matched", "pgrep(1), pidof(1), killall(1)"),
    Answer("ps", 1, "no process matched", "ps(1)", options="-p -C -q --pid"),
    Answer("kill", 1, "there is no such process", f"{_POSIX}, signal 0", options="-0"),
    Answer("lsof fuser", 1, "no file is open", "lsof(8), fuser(1)"),
    Answer("getent", 2, "the key was not found", "getent(1), EXIT STATUS"),
    Answer("locate plocate look", 1, "there is no match", "locate(1), look(1)"),
    Answer("mountpoint", 1, "it is no mount point", "mountpoint(1), before util-linux 2.36"),
    Answer("mountpoint", 32, "it is no mount point", "mountpoint(1)"),
    Answer("jq", 1, "the last value was false or null", "jq(1)", options="-e --exit-status"),
    Answer("jq", 4, "there was no value", "jq(1)", options="-e --exit-status"),
    Answer("fd fdfind", 1, "there is no match", "fd(1)", options="-q --quiet"),
    Answer("systemctl", 3, "the unit is not active", _SYSTEMD, sub="is-active status"),
    Answer("systemctl", 4, "there is no such unit", _SYSTEMD, sub="is-active status"),
    Answer("systemctl", 1, "it is not so", _SYSTEMD, sub="is-enabled is-failed"),
    Answer("npm pnpm yarn", 1, "packages are outdated", "npm help outdated", sub="outdated"),
    Answer("git", 1, "no line was selected", _GIT, sub="grep"),
    Answer(
        "git",
        1,
        "there are differences",
        _GIT,
        sub="diff diff-index diff-files diff-tree",
        options="--exit-code --quiet --no-index",
    ),
    Answer("git", 1, "it is no ancestor", _GIT, sub="merge-base", options="--is-ancestor"),
    Answer("git", 1, "none of them, or there is none", _GIT, sub="check-ignore show-ref config check-ref-format"),
    Answer("git", 1, "there is no such name", _GIT, sub="rev-parse symbolic-ref", options="-q --quiet"),
    Answer("git", 1, "there is no such object", _GIT, sub="cat-file", options="-e"),
    Answer("git", 1, "the file is not tracked", _GIT, sub="ls-files", options="--error-unmatch"),
    Answer("git", 2, "there is no such reference", _GIT, sub="ls-remote", options="--exit-code"),
    # ldd asks each loader of the machine whether a program is its own
    Answer("ld.so", 1, "the program is not for this loader", "glibc, ldd", options="--verify"),
    Answer("ld.so", 2, "the program names no loader", "glibc, ldd", options="--verify"),
)
_WITH_VALUE = frozenset({"-C", "-c", "--git-dir", "--work-tree", "--namespace", "--prefix"})  # options in front of a sub
_BY_PROGRAM: dict[str, list[Answer]] = {}
for _each in ANSWERS:
    for _name in _each.programs.split():
        _BY_PROGRAM.setdefault(_name, []).append(_each)

_LOADER = regex(r"\Ald(?:-linux[\w-]*|-musl-\w+|64)?\.so(?:\.\d+)*\Z")
_MANY = {"xargs": 123, "find": 1}  # the code with which they pass on that a program of theirs ended so
_SAYS_ITS_OWN = regex(r"(?:\A|[\n;&|({]|\b(?:then|else|do)\b)\s*(?:exit|return|false)\b")
_NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR})
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_OPTIONS_MOST = 8
_LINE = regex(r"-\w*c\Z")  # the argument of a shell in front of a line
_SEPARATOR = regex(r"\n|;|&&|\|\|?|&")


def is_answer(argv: Sequence[str], exit_code: int | None, /) -> bool:
    """Whether a program ends so that it answers no, and did not fail."""
    return _answer(argv, exit_code) is not None


def meaning_of(argv: Sequence[str], exit_code: int | None, /) -> str:
    """The meaning of an exit code that is an answer of the program, or of the last command in the line of a shell; else ""."""
    found = _answer(argv, exit_code) or (_answer(_last_of_line(argv), exit_code) if argv and is_launcher(argv) else None)
    return found.meaning if found else ""


def _answer(argv: Sequence[str], exit_code: int | None) -> Answer | None:
    if not exit_code or not argv:
        return None
    program = base_name(argv[0])
    if program == "busybox" and len(argv) > 1:
        program, argv = argv[1], argv[1:]
    elif program.startswith("ld"):
        program = _LOADER.sub("ld.so", program)
    known = _BY_PROGRAM.get(program, ())
    return next((each for each in known if each.code == exit_code and _fits(each, argv)), None)


def _fits(answer: Answer, argv: Sequence[str]) -> bool:
    if answer.sub and _sub(argv) not in answer.sub.split():
        return False
    return not answer.options or not set(answer.options.split()).isdisjoint(argv[1:])


def _sub(argv: Sequence[str]) -> str:
    words = iter(argv[1:])
    for word in words:
        if word in _WITH_VALUE:
            next(words, "")
        elif not word.startswith("-"):
            return word
    return ""


def passes_on(argv: Sequence[str], exit_code: int, child_code: int, /) -> bool:
    """
    Whether a shell with a line, or a program that starts others, ends so because its last child that did not end with 0 ended
    with `child_code`. A script in a file has a meaning of its own, and so has a line that says `exit`.
    """
    if argv and _MANY.get(base_name(argv[0])) == exit_code:
        return True
    return child_code == exit_code and is_launcher(argv) and _SAYS_ITS_OWN.search(_line(argv)) is None


def ends_with_answer(argv: Sequence[str], exit_code: int, /) -> bool:
    """Whether the last command of a shell's line is a builtin whose code is an answer, such as `[ -f x ]`."""
    return is_launcher(argv) and is_answer(_last_of_line(argv), exit_code)


def _last_of_line(argv: Sequence[str]) -> list[str]:
    return _SEPARATOR.split(_line(argv).strip().rstrip(";"))[-1].split()


def finds_nothing(action: str, flags: int, error: int, /) -> bool:
    """Whether a file was looked for, and is not there: the loader of programs asks for each library in many folders."""
    return action == "open" and error in _NOT_THERE and not flags & _WRITES


def _line(argv: Sequence[str]) -> str:
    """What a shell was given behind `-c`."""
    at = next((at for at, word in enumerate(argv[1:_OPTIONS_MOST], 2) if _LINE.match(word)), len(argv))
    return argv[at] if at < len(argv) else ""
