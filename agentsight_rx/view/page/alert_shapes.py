"""The shapes of alerts as the page shows them: short in lists, whole where one is open, as columns above the tabs."""

from __future__ import annotations

from msgspec import Struct

from ..queries.decided import State

__all__ = [
    "STATES",
    "AlertColumns",
    "AlertLine",
    "AlertList",
    "AlertMark",
    "AlertPart",
    "AlertProof",
    "AlertWhole",
    "Halt",
]

STATES: tuple[State, ...] = ("stopped", "new", "seen", "allowed", "note", "part")  # a state in a column is a place in here


class AlertColumns(Struct, frozen=True, omit_defaults=True):
    """The newest alerts of a session in columns: numbers, turns (0: not known), places in STATES. `more`: older ones."""

    n: tuple[int, ...] = ()
    turn: tuple[int, ...] = ()
    state: tuple[int, ...] = ()
    more: int = 0


class AlertMark(Struct, frozen=True, omit_defaults=True):
    """An alert on the card of its turn: below its tool, or below the header."""

    n: int
    rule: str
    sentence: str
    tool: str = ""
    count: int = 1


class Halt(Struct, frozen=True):
    """
    A rule asked to stop this agent. `halted`: it stands still now; `running`: its process is there, and runs. `go_on` and `end`
    are commands to type.
    """

    who: str
    since_ms: int
    halted: bool
    running: bool
    go_on: str
    end: str


class AlertLine(Struct, frozen=True, omit_defaults=True):
    """One alert in a list. `cost` is None where it is not known, `proven` counts the links of three."""

    n: int
    id: str
    rule: str
    do: str
    state: State
    at_ms: int
    sentence: str
    last_ms: int = 0
    count: int = 1
    recording: str = ""
    session: str = ""
    agent: str = ""
    turn: int = 0
    prompt: str = ""
    proven: int = 0
    cut: bool = False  # what it rests on was seen in part
    cost: float | None = None
    part_of: int = 0  # the number of the alert that says all of this


class AlertPart(Struct, frozen=True, omit_defaults=True):
    """
    A part of the thread: prompt, tool, process, target. `tied` says how it belongs to the part before; not `sure`: that is not
    proven, and without `text` the part is not known. `tab`, `turn` and `row` are its place, `q` the words that find it there.
    """

    kind: str
    text: str = ""
    more: str = ""
    tied: str = ""
    sure: bool = True
    code: bool = False
    tab: str = ""
    turn: int = 0
    row: str = ""
    q: str = ""


class AlertProof(Struct, frozen=True, omit_defaults=True):
    """A row that an alert rests on; without `text` the recording does not have it any more."""

    id: str
    at_ms: int = 0
    text: str = ""
    tab: str = ""
    turn: int = 0
    row: str = ""
    q: str = ""


class AlertWhole(Struct, frozen=True, omit_defaults=True):
    """
    One alert with all that belongs to it. `entry` would allow it, below `[rule.NAME]`, and would remove `removes` alerts of the
    recording. `allowed`: what lets it pass now. `next`: the deed at which it is reported again, 0: never.
    """

    line: AlertLine
    parts: tuple[AlertPart, ...]
    proofs: tuple[AlertProof, ...] = ()
    because: str = ""
    means: str = ""
    misses: str = ""
    entry: str = ""
    removes: int = 0
    allowed: str = ""
    file: str = ""
    sha256: str = ""
    seen_ms: int = 0
    next: int = 0
    halt: Halt | None = None
    workspace: str = ""


class AlertList(Struct, frozen=True, omit_defaults=True):
    """
    Alerts from place `start` on, of `total`: waiting alerts first, then the decided ones, then notes, each the newest first.
    `refusal` says why "seen" cannot be kept, `wrong` why the rules of now are not known.
    """

    start: int
    total: int
    rows: tuple[AlertLine, ...]
    waiting: int = 0
    decided: int = 0
    notes: int = 0
    stopped: int = 0
    refusal: str = ""
    wrong: str = ""
