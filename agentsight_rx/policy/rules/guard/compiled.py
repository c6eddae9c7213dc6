"""Rules -> a function that says which of them a deed breaks: all rules of a kind of deed are one Python function."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from ....core.errors import UsageError
from ..compiler import Code, Language, Leaf, Resolved, expression, joined, leaves, negation, resolve, witness
from ..syntax import All, Condition, spell
from .deeds import DEEDS, Deed
from .fields import CHAIN_FIELDS, guard_fields
from .values import Allow, Rule, Rules

D = TypeVar("D")

_FUNCTION = """
def judged(event):
    found = []
{lines}
    return found
"""
# What a deed is not asked for where it is asked whether a rule may match it at all: its chain, and what is known only later
_LATER = ("event.chain.", "event.sent", "event.new", "event.named", "event.target")
_JUDGES_MOST = 4  # that are kept: each takes 6 ms to make
_COSTS = ("session.cost", "day.cost", "subagent.cost")
# What an entry of `allow` compares, by deed: each has its own name for the same thing
_ALLOWED: dict[str, tuple[str, ...]] = {
    "path": ("file.path", "left.file"),
    "host": ("net.host", "left.host"),
    "agent": ("agent",),
    "workspace": ("workspace",),
    "program": ("process.program",),
    "command": ("process.argv",),
    "tool": ("tool.name",),
}


def judge_of(rules: Rules, homes: tuple[str, ...] = (), /) -> Judge:
    """The Judge of these rules and homes, which has no state: made once for all who judge by them."""
    return _judge_of(rules.text, homes)


@lru_cache(_JUDGES_MOST)
def _judge_of(text: str, homes: tuple[str, ...]) -> Judge:
    return Judge(msgspec.json.decode(text, type=Rules), homes)


class Judge:
    """
    The rules, compiled once. `homes` are what `~` stands for beside the usual ones. Raises UsageError where a rule is wrong,
    with its place in its own text.
    """

    def __init__(self, rules: Rules, homes: tuple[str, ...] = ()) -> None:
        fields = guard_fields(rules.lists, homes)
        self._language = Language(Code(), lambda name: None if name not in fields else (fields[name], False), tuple(fields))
        self._rules = [(rule, self._resolved(rule.when, rule), self._allowed(rule)) for rule in rules.rules]
        self.reads_cost = any(name in rule.when for rule in rules.rules for name in _COSTS)
        self._possible = {kind: self._whoever(kind) for kind in DEEDS.values()}
        self._judged = {kind: made for kind in DEEDS.values() if (made := self._function(kind)) is not None}

    def judges(self, kind: type[Any], /) -> bool:
        """May any rule match a deed of this kind?"""
        return kind in self._judged

    def possible(self, kind: type[D], /) -> Callable[[D], bool]:
        """May a rule match a deed of this kind, whoever did it and however much was sent? That needs no chain."""
        return self._possible[kind]

    def kinds_of(self, rule: Rule, /) -> frozenset[type[Any]]:
        """What the rule is about."""
        return frozenset(kind for each, when, _ in self._rules if each.name == rule.name for kind in _kinds(when))

    def broken(self, deed: Deed, /) -> list[Rule]:
        """The rules that match and do not allow it."""
        judged = self._judged.get(type(deed))
        return judged(deed) if judged is not None else []

    def allowed(self, deed: Deed, /) -> list[Rule]:
        """The rules that would match, and allow it."""
        broken = {rule.name for rule in self.broken(deed)}
        return [
            rule
            for rule, when, _ in self._rules
            if type(deed) in _kinds(when) and rule.name not in broken and self._holds(when, deed)
        ]

    def _holds(self, parts: list[Resolved], deed: Deed) -> bool:
        def holds(leaf: Leaf) -> bool:
            test = leaf.tests.get(type(deed))
            return test is not None and self._language.code.holds(test, deed)

        return any(witness(part, holds) for part in parts)

    def _resolved(self, text: str, rule: Rule) -> list[Resolved]:
        try:
            found = resolve(text, self._language)
        except UsageError as error:
            raise UsageError(f"{rule.place}: {error}") from None
        if not _kinds(found):
            raise UsageError(
                f"{rule.place}: the rule does not say what it is about; "
                f"add one of {', '.join(f'event={word}' for word in DEEDS)}, or a condition on file., net., process., …"
            )
        return found

    def _allowed(self, rule: Rule) -> list[Resolved]:
        return [part for entry in rule.allow for text in _texts(entry) for part in self._resolved_entry(text, rule)]

    def _resolved_entry(self, text: str, rule: Rule) -> list[Resolved]:
        try:
            return resolve(text, self._language)
        except UsageError as error:
            raise UsageError(f"{rule.place}, allow: {error}") from None

    def _whoever(self, kind: type[Any]) -> Callable[[Any], bool]:
        tests = [_test(when, kind, whoever=True) for rule, when, _ in self._rules if rule.do != "off" and kind in _kinds(when)]
        source = f"def possible(event):\n    return bool({joined('or', tests)})\n"
        made: Callable[[Any], bool] = self._language.code.functions(source)["possible"]
        return made

    def _function(self, kind: type[Any]) -> Callable[[Deed], list[Rule]] | None:
        code, lines = self._language.code, list[str]()
        for rule, when, allowed in self._rules:
            test = _test(when, kind) if rule.do != "off" and kind in _kinds(when) else "False"
            if test == "False":
                continue
            lets = _test(allowed, kind)
            test = joined("and", [test, negation(f"({lets})" if lets not in ("True", "False") else lets)])
            if test != "False":
                lines.append(f"    if {test}: found.append({code.name(rule)})")
        if not lines:
            return None
        made: Callable[[Deed], list[Rule]] = code.functions(_FUNCTION.format(lines="\n".join(lines)))["judged"]
        return made


def _test(parts: list[Resolved], kind: type[Any], *, whoever: bool = False) -> str:
    """`whoever`: a condition on later knowledge may hold, and may not."""

    def leaf(condition: Leaf, negated: bool) -> str:
        test = condition.tests.get(kind, "False")
        if whoever and any(name in test for name in _LATER):
            return "True"
        return negation(test) if negated else test

    return joined("or", [expression(part, leaf) for part in parts])


def _kinds(parts: list[Resolved]) -> set[type[Any]]:
    """The kinds of deeds that a rule is about: by the conditions that not every deed has."""
    return set[type[Any]]().union(*map(_kinds_of, parts))


def _kinds_of(part: Resolved) -> set[type[Any]]:
    found = list(leaves(part))
    own = [set(leaf.tests) for leaf in found if leaf.tests and len(leaf.tests) < len(DEEDS)]
    if own:
        return set[type[Any]]().union(*own)
    homes = [CHAIN_FIELDS.get(leaf.text.partition(" ")[0]) for leaf in found]
    return {kind for kind in homes if kind is not None}


def _texts(entry: Allow) -> Iterator[str]:
    """An entry as rules: all of its members have to fit, each under the name that the deed has for it."""
    given = [(fields, value) for name, fields in _ALLOWED.items() if (value := getattr(entry, name))]
    for place in (0, -1):
        parts = [Condition(fields[place], "~=", value) for fields, value in given]
        yield spell(All(tuple(parts)) if len(parts) > 1 else parts[0])


def allow_text(entry: Allow, /) -> str:
    """An entry as it stands in a file: `{ host = "packages.example" }`."""
    members = ", ".join(f'{name} = "{getattr(entry, name)}"' for name in _ALLOWED if getattr(entry, name))
    return f"{{ {members} }}"
