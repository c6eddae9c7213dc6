"""What a guest writes, a JSON line each as it goes -> the values: a Head, Outcomes, and at last an End."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

__all__ = ["End", "Head", "Line", "Outcome", "Run", "Verdict", "encoded", "read_line", "read_run", "run_of"]

# refused: a sentence said what to do instead; absent: this kernel does not have what is asked
Verdict: TypeAlias = Literal["works", "refused", "fails", "absent"]


class Head(msgspec.Struct, frozen=True, tag="head"):
    """Which machine it is. `expected` is what the product must do on it: it works, or it is refused by a sentence."""

    name: str
    expected: Literal["works", "refused"]
    facts: dict[str, str]
    chosen: tuple[str, ...] = ()  # names of checks; none means all


class Outcome(msgspec.Struct, frozen=True, tag="outcome"):
    """One check. `said` is one line for a person; `more` the end of what was printed, where it fails."""

    check: str
    verdict: Verdict
    said: str
    seconds: float
    more: str = ""


class End(msgspec.Struct, frozen=True, tag="end"):
    """The guest did all of its checks."""

    seconds: float


Line: TypeAlias = Head | Outcome | End
_DECODER: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)


class Run(msgspec.Struct, frozen=True):
    """What is known of one kernel. `head` is None where the guest never began, `end` where it did not come to its end."""

    name: str
    head: Head | None
    outcomes: dict[str, Outcome]
    end: End | None


def encoded(line: Line) -> bytes:
    return msgspec.json.encode(line) + b"\n"


def read_line(text: bytes) -> Line | None:
    """None: it is none of ours, or it is cut."""
    try:
        return _DECODER.decode(text)
    except msgspec.DecodeError:
        return None


def read_run(name: str, path: Path) -> Run:
    """The file may be cut anywhere, or not be there."""
    lines = path.read_bytes().splitlines() if path.exists() else []
    return run_of(name, [line for text in lines if (line := read_line(text)) is not None])


def run_of(name: str, lines: Iterable[Line]) -> Run:
    every = list(lines)
    heads = [line for line in every if isinstance(line, Head)]
    ends = [line for line in every if isinstance(line, End)]
    outcomes = {line.check: line for line in every if isinstance(line, Outcome)}
    return Run(name, heads[0] if heads else None, outcomes, ends[-1] if ends else None)
