"""
A text that an agent wants a shell to run -> its commands, each with its words and its folder, as far as the text alone says.

A word of which a variable or another command is a part is not known: it is left out, unless the variable is the home.
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Generator, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from ....core.start import regex

# What another command says, as `$(…)` or `…`, up to three of them in one another. Each is read once ((?>…)), or not at all.
_SAYS = r"(?> \$\( (?: [^()] | \( (?: [^()] | \( [^()]* \) )* \) )* \) | `[^`]*` )"
_PART = regex(
    rf"""
    \\\n | [^\S\n]+ | \#[^\n]*                                      # between words, and comments
    | (?P<redirect> \d* (?: &>>? | [<>]+[&|]? (?!\() ) -? )
    | (?P<end> [;&\n]+ | \|+&? | [<>]?\( | \) )
    | (?P<word> (?: \\. | '[^']*' | (?> "(?: \\. | {_SAYS} | [^"\\] )*" ) | {_SAYS} | \$\{{[^}}]*\}} | [^\s;&|()<>'"`\\] )+ )
    """,
    re.DOTALL | re.VERBOSE,
)
_INNER = regex(rf"\\. | '[^']*' | (?P<says> {_SAYS} )", re.DOTALL | re.VERBOSE)
_PIECE = regex(r"""\$?'([^']*)'|"((?:\\.|[^"\\])*)"|\\(.)|([^'"\\$]+|\$)""", re.DOTALL)
_ESCAPED = regex(r'\\([$`"\\\n])')  # between double quotes
_LITERAL = regex(r"\$?'[^']*'|\\.", re.DOTALL)  # in which no variable is put in
_BRACES = regex(r"\{[^{}]*(?:,|\.\.)[^{}]*\}")
_HOME = regex(r"(?:/root|/(?:home|Users)/[^/]+)(?=/|\Z)")
_AT_HOME = regex(r'~(?=/|\Z)|"?(?:\$HOME|\$\{HOME\})"?(?=/|"|\Z)')
_ASSIGNS = regex(r"[A-Za-z_]\w*\+?=")
SHELL = regex(r"-?(?:ba|da|z|k|a)?sh\Z")  # the name of one
_INTERPRETER = regex(r"(?:python[\d.]*|node|perl|ruby)\Z")
_RUNS_TEXT = regex(r"-[a-z]*c\Z")
_RUNS_WHAT_IS_SAID = regex(r"""(?:\S+\s+)?(?:-\S+\s+)*["']?(?:<\(|\$\(|`)\s*(?:curl|wget)\b""")
_STARTS_ANOTHER = frozenset(
    {"sudo", "doas", "env", "nohup", "time", "command", "exec", "builtin", "nice", "ionice"}
    | {"setsid", "timeout", "xargs", "stdbuf"}
)
_WITH_VALUE = frozenset({"-u", "-g", "-n", "-C", "-s", "-k", "-I", "-P", "-L", "-d"})  # options whose next word is no program
_DURATION = regex(r"\d+(?:\.\d+)?[smhd]?\Z")
_KEYWORDS = frozenset({"if", "then", "else", "elif", "fi", "do", "done", "while", "until", "!", "{", "}"})
_DEEP = 3  # shells in shells
_TEXT_MOST = 65_536  # characters that are read


class Command(NamedTuple):
    """`download`: the text of a download and of this command, if the command runs the download; else ""."""

    argv: Sequence[str]
    cwd: str
    download: str = ""


def commands_in(text: str, cwd: str, *, deep: int = _DEEP) -> Iterator[Command]:
    """In the order of the text. Nothing from a quote on that does not end."""
    yield from _Reader(text[:_TEXT_MOST], cwd, deep).commands()


class _Reader:
    def __init__(self, text: str, cwd: str, deep: int) -> None:
        self._text, self._begin, self._deep = text, cwd, deep
        self._cwd = cwd
        self._left = list[str]()  # folders to come back to: behind `)`, and by `popd`
        self._words = list[str | None]()
        self._from = -1  # where the command begins
        self._awaited = ""  # the redirect whose file comes next
        self._inside = list[str]()  # the ends of texts that are given to commands of this line, as `<<END` says
        self._download = -1  # where the first download of this pipeline begins
        self._is_shell = False  # a shell of this line has no text yet

    def commands(self) -> Iterator[Command]:
        at = 0
        while at < len(self._text):
            part = _PART.match(self._text, at)
            if part is None:
                return
            begin, at = at, part.end()
            if redirect := part["redirect"]:
                self._awaited = "" if redirect.endswith("-") and "<<" not in redirect else redirect.lstrip("0123456789")
            elif word := part["word"]:
                yield from self._word(word, begin)
            elif end := part["end"]:
                yield from self._end(end, begin)
                if self._inside and "\n" in end:
                    at = yield from self._given(begin + end.index("\n") + 1)
        yield from self._end("", len(self._text))

    def _word(self, word: str, at: int) -> Iterator[Command]:
        if self._awaited in ("<<", "<<-"):
            self._inside.append(_plain(word))
        elif not self._awaited:
            self._from = at if self._from < 0 else self._from
            self._words.append(_known(word, self._cwd))
        self._awaited = ""
        for said in _INNER.finditer(word) if self._deep else ():
            if (inner := said["says"]) and not inner.startswith("$(("):
                yield from commands_in(inner.removeprefix("$(").strip("`").removesuffix(")"), self._cwd, deep=self._deep - 1)

    def _end(self, end: str, at: int) -> Iterator[Command]:
        yield from self._command(at)
        self._change_folder()
        self._words, self._awaited, self._from = [], "", -1
        if end.endswith("("):
            self._left.append(self._cwd)
        elif end == ")" and self._left:
            self._cwd = self._left.pop()
        if end == "||" or any(each in end for each in ";\n") or end.startswith("&"):
            self._download = -1

    def _command(self, at: int) -> Iterator[Command]:
        words = _program(self._words)
        if not words or words[0] is None:
            return
        argv = [word for word in words if word is not None]
        name = os.path.basename(argv[0])
        is_shell = SHELL.match(name) is not None
        text = next((after for word, after in pairwise(argv[1:]) if _RUNS_TEXT.match(word)), "") if is_shell else ""
        text = " ".join(argv[1:]) if name == "eval" else text
        self._is_shell |= is_shell and not text
        yield Command(argv, self._cwd, self._run_download(name, words, at, is_shell=is_shell))
        if name in ("curl", "wget") and self._download < 0:
            self._download = self._from
        if self._deep and text:
            yield from commands_in(text, self._cwd, deep=self._deep - 1)

    def _run_download(self, name: str, words: Sequence[str | None], at: int, *, is_shell: bool) -> str:
        is_run = is_shell or (_INTERPRETER.match(name) is not None and {*words[1:]} <= {"-"})
        if self._download >= 0 and is_run:
            return self._text[self._download : at].strip()
        runs_text = is_shell or name in ("eval", "source", ".")
        found = _RUNS_WHAT_IS_SAID.match(self._text, self._text.find(name, self._from)) if runs_text else None
        return found[0] if found else ""

    def _given(self, at: int) -> Generator[Command, None, int]:
        """Lines that are written into a command of the line before: a shell runs them. Gives where they end."""
        for word in self._inside:
            begin, end = at, len(self._text)
            while at < len(self._text):
                line_begin, stop = at, self._text.find("\n", at)
                line, at = (self._text[at:stop], stop + 1) if stop >= 0 else (self._text[at:], len(self._text))
                if line.strip() == word:
                    end = line_begin
                    break
            if self._is_shell and self._deep:
                yield from commands_in(self._text[begin:end], self._cwd, deep=self._deep - 1)
        self._inside, self._is_shell = [], False
        return at

    def _change_folder(self) -> None:
        """Where the next command runs. For a folder that is not known it is the first one, of which rules say least."""
        words = _program(self._words)
        if not words or words[0] not in ("cd", "pushd", "popd"):
            return
        if words[0] == "popd":
            self._cwd = self._left.pop() if self._left else self._begin
            return
        if words[0] == "pushd":
            self._left.append(self._cwd)
        to = words[1] if len(words) > 1 else None
        self._cwd = self._begin if to is None or to.startswith("-") else os.path.normpath(os.path.join(self._cwd, to))


def _plain(word: str) -> str:
    return "".join(one or _ESCAPED.sub(r"\1", two) or three or four for one, two, three, four in _PIECE.findall(word))


def _known(word: str, cwd: str) -> str | None:
    """None: it is not known before a shell has put in its variables."""
    home = _HOME.match(cwd)
    if home is not None and (said := _AT_HOME.match(word)):
        word = home[0] + word[said.end() :].replace('"', "")
    bare = "".join(_LITERAL.split(word))
    return None if bare.startswith("~") or "$" in bare or "`" in bare or _BRACES.search(bare) else _plain(word)


def _program(words: Sequence[str | None]) -> Sequence[str | None]:
    """The words from the program on, without variables that are set for it, and without `sudo` or another that starts it."""
    at, is_started = 0, False
    while at < len(words) and (word := words[at]) is not None:
        if word in _STARTS_ANOTHER:
            is_started = True
        elif is_started and word in _WITH_VALUE:
            at += 1
        elif not (_ASSIGNS.match(word) or word in _KEYWORDS or (is_started and (word[:1] == "-" or _DURATION.match(word)))):
            break
        at += 1
    return words[at:]
