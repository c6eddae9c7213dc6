"""Two sessions -> where their steps part, their numbers beside each other, and findings of only one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

from msgspec import Struct

from ....store.rows.kinds import ToolRow
from ....store.rows.tool_words import asked_for, has_failed, is_command, is_edit, outcome_said
from ....store.words import cut
from ..calls.costs import PricedCall
from .diff import RunFacts
from .findings import Finding, finding_words
from .listing import ListRow, changed_by

_READS = frozenset(
    {"read", "read_file", "read_many_files", "view", "notebookread", "open_file", "fetch", "webfetch", "web_fetch"}
)
_SEARCHES = frozenset(
    {"grep", "glob", "ls", "list", "list_directory", "search", "search_file_content", "find", "websearch", "web_search"}
)
_SUB_AGENTS = frozenset({"task", "agent", "spawn_agent", "delegate"})
_PATCHED = re.compile(r"\*\*\* (?:Update|Add|Delete) File: (.+)")
_COMMITS = re.compile(r"\bgit(?:\s+-[Cc]\s+\S+|\s+-\S+)*\s+commit(?![-\w])(?!.*--dry-run)")
_COMMITTED = re.compile(r"^\[[^\]\n]*\b([0-9a-f]{7,40})\] ", re.MULTILINE)  # as git says it
_TARGET = 90  # characters
_STEPS_MOST = 90  # of a side: the answer has 30 kB at most
_SAME_MOST = 60
_POINTS_MOST = 240
_TOOLS_MOST = 24
_FINDINGS_MOST = 6


class Step(Struct, frozen=True, omit_defaults=True):
    """A tool call. Equal ones behind each other are one step with their number of `times`; `n` is the place of the first."""

    n: int
    kind: str  # read, search, write, run, sub-agent, MCP, or the name of the tool
    target: str = ""
    said: str = ""  # how it ended
    bad: bool = False
    times: int = 1

    @property
    def name(self) -> tuple[str, str]:
        """Two steps with equal names are the same step: contents are not compared."""
        return self.kind, self.target


class OnlyOne(Struct, frozen=True, omit_defaults=True):
    """A finding of only one session."""

    title: str
    text: str
    usd: float | None = None


class SideOf(Struct, frozen=True, omit_defaults=True):
    """One of both. `steps` come behind the equal ones, `more` are not shown; `context` has the tokens of each request.

    `commit_step`: the first step that made a commit of git, 0: none was seen; `commit` is its hash, where git said it.
    """

    row: ListRow
    steps: tuple[Step, ...] = ()
    more: int = 0
    total: int = 0
    context: tuple[int, ...] = ()
    only: tuple[OnlyOne, ...] = ()
    last_failed: bool = False  # the last command
    commit_step: int = 0
    commit: str = ""


class Number(Struct, frozen=True, array_like=True):
    """A number of both; None: it is not known, as processes and hosts of an agent's own file are."""

    name: str
    a: float | None
    b: float | None


class Compared(Struct, frozen=True, omit_defaults=True):
    """
    `part`: the number of the first step that differs, 0 where all steps are equal. `same`: the steps before it, `more` of them
    are not shown. `prompt_words` differ in the first prompts, None: a prompt is not known.
    """

    a: SideOf
    b: SideOf
    part: int = 0
    same: tuple[Step, ...] = ()
    more: int = 0
    prompt_words: int | None = None
    numbers: tuple[Number, ...] = ()
    tools: tuple[Number, ...] = ()


class Part(Struct, frozen=True):
    """The data of one session."""

    row: ListRow
    calls: Sequence[PricedCall]  # of its main agent
    tools: Sequence[ToolRow]
    facts: RunFacts
    folder: str
    findings: Sequence[Finding]
    context: Sequence[int]
    prompt: str = ""
    model_ms: int = 0
    tools_ms: int = 0


def side_by_side(a: Part, b: Part, /) -> Compared:
    """The same numbers as `report diff`, and where the sessions part."""
    mine, other = (steps_of(part.tools, part.folder) for part in (a, b))
    same = _equal(mine, other)
    all_equal = same == len(mine) == len(other)
    return Compared(
        _side(a, mine[same:], b),
        _side(b, other[same:], a),
        part=0 if all_equal else 1 + sum(step.times for step in mine[:same]),
        same=tuple(mine[max(0, same - _SAME_MOST) : same]),
        more=max(0, same - _SAME_MOST),
        prompt_words=_differing(a.prompt, b.prompt),
        numbers=tuple(_numbers(a, b)),
        tools=tuple(_tools(a.tools, b.tools)),
    )


def first_commit(tools: Iterable[ToolRow], /) -> tuple[int, str]:
    """The number of the first step that made a commit, 0 where none was seen, and its hash where git said it."""
    for n, tool in enumerate(tools, 1):
        if is_command(tool) and not has_failed(tool) and _COMMITS.search(asked_for(tool.input)):
            made = _COMMITTED.search(tool.output)
            return n, made[1] if made else ""
    return 0, ""


def steps_of(tools: Iterable[ToolRow], folder: str, /) -> list[Step]:
    """Each tool call; equal ones behind each other are folded."""
    found: list[Step] = []
    for n, tool in enumerate(tools, 1):
        made = Step(n, kind_of_tool(tool), target_of(tool, folder), outcome_said(tool), bad=has_failed(tool))
        last = found[-1] if found else None
        if last is not None and (last.name, last.bad) == (made.name, made.bad):
            found[-1] = Step(last.n, last.kind, last.target, last.said, bad=last.bad, times=last.times + 1)
        else:
            found.append(made)
    return found


def kind_of_tool(tool: ToolRow, /) -> str:
    name = tool.tool_name.lower()
    if name.startswith("mcp__"):
        return "MCP"
    if is_edit(tool):
        return "write"
    for kind, names in (("read", _READS), ("search", _SEARCHES), ("sub-agent", _SUB_AGENTS)):
        if name in names:
            return kind
    return "run" if is_command(tool) else cut(tool.tool_name, 24)


def target_of(tool: ToolRow, folder: str, /) -> str:
    """A path from the folder of the session on, so that two work trees have equal paths; else the words of its input."""
    asked = asked_for(tool.input)
    patched = _PATCHED.search(asked)
    text = (patched[1] if patched else asked).strip()
    below = text.removeprefix(f"{folder}/") if folder else text
    return cut(" ".join(below.split()), _TARGET)


def _equal(mine: Sequence[Step], other: Sequence[Step]) -> int:
    count = 0
    for one, two in zip(mine, other, strict=False):
        if (one.name, one.times) != (two.name, two.times):
            break
        count += 1
    return count


def _side(part: Part, steps: Sequence[Step], other: Part) -> SideOf:
    titles = {finding_words(each).title for each in other.findings}
    only = [(words, each) for each in part.findings if (words := finding_words(each)).title not in titles]
    commands = [tool for tool in part.tools if is_command(tool)]
    commit_step, commit = first_commit(part.tools)
    return SideOf(
        part.row,
        tuple(steps[:_STEPS_MOST]),
        more=max(0, len(steps) - _STEPS_MOST),
        total=len(part.tools),
        context=tuple(_thinned(part.context)),
        only=tuple(OnlyOne(words.title, cut(words.text, 160), each.cost_usd) for words, each in only[:_FINDINGS_MOST]),
        last_failed=bool(commands) and has_failed(commands[-1]),
        commit_step=commit_step,
        commit=commit,
    )


def _thinned(points: Sequence[int]) -> Iterable[int]:
    """As many as are drawn, the last among them."""
    if len(points) <= _POINTS_MOST:
        return points
    edges = [round(at * len(points) / _POINTS_MOST) for at in range(_POINTS_MOST + 1)]
    return (max(points[begin:end]) for begin, end in pairwise(edges))


def _differing(a: str, b: str) -> int | None:
    """Words that only one of the prompts has."""
    if not a or not b:
        return None
    mine, other = Counter(a.split()), Counter(b.split())
    return 0 if a.split() == b.split() else max(1, (mine - other).total(), (other - mine).total())


def _numbers(a: Part, b: Part) -> Iterable[Number]:
    def both(name: str, one: float | None, two: float | None) -> Number:
        return Number(name, one, two)

    def fact(name: str, title: str) -> Number:
        return both(title, a.facts.numbers.get(name), b.facts.numbers.get(name))

    def seen(title: str, one: float | None, two: float | None) -> Number:
        return both(title, one if a.row.recorded else None, two if b.row.recorded else None)

    yield both("Turns", len(a.calls), len(b.calls))
    yield fact("calls", "Model calls")
    yield fact("input tokens", "Tokens in")
    yield fact("cached tokens", "from cache")
    yield fact("output tokens", "Tokens out")
    yield fact("cost", "Cost")
    yield fact("duration ms", "Time")
    yield both("in the model", a.model_ms, b.model_ms)
    yield both("in tools", a.tools_ms, b.tools_ms)
    yield fact("tools", "Tool calls")
    yield fact("failed tools", "failed")
    yield both("Files changed", _changed(a.tools), _changed(b.tools))
    yield seen("Processes", a.facts.numbers.get("programs"), b.facts.numbers.get("programs"))
    yield seen("Hosts", len(a.facts.hosts), len(b.facts.hosts))


def _changed(tools: Iterable[ToolRow]) -> int:
    """How many files its tools changed, as the list of sessions counts them."""
    return len({path for tool in tools if (path := changed_by(tool))})


def _tools(a: Iterable[ToolRow], b: Iterable[ToolRow]) -> Iterable[Number]:
    """By the names that the agents use, the most used first."""
    mine, other = Counter(tool.tool_name for tool in a), Counter(tool.tool_name for tool in b)
    for name, _ in (mine + other).most_common(_TOOLS_MOST):
        yield Number(cut(name, 40), mine[name], other[name])
