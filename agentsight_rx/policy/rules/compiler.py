"""Rules and the fields they name -> Python functions: each rule is compiled once, as one expression."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from msgspec import Struct

from .patterns import BadPattern
from .syntax import All, Condition, Not, Nothing, Rule, Some, fail, parse_rule, spell

Found: TypeAlias = Mapping[type[Any], str]  # type of an event -> Python expression over `event`


class Code:
    """Python source that uses only names of its own: no word of a rule is ever in it."""

    def __init__(self, **helpers: object) -> None:
        self.space: dict[str, Any] = {**helpers}

    def name(self, value: object) -> str:
        """The name of `value` in the source."""
        name = f"_{len(self.space)}"
        self.space[name] = value
        return name

    def functions(self, source: str) -> dict[str, Any]:
        """The functions that `source` defines."""
        space = dict(self.space)
        exec(compile(source, "<filter>", "exec"), space)
        return space

    def holds(self, test: str, event: object) -> bool:
        """Is this expression true for `event`? Slow: only to explain why a rule matched."""
        return bool(eval(test, {**self.space, "event": event}))


class Asked(Struct, frozen=True):
    """One condition, as a field gets it."""

    op: str
    value: str
    code: Code


Field: TypeAlias = Callable[[Asked], Found]  # raises ValueError that says what is allowed


class Leaf(Struct, frozen=True):
    """A condition as code: its test for each type of event. `exchange`: it is about a request together with its answer."""

    tests: Found
    text: str
    exchange: bool = False


class _Not(Struct, frozen=True):
    part: Resolved


class _Joined(Struct, frozen=True):
    word: str  # and, or
    parts: tuple[Resolved, ...]


Resolved: TypeAlias = Leaf | _Not | _Joined
Lookup: TypeAlias = Callable[[str], tuple[Field, bool] | None]  # name -> its field, and whether it is about an exchange

_NEVER = Leaf({}, "()")
_OTHER = {"and": "or", "or": "and"}


class Language(Struct, frozen=True):
    """
    The fields of a language. `bare`: the field in which text without an operator is searched for, if any. `literal`: how a name
    is written that is meant as it stands, though it is like that of a field.
    """

    code: Code
    lookup: Lookup
    known: Sequence[str]
    bare: Field | None = None
    literal: Callable[[str], str | None] = lambda name: None


def resolve(text: str, language: Language) -> list[Resolved]:
    """The alternatives of a rule: one that matches is enough. Raises UsageError with the place marked."""
    rule = parse_rule(text)
    return [_resolved(part, text, language) for part in _alternatives(rule)]


def _alternatives(rule: Rule) -> Iterable[Rule]:
    if isinstance(rule, Some):
        for part in rule.parts:
            yield from _alternatives(part)
    else:
        yield rule


def _resolved(rule: Rule, text: str, language: Language) -> Resolved:
    match rule:
        case Nothing():
            return _NEVER
        case Not(part):
            return _Not(_resolved(part, text, language))
        case All(parts):
            return _Joined("and", tuple(_resolved(part, text, language) for part in parts))
        case Some(parts):
            return _Joined("or", tuple(_resolved(part, text, language) for part in parts))
        case Condition():
            return _leaf(rule, text, language)


def _leaf(condition: Condition, text: str, language: Language) -> Leaf:
    bare = not condition.op
    if bare and language.bare:
        return Leaf(language.bare(Asked("=", condition.value, language.code)), spell(condition))
    known = language.lookup(condition.field)
    if known is None:
        fail(text, f"unknown field {condition.field!r}; {_hint(condition.field, language)}", condition.at)
    if bare:
        return _NEVER
    field, exchange = known
    try:
        return Leaf(field(Asked(condition.op, condition.value, language.code)), spell(condition), exchange)
    except BadPattern as error:
        fail(text, str(error), condition.value_at + error.at)
    except ValueError as error:
        fail(text, str(error), condition.op_at)


def _hint(name: str, language: Language) -> str:
    near = [each for each in language.known if each.endswith(f".{name}")] or difflib.get_close_matches(name, language.known, 1)
    if not near:
        return f"known: {', '.join(sorted(language.known))}"
    literal = language.literal(name)
    return f"did you mean {near[0]}?" + (f" A header or parameter of this name is {literal}" if literal else "")


def expression(rule: Resolved, leaf: Callable[[Leaf, bool], str], *, negated: bool = False) -> str:
    """
    `rule` as a Python expression. `leaf(condition, negated)` returns the code of a condition; "True" or "False" if it is known.
    """
    if isinstance(rule, Leaf):
        return leaf(rule, negated)
    if isinstance(rule, _Not):
        return expression(rule.part, leaf, negated=not negated)
    word = _OTHER[rule.word] if negated else rule.word
    return joined(word, [expression(part, leaf, negated=negated) for part in rule.parts])


def joined(word: str, parts: Iterable[str]) -> str:
    """Expressions joined by `and` or `or`, simplified."""
    neutral, final = ("True", "False") if word == "and" else ("False", "True")
    left = [part for part in parts if part != neutral]
    if final in left:
        return final
    if len(left) < 2:
        return left[0] if left else neutral
    return f"({f' {word} '.join(left)})"


def negation(test: str) -> str:
    return {"True": "False", "False": "True"}.get(test, f"not {test}")


def hoisted(test: str, paths: Iterable[str]) -> tuple[list[str], str]:
    """Lines that store in locals the members of `paths` that `test` reads more than once, and `test` with these locals."""
    lines: list[str] = []
    for path in paths:
        if len(re.findall(rf"\b{re.escape(path)}\b", test)) > 1:
            local = path.replace(".", "_")
            lines.append(f"{local} = {path}")
            test = re.sub(rf"\b{re.escape(path)}\b", local, test)
    return lines, test


def witness(rule: Resolved, holds: Callable[[Leaf], bool]) -> str | None:
    """The conditions that make `rule` true, as text; None if it is false."""
    if isinstance(rule, Leaf):
        return rule.text if holds(rule) else None
    if isinstance(rule, _Not):
        return None if witness(rule.part, holds) else f"!{shown(rule.part)}"
    found = [witness(part, holds) for part in rule.parts]
    if rule.word == "or":
        return next((text for text in found if text), None)
    return " & ".join(text for text in found if text) if all(found) else None


def shown(rule: Resolved) -> str:
    """`rule` as text, with every value in quotes."""
    if isinstance(rule, Leaf):
        return rule.text
    if isinstance(rule, _Not):
        return f"!{shown(rule.part)}"
    return f"({(' & ' if rule.word == 'and' else ' | ').join(map(shown, rule.parts))})"


def leaves(rule: Resolved) -> Iterator[Leaf]:
    """Its conditions."""
    if isinstance(rule, Leaf):
        yield rule
    else:
        for part in (rule.part,) if isinstance(rule, _Not) else rule.parts:
            yield from leaves(part)


def of_exchange(rule: Resolved) -> bool:
    """Is any of its conditions about an exchange?"""
    return any(leaf.exchange for leaf in leaves(rule))
