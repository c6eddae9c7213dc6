"""Alerts, seen ones, the rules of now -> which alerts wait for a person, and which entry would allow one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Literal, TypeAlias

from msgspec import Struct

from ...policy.rules.guard.compiled import allow_text
from ...policy.rules.guard.file import built_in_rules
from ...policy.rules.guard.values import Allow, Rules, fits_one, shortened
from ...store.rows.kinds import AlertRow, reports_at
from ...store.words import CUT

State: TypeAlias = Literal["stopped", "new", "seen", "allowed", "note", "part"]

_ABOUT_WHAT_LEFT = frozenset({"secret-left", "secret-in-prompt"})
_OF_COMMANDS = frozenset({"dangerous-command"})
_WAITING = frozenset({"stopped", "new"})
_PATTERNS = 4096  # that are kept compiled
_SPECIAL = frozenset('*?["\\')


class Seen(Struct, frozen=True):
    """A person has seen an alert when it had so many deeds; 0: it is to wait again."""

    alert: str
    count: int
    at_ms: int


def _no_process(_: AlertRow, /) -> bool:
    return False


class Decisions(Struct, frozen=True):
    """
    What a recording itself does not say: the alerts that a person has seen, by id, the rules of now, where they stand, and
    whether the agent of an alert is halted, or running, now. `refusal` says why "seen" cannot be kept, `wrong` why the rules of
    the user are not known.
    """

    seen: Mapping[str, Seen] = {}
    rules: Rules | None = None
    place: str = ""
    halted: Callable[[AlertRow], bool] = _no_process
    running: Callable[[AlertRow], bool] = _no_process
    refusal: str = "nothing is kept here"
    wrong: str = ""
    allowed: dict[str, str] = {}  # by alert, what `allowed_by` found in these rules: there may be 2,000 entries


def state_of(row: AlertRow, decisions: Decisions, /) -> State:
    """
    Whether an alert waits for a person. Only to continue or to end an agent decides about a halted one. A seen alert waits
    again once it is reported again.
    """
    if row.part_of is not None:
        return "part"
    if row.do == "note":
        return "note"
    if row.do == "stop" and decisions.halted(row):
        return "stopped"
    if _allowed(row, decisions):
        return "allowed"
    seen = decisions.seen.get(row.id)
    return "seen" if seen is not None and reports_at(seen.count) >= row.reports else "new"


def _allowed(row: AlertRow, decisions: Decisions) -> str:
    known = decisions.allowed.get(row.id)
    if known is None:
        known = decisions.allowed[row.id] = allowed_by(row, decisions.rules)
    return known


def is_waiting(state: State, /) -> bool:
    return state in _WAITING


def allowed_by(row: AlertRow, rules: Rules | None, /) -> str:
    """What lets it pass in the rules of now, beside the built-in entries: an entry, or `do = "note"`; empty: nothing does."""
    rule = rules.named(row.rule) if rules is not None else None
    if rule is None:
        return ""
    if rule.do in ("off", "note"):
        return f'do = "{rule.do}"'
    own = built_in_rules().named(row.rule)
    known = own.allow if own is not None else ()
    entry = next((each for each in rule.allow if each not in known and fits(each, row)), None)
    return allow_text(entry) if entry is not None else ""


def fits(entry: Allow, row: AlertRow, /) -> bool:
    """
    Would the entry allow what the alert is about? Its row has texts of at most 200 characters, so an entry about a longer
    command does not fit.
    """
    of_row = {
        "path": row.target if row.target.startswith("/") else "",
        "host": row.host or "",
        "agent": row.agent or "",
        "workspace": row.workspace or "",
        "program": row.command.split(" ")[0].rpartition("/")[2].lstrip("-"),
        "command": "" if row.command.endswith(CUT) else row.command,
        "tool": row.tool.partition(" ")[0],
    }
    given = [(value, getattr(entry, name)) for name, value in of_row.items() if getattr(entry, name)]
    return bool(given) and all(value and _pattern(pattern)(value) for value, pattern in given)


@lru_cache(_PATTERNS)
def _pattern(text: str) -> Callable[[str], bool]:
    return fits_one((text,))


def allowing(row: AlertRow, /) -> Allow | None:
    """The entry that would allow what an alert is about; None for what left, and for what has no entry."""
    if row.rule in _ABOUT_WHAT_LEFT:
        return None
    if row.rule in _OF_COMMANDS:
        return _command_entry(row)
    return host_entry(row) or folder_entry(row)


def host_entry(row: AlertRow, /) -> Allow | None:
    return Allow(host=row.host) if row.host else None


def folder_entry(row: AlertRow, /) -> Allow | None:
    """The file, or all in the folder; None for a folder above the workspace, since that would allow what the rule is about."""
    above = row.target.endswith("/") and f"{row.workspace}/".startswith(row.target)
    if above or not row.target.startswith("/") or _SPECIAL & set(row.target):
        return None
    path = shortened(row.target)
    return Allow(path=f"{path}*" if path.endswith("/") else path)


def _command_entry(row: AlertRow) -> Allow | None:
    """The command word by word, where the row has all of it."""
    command = row.command
    is_exact = command and not command.endswith(CUT) and "~" not in command and not _SPECIAL & set(command)
    return Allow(command=command) if is_exact else None


def removed_by(entry: Allow, rule: str, rows: Iterable[AlertRow], /) -> int:
    """How many alerts of a rule an entry removes."""
    return sum(row.rule == rule and row.part_of is None and fits(entry, row) for row in rows)
