"""Runs -> the table of kernels and what works there, with the reasons where something does not; and what fails."""

from __future__ import annotations

from collections.abc import Sequence

from tests.kernels.checks import CHECKS, REFUSED, Check, checks_for
from tests.kernels.results import Outcome, Run

__all__ = ["failures", "in_page", "kinds_missing", "markdown", "marks"]

_FACTS = ("system", "Python", "BCC", "LLVM", "uprobe_multi", "may_goto", "perf_event_paranoid")
_CELLS = {"works": "yes", "refused": "refused", "absent": "–", "fails": "**no**"}


def failures(run: Run) -> list[str]:
    """A sentence for each check of this kernel that is not as it must be; a check that did not run is one."""
    if run.head is None:
        return [f"{run.name}: the guest said nothing: it did not boot, or its set-up is broken"]
    found: list[str] = []
    for check in checks_for(run.head.expected, run.head.chosen):
        outcome = run.outcomes.get(check.name)
        if outcome is None:
            found.append(f"{run.name}: {check.title}: it did not run")
        elif outcome.verdict not in check.good:
            found.append(f"{run.name}: {check.title}: {outcome.said}")
    if run.end is None:
        found.append(f"{run.name}: the guest did not come to its end")
    return found


def kinds_missing(runs: Sequence[Run]) -> list[str]:
    """Kinds of kernels that a whole run must have, since the product goes another way on them."""
    every = [run.head.facts for run in runs if run.head]
    kinds = {
        "no kernel without uprobe_multi was among them": any(facts.get("uprobe_multi") == "no" for facts in every),
        "no kernel with uprobe_multi was among them": any(facts.get("uprobe_multi") == "yes" for facts in every),
        "none of them had perf_event_paranoid 3": any(facts.get("perf_event_paranoid") == "3" for facts in every),
    }
    return [sentence for sentence, there in kinds.items() if not there]


def markdown(runs: Sequence[Run], date: str) -> str:
    """The table, and below it a reason for each cell that has a number."""
    reasons: list[str] = []
    names = [run.head.facts.get("kernel", run.name) if run.head else f"{run.name} (did not boot)" for run in runs]
    rows = [["", *names]]
    rows += [[name, *(run.head.facts.get(name, "?") if run.head else "?" for run in runs)] for name in _FACTS]
    checks: Sequence[Check] = (*CHECKS, *(REFUSED if any(run.head and run.head.expected == "refused" for run in runs) else ()))
    rows += [row for check in checks if any((row := [check.title, *(_cell(check, run, reasons) for run in runs)])[1:])]
    lines = [f"Run on {date}.", "", _line(rows[0]), _line(["---"] * len(rows[0])), *map(_line, rows[1:])]
    if reasons:
        lines += ["", *(f"{number}. {reason}" for number, reason in enumerate(reasons, 1))]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(check: Check, run: Run, reasons: list[str]) -> str:
    if run.head is None or check not in checks_for(run.head.expected, run.head.chosen):
        return ""
    outcome = run.outcomes.get(check.name, Outcome(check.name, "fails", "it did not run", 0))
    word = _CELLS[outcome.verdict] if outcome.verdict in check.good else _CELLS["fails"]
    if outcome.verdict == "works" and outcome.verdict in check.good:
        return word
    reason = _plain(outcome.said)
    if reason not in reasons:
        reasons.append(reason)
    return f"{word} ({reasons.index(reason) + 1})"


def _plain(text: str) -> str:
    """As text in a page: no mark-up."""
    return " ".join(text.replace("<", "&lt;").replace("|", "\\|").replace("*", "\\*").split())


def marks(machine: str) -> tuple[str, str]:
    """The lines of a page between which the table of this machine stands, as Debian calls it."""
    return f"<!-- table of ./test.sh --kernels, {machine}: begin -->", f"<!-- table of ./test.sh --kernels, {machine}: end -->"


def in_page(page: str, table: str, machine: str) -> str:
    """The page with this table between the marks of its machine. ValueError where it has none."""
    first, last = marks(machine)
    before, begin, rest = page.partition(first)
    _, end, after = rest.partition(last)
    if not begin or not end:
        raise ValueError(f"the page has no place for the table: {first} and {last}")
    return f"{before}{first}\n\n{table}\n\n{last}{after}"
