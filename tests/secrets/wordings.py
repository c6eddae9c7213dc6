"""
How secrets are said: a line of commands.txt, texts.txt and not_promised.txt is a wording, with `§` where the secret stands.

`¶` is a line break. Each wording gets a secret of each alphabet, and stands at each place that holds it.
"""

from __future__ import annotations

import json
import random
import shlex
import string
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from agentsight_rx.policy.redaction.redactor import Redactor, mask_command, mask_words
from agentsight_rx.policy.redaction.resent import SecretStream

__all__ = ["ALPHABETS", "COMMANDS", "MARK", "NOT_PROMISED", "TEXTS", "WHOLE", "broken", "fresh", "leaks", "places_of", "table"]

MARK = "§"


def _read(name: str) -> list[str]:
    lines = (Path(__file__).parent / name).read_text().splitlines()
    return [line.replace("¶", "\n") for line in lines if line]


COMMANDS = _read("commands.txt")  # of a process, of a tool, of a script, and in a text that shows one
TEXTS = _read("texts.txt")  # in files and texts
NOT_PROMISED = _read("not_promised.txt")  # no name, no program and no shape shows these

# -- secrets ---------------------------------------------------------------------------------------------------------------

_RANDOM = random.Random(37)  # the same ones in each run
_SIZE = 14
ALPHABETS = {
    "letters and digits": string.ascii_letters + string.digits,
    "hexadecimal digits": string.digits + "abcdef",
    "letters": string.ascii_letters,
    "with signs": string.ascii_letters + string.digits + "!#*+.?^_~-",
}
_NO_SIGNS = ("://", "@", "%", "&", f",{MARK}", "<", "`", "Base64")  # the syntax of these wordings forbids some signs


def secrets_for(wording: str) -> Iterator[tuple[str, str]]:
    """A fresh secret of each alphabet that may stand there."""
    for name in ALPHABETS:
        if name != "with signs" or not any(mark in wording for mark in _NO_SIGNS):
            yield name, fresh(name, _RANDOM)


def fresh(alphabet: str, source: random.Random) -> str:
    """It begins with a letter and has, as nearly every random word, capitals and digits where its alphabet has them."""
    while True:
        made = "".join(source.choices(ALPHABETS[alphabet], k=_SIZE))
        cases = made.lower() != made or alphabet == "hexadecimal digits"
        digits = not made.isalpha() or alphabet == "letters"
        if made[0].isalpha() and made[-1].isalnum() and cases and digits:
            return made


# -- places ----------------------------------------------------------------------------------------------------------------

_REDACTOR = Redactor(bytes(32))
_LONG = "words of a text that holds nothing " * 90
_PIECE = 7  # bytes


def _in_json(text: str) -> str:
    return json.dumps({"content": f"first line\n{text}\nlast line"})


def _words(text: str) -> str:
    words = tuple(shlex.split(text))
    return "" if {"|", "&&", ";", "<<<"} & set(words) or "(" in text else " ".join(mask_words(words, _REDACTOR))


def _stream(text: str) -> str:
    data, stream = json.dumps({"command": f"cd /x\n{text}"}).encode(), SecretStream()
    return b"".join(stream.feed(data[at : at + _PIECE]) for at in range(0, len(data), _PIECE)).decode("utf-8", "replace")


Place = Callable[[str], str]
PLACES: dict[str, Place] = {
    "text": _REDACTOR.text,
    "text in JSON": lambda text: _REDACTOR.text(_in_json(text)),
    "JSON in JSON": lambda text: _REDACTOR.text(json.dumps({"a": _in_json(text)})),
    "long text": lambda text: _REDACTOR.text(json.dumps({"content": f"{_LONG}\n{text}\n{_LONG}"})),
}
OF_COMMANDS: dict[str, Place] = {
    "command of a tool": lambda text: _REDACTOR.text(json.dumps({"command": f"cd /x\n{text}"})),
    "script of a tool": lambda text: _REDACTOR.text(
        json.dumps({"command": f"cat > a.sh <<'EOF'\n#!/bin/sh\n{text}\nEOF\nsh a.sh"})
    ),
    "typed line": lambda text: mask_command(text, _REDACTOR),
    "words of a process": _words,
    "command in pieces": _stream,
}
_BEFORE_ITS_PROGRAM = ("echo ", "printf ")  # in pieces, the secret has passed when its program comes
_NO_WORDS = ("export", "set", "[", "$", "declare", "typeset", "printf", "echo")  # of a shell, which no process has


def places_of(wording: str, *, is_command: bool) -> Iterator[tuple[str, Place]]:
    yield from PLACES.items()
    for name, place in OF_COMMANDS.items() if is_command else ():
        if name == "command in pieces" and wording.startswith(_BEFORE_ITS_PROGRAM):
            continue
        if name == "words of a process" and (wording.startswith(_NO_WORDS) or not _is_closed(wording)):
            continue
        yield name, place


def _is_closed(wording: str) -> bool:
    try:
        return bool(shlex.split(wording))
    except ValueError:
        return False


def shows(secret: str, made: str) -> bool:
    """Is more than half of it in there?"""
    return secret[:8] in made or secret[-8:] in made


def leaks(
    wordings: list[str], *, is_command: bool = False
) -> tuple[Counter[tuple[str, str]], Counter[tuple[str, str]], list[str]]:
    """By alphabet and place how many secrets there were, and how many leaked; and a line for each of those."""
    planted, leaked, lines = Counter[tuple[str, str]](), Counter[tuple[str, str]](), list[str]()
    for wording in wordings:
        for alphabet, secret in secrets_for(wording):
            for place, made in places_of(wording, is_command=is_command):
                planted[alphabet, place] += 1
                if shows(secret, made(wording.replace(MARK, secret))):
                    leaked[alphabet, place] += 1
                    lines.append(f"{place}, {alphabet}: {wording.replace(MARK, secret)!r}")
    return planted, leaked, lines


# Of these none leaks; of letters only, with signs, in a long text and in pieces a few may
WHOLE = ("letters and digits", "hexadecimal digits")
_SOME = ("long text", "command in pieces")


def broken(line: str) -> bool:
    """Does this line of `leaks` break what docs/redaction.md promises?"""
    place, alphabet = line.partition(": ")[0].split(", ")
    return alphabet in WHOLE and place not in _SOME


def table() -> tuple[list[str], list[str]]:
    """Lines that say how many leak of each list, alphabet and place; and those that leaked of what is promised."""
    made, shown = list[str](), list[str]()
    for name, wordings in (("commands", COMMANDS), ("texts", TEXTS), ("not promised", NOT_PROMISED)):
        planted, leaked, lines = leaks(wordings, is_command=name == "commands")
        made.append(f"{name}: {len(wordings)} wordings, {leaked.total()} of {planted.total()} secrets leaked")
        for place in dict.fromkeys(place for _, place in planted):
            cells = [f"{alphabet} {leaked[alphabet, place]}/{planted[alphabet, place]}" for alphabet in ALPHABETS]
            made.append(f"  {place}: {', '.join(cells)}")
        shown += lines if name != "not promised" else []
    return made, shown
