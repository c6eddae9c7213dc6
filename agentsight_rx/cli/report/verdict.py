"""Summary -> the sentences that say what it did, and what is worth a look."""

from __future__ import annotations

from collections.abc import Iterator

from ...view.queries.findings import Finding
from ...view.queries.summary import Summary
from .tool_words import asked_for
from .words import amount, count, money, plural

__all__ = ["finding_said", "verdict"]

_TIMES = {2: "twice", 3: "three times", 4: "four times", 5: "five times", 6: "six times"}
_TURNS = 6


def verdict(found: Summary, /) -> str:
    """`Edited 3 files, ran 14 commands, 5 failed. pytest tests/… failed three times in a row.`"""
    parts = list(_did(found))
    first = ", ".join(parts)
    sentence = f"{first[0].upper()}{first[1:]}." if first else "Nothing but talk: no tool, no file was changed."
    run = found.failed_in_a_row
    if run is not None:
        what = asked_for(run.tool.input) or run.tool.tool_name
        short = what if len(what) <= 60 else what[:59].rstrip() + "…"
        sentence += f" {short} failed {_TIMES.get(run.times, f'{run.times} times')} in a row."
    if found.failed_calls:
        sentence += f" {plural(found.failed_calls, 'call')} of the model failed."
    return sentence


def _did(found: Summary) -> Iterator[str]:
    edited = found.files.edited or found.edits
    if edited:
        yield f"edited {plural(edited, 'file')}" if found.files.edited else f"asked for {plural(edited, 'edit')}"
    if found.files.removed:
        yield f"removed {plural(len(found.files.removed), 'file')}"
    if found.commands:
        yield f"ran {plural(found.commands, 'command')}"
    others = found.tools - found.commands - found.edits
    if others > 0:
        yield f"used {plural(others, 'other tool' if found.commands or found.edits else 'tool')}"
    if found.failed_tools:
        yield f"{count(found.failed_tools)} failed"
    if not found.calls and found.totals.programs:
        yield f"{plural(found.totals.programs, 'program')} ran in {plural(found.totals.processes, 'process', 'processes')}"


def finding_said(finding: Finding, /) -> str:
    """One finding with its turns and its cost."""
    where = _where(finding)
    match finding.kind:
        case "loop":
            name, _, given = finding.what.partition(" ")
            what = asked_for(given)
            times = _TIMES.get(finding.amount, f"{finding.amount} times")
            return f"same call, same result, {times}{where}: {name} {what}"
        case "repeated":
            return f"{plural(finding.amount, 'request')} sent again unchanged{where}"
        case "retried":
            return f"{plural(finding.amount, 'retry', 'retries')} behind a failure{where}"
        case "failed":
            return f"{plural(finding.amount, 'call')} failed by {finding.what}{where}"
        case "limit":
            return f"{plural(finding.amount, 'answer')} ended at the limit of tokens{where}"
        case "uncached":
            return f"{amount(finding.amount)} tokens no longer cached{where}"
        case "growth":
            return f"context grows {amount(finding.amount)} a turn"


def _where(finding: Finding) -> str:
    turns = [str(turn) for turn in finding.turns if turn]
    named = ", ".join(turns[:_TURNS]) + (", …" if len(turns) > _TURNS else "")
    cost = f": {money(finding.cost_usd)}" if finding.cost_usd else ""
    return f" (turn{'s' if len(turns) > 1 else ''} {named}{cost})" if turns else ""
