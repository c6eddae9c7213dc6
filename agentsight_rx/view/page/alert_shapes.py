"""The shapes of alerts as the page shows them: short in lists, whole where one is open, as columns above the tabs."""

from __future__ import annotations

from msgspec import Struct

from ..queries.decided import State
from .words import Gap

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


# -- cards ---------------------------------------------------------------------------------------------------------
# The shapes of a turn as the page shows it: the texts, the tools with the programs that ran for them, the sub-agents below it.


class Text(Struct, frozen=True, omit_defaults=True):
    """The begin of a text; `more`: there is more of it, to be asked for."""

    text: str
    more: bool = False


class Program(Struct, frozen=True, omit_defaults=True):
    pid: int
    argv: str
    depth: int = 0
    end: str = ""  # exit 0, signal 9; "" while it runs
    ms: int | None = None
    bad: bool = False
    cpu_ms: int | None = None
    memory: int | None = None  # the most bytes
    start_ms: int = 0
    helper: bool = False  # it only prepared what ran


class Prompt(Struct, frozen=True):
    """The prompt for which something was done: the number of its turn, and its begin."""

    turn: int
    text: str


class Mark(Struct, frozen=True, omit_defaults=True):
    """A file and what became of it: + written, − removed, → moved, ! refused, ~ made and removed again."""

    sign: str
    path: str


class ToolCard(Struct, frozen=True, omit_defaults=True):
    """
    `state`: ok, failed, running. `tied` says how its process was found, or why none was. `programs` are the first ones that are
    no helpers, and as many helpers.
    """

    id: str
    name: str
    asked: str
    how: str
    state: str
    start_ms: int
    ms: int | None = None
    tied: str = ""
    sure: float = 1.0
    cwd: str = ""
    programs: tuple[Program, ...] = ()
    more_programs: int = 0
    files: tuple[Mark, ...] = ()
    more_files: int = 0
    read: int = 0
    hosts: tuple[str, ...] = ()
    result: Text | None = None
    repeat: int = 0
    gap: Gap | None = None
    cpu_ms: int = 0  # of all its programs that ended
    memory: int = 0  # the most bytes that one of them had
    pause_ms: int | None = None  # of the agent, behind the end of its processes


class Try(Struct, frozen=True, omit_defaults=True):
    """
    One of several equal requests, of which all but the last failed. `why` says what came instead of an answer. `waited_ms`:
    until the next one, for which the answer asked for a pause of `retry_after_s`.
    """

    call: str
    status: int = 0
    ms: int | None = None
    why: str = ""
    waited_ms: int | None = None
    retry_after_s: int | None = None
    state: str = ""


class TurnCard(Struct, frozen=True, omit_defaults=True):
    """
    One call of a model and what came of it. `n`: its number among the turns of its agent. `asked`: the prompt of an earlier
    turn that it works on. `tries`: where it was asked more than once, as calls before it failed.
    """

    call: str
    n: int
    start_ms: int
    ms: int | None = None
    first_ms: int | None = None
    tokens_in: int = 0
    cached: int = 0
    out: int = 0
    cost: float | None = None
    model: str = ""
    through: str = ""  # a proxy
    status: str = ""
    new: tuple[str, ...] = ()
    prompt: Text | None = None
    asked: Prompt | None = None
    thinking: Text | None = None
    words: int = 0  # of the reasoning, as far as the row has it
    answer: Text | None = None
    tools: tuple[ToolCard, ...] = ()
    subs: tuple[SubAgent, ...] = ()
    gap: Gap | None = None
    error: str = ""
    tries: tuple[Try, ...] = ()
    bad: bool = False
    alerts: tuple[AlertMark, ...] = ()


class SubAgent(Struct, frozen=True, omit_defaults=True):
    """A sub-agent and its turns. `tool` is the id of the tool that started it; deeper than three levels `cards` is empty."""

    id: str
    name: str
    turns: int
    start_ms: int
    ms: int
    tokens_in: int
    tool: str = ""
    task: str = ""  # as the input of that tool says it
    asker: str = ""  # the name of that tool
    asked_in: int = 0  # its turn
    answered_in: int = 0  # the turn that got its answer
    cost: float | None = None
    bad: bool = False
    gap: bool = False
    cards: tuple[TurnCard, ...] = ()


class Turns(Struct, frozen=True):
    """The turns from number `start` of the thread on (from 0), of `total`."""

    start: int
    total: int
    cards: tuple[TurnCard, ...]
