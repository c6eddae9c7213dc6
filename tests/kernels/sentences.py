"""What a command of the product printed -> did it work, did it refuse by a sentence that says what to do, or did it fail?"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import takewhile

from tests.kernels.results import Verdict

__all__ = ["ALL_CAPTURED", "ALL_SEEN", "Done", "judged"]

ALL_SEEN = "starts here, and sees everything"  # what `doctor` says
ALL_CAPTURED = "nothing is missing"  # what `record` says

_CAPABILITY = re.compile(r"CAP_[A-Z_]+")
# A sentence that says what to do has one of these
_TO_DO = re.compile(r"CAP_[A-Z_]+|[Ww]hat to do|as root|sysctl|use a |needs root|start it|mount ")


@dataclass(frozen=True)
class Done:
    """How a command ended, and all that it printed."""

    status: int
    printed: str

    @staticmethod
    def of(done: subprocess.CompletedProcess[str]) -> Done:
        return Done(done.returncode, f"{done.stdout}\n{done.stderr}".strip())

    @property
    def last(self) -> str:
        return self.printed.splitlines()[-1] if self.printed else "it printed nothing"


def judged(done: Done, *, held: Collection[str] = (), complete: str = "", wanted: Collection[str] = ()) -> tuple[Verdict, str]:
    """
    `held`: capabilities that it has, which a sentence must not ask for alone. `complete`: words that it prints only where it
    missed nothing. `wanted`: words of which a sentence must have one, since they name what is really missing.
    """
    if "Traceback (most recent call last)" in done.printed:
        return "fails", f"a traceback: {done.last}"
    if done.status == 0 and complete in done.printed:
        return "works", complete or done.last
    sentence = _sentence(done.printed, wanted)
    if sentence is None:
        return "fails", f"exit status {done.status} without a sentence that says what to do: {done.last}"
    asked = set(_CAPABILITY.findall(sentence))
    if asked and asked <= set(held):
        return "fails", f"it asks for what is there: {sentence}"
    if wanted and not any(word in sentence for word in wanted):
        return "fails", f"it does not name {' or '.join(wanted)}: {sentence}"
    return "refused", sentence


def _sentence(printed: str, wanted: Collection[str]) -> str | None:
    """The error, or the first line of `doctor` with a remedy, or a line that has what is wanted; without line breaks."""
    lines = printed.splitlines()
    found = [line for line in lines if line.startswith("Error: ")] or list(_failed_checks(lines))
    named = [line for line in found or lines if any(word in line for word in wanted)]
    return next((line for line in (*named, *found) if _TO_DO.search(line)), None)


def _failed_checks(lines: list[str]) -> Iterable[str]:
    """Of the table of `doctor`, where a line that begins with a space goes on with the one before."""
    for at, line in enumerate(lines):
        if line.startswith(("--", "··")):
            more = takewhile(lambda each: each.startswith(" "), lines[at + 1 :])
            yield " ".join(" ".join((line, *more)).split())
