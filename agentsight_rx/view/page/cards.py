"""
The shapes of a turn as the page shows it: the texts, the tools with the programs that ran for them, the sub-agents below it.
"""

from __future__ import annotations

from msgspec import Struct

from .alert_shapes import AlertMark
from .words import Gap

__all__ = ["Mark", "Program", "Prompt", "SubAgent", "Text", "ToolCard", "TurnCard", "Turns"]


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


class TurnCard(Struct, frozen=True, omit_defaults=True):
    """One call of a model and what came of it. `asked`: the prompt of an earlier turn that it works on."""

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
    cost: float | None = None
    bad: bool = False
    gap: bool = False
    cards: tuple[TurnCard, ...] = ()


class Turns(Struct, frozen=True):
    """The turns from number `start` of the thread on (from 0), of `total`."""

    start: int
    total: int
    cards: tuple[TurnCard, ...]
