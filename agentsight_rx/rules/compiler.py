"""Rules and the fields they name -> Python functions: each rule is compiled once, as one expression."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from msgspec import Struct

from .patterns import BadPattern, compile_glob, compile_regex
from .syntax import All, Condition, Not, Nothing, Rule, Some, fail, parse_rule, spell

__all__ = [
    "Asked",
    "Code",
    "Field",
    "Found",
    "Language",
    "Leaf",
    "Resolved",
    "each",
    "expression",
    "hoisted",
    "joined",
    "negation",
    "number",
    "of_exchange",
    "pattern_test",
    "resolve",
    "shown",
    "text",
    "truth",
    "witness",
]

Found: TypeAlias = Mapping[type[Any], str]  # type of an event -> Python expression over `event`


class Code:
    """Python source over names of its own: no word of a rule ever stands in it."""

    def __init__(self, **helpers: object) -> None:
        self.space: dict[str, Any] = {**helpers}

    def name(self, value: object) -> str:
        """The name by which the source may use `value`."""
        name = f"_{len(self.space)}"
        self.space[name] = value
        return name

    def functions(self, source: str) -> dict[str, Any]:
        """What `source` defines."""
        space = dict(self.space)
        exec(compile(source, "<filter>", "exec"), space)
        return space

    def holds(self, test: str, event: object) -> bool:
        """Whether one expression is true; slow, to say why a rule matched."""
        return bool(eval(test, {**self.space, "event": event}))


class Asked(Struct, frozen=True):
    """One condition, as a field has to answer it."""

    op: str
    value: str
    code: Code


Field: TypeAlias = Callable[[Asked], Found]  # raises ValueError with what would be right


class Leaf(Struct, frozen=True):
    """A condition in code: what holds for events of which type. `exchange`: it is about a request and its answer together."""

    tests: Found
    text: str
    exchange: bool = False


class _Not(Struct, frozen=True):
    part: Resolved


class _Joined(Struct, frozen=True):
    word: str  # and, or
    parts: tuple[Resolved, ...]


Resolved: TypeAlias = Leaf | _Not | _Joined
Lookup: TypeAlias = Callable[[str], tuple[Field, bool] | None]  # name -> its field, and whether it is of an exchange

_NEVER = Leaf({}, "()")
_OTHER = {"and": "or", "or": "and"}


class Language(Struct, frozen=True):
    """What the words of a language mean. `bare` is the field that text without an operator is looked for in, if any."""

    code: Code
    lookup: Lookup
    known: Sequence[str]
    bare: Field | None = None


def resolve(text: str, language: Language) -> list[Resolved]:
    """The alternatives of a rule, any of which is enough. Raises UsageError with the place marked."""
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
        near = difflib.get_close_matches(condition.field, language.known, 1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(language.known))}"
        fail(text, f"unknown field {condition.field!r}; {hint}", condition.at)
    if bare:
        return _NEVER
    field, exchange = known
    try:
        return Leaf(field(Asked(condition.op, condition.value, language.code)), spell(condition), exchange)
    except BadPattern as error:
        fail(text, str(error), condition.value_at + error.at)
    except ValueError as error:
        fail(text, str(error), condition.op_at)


def expression(rule: Resolved, leaf: Callable[[Leaf, bool], str], *, negated: bool = False) -> str:
    """
    `rule` as a Python expression. `leaf(condition, negated)` gives that of a condition, "True" or "False" where it is known.
    """
    if isinstance(rule, Leaf):
        return leaf(rule, negated)
    if isinstance(rule, _Not):
        return expression(rule.part, leaf, negated=not negated)
    word = _OTHER[rule.word] if negated else rule.word
    return joined(word, [expression(part, leaf, negated=negated) for part in rule.parts])


def joined(word: str, parts: Iterable[str]) -> str:
    """Expressions joined by `and` or `or`, without those that change nothing."""
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
    """Lines that keep in locals those of `paths` that `test` looks up more than once, and `test` over these locals."""
    lines: list[str] = []
    for path in paths:
        if len(re.findall(rf"\b{re.escape(path)}\b", test)) > 1:
            local = path.replace(".", "_")
            lines.append(f"{local} = {path}")
            test = re.sub(rf"\b{re.escape(path)}\b", local, test)
    return lines, test


def witness(rule: Resolved, holds: Callable[[Leaf], bool]) -> str | None:
    """The conditions that make `rule` true, as text; None where it is false."""
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


def of_exchange(rule: Resolved) -> bool:
    """Whether any of its conditions is about an exchange."""
    if isinstance(rule, Leaf):
        return rule.exchange
    if isinstance(rule, _Not):
        return of_exchange(rule.part)
    return any(map(of_exchange, rule.parts))


# -- kinds of fields ---------------------------------------------------------------------------------------------------


def each(found: Found, test: Callable[[str], str]) -> Found:
    return {kind: f"({test(value)})" for kind, value in found.items()}


def number(found: Found) -> Field:
    """A field that is a number. What is not one never matches."""

    def field(asked: Asked) -> Found:
        if asked.op not in ("=", "!=", ">", "<", ">=", "<="):
            raise ValueError(f"a number is compared by = != > < >= or <=, not by {asked.op}")
        try:
            wanted = int(asked.value) if asked.value.isdecimal() else float(asked.value)
        except ValueError:
            return {}
        name = asked.code.name(wanted)
        return each(found, lambda value: f"{value} {'==' if asked.op == '=' else asked.op} {name}")

    return field


def truth(found: Found) -> Field:
    """A field that is true or false: True, False, or an expression in parentheses."""

    def field(asked: Asked) -> Found:
        if asked.value not in ("true", "false") or asked.op not in ("=", "!="):
            raise ValueError("write =true, =false, !=true or !=false")
        wanted = (asked.value == "true") == (asked.op == "=")
        return {kind: value if wanted else negation(value) for kind, value in found.items()}

    return field


def text(found: Found, *, raw: bool = False) -> Field:
    """A field that is text, or bytes if `raw`, every character of which counts."""

    def field(asked: Asked) -> Found:
        pattern = pattern_test(asked, raw=raw)
        if pattern:
            return each(found, pattern)
        if asked.op not in ("=", "!=", "~"):
            raise ValueError(f"text is compared by = != or ~, not by {asked.op}")
        name = asked.code.name(asked.value.encode("utf-8", "surrogateescape") if raw else asked.value)
        words = {"=": "{1} == {0}", "!=": "{1} != {0}", "~": "{0} in {1}"}[asked.op]
        return each(found, lambda value: words.format(name, value))

    return field


def pattern_test(asked: Asked, *, raw: bool = False) -> Callable[[str], str] | None:
    """The test for a value by regular expression or glob, where one is asked for. Raises BadPattern."""
    if asked.op == "=~":
        window = compile_regex(asked.value, raw=raw)
        search = asked.code.name(window.pattern.search)
        return lambda value: f"{search}({value}, 0, {window.size}) is not None"
    if asked.op == "~=":
        return _glob_test(asked, raw=raw)
    return None


def _glob_test(asked: Asked, *, raw: bool) -> Callable[[str], str]:
    begin, *middle, end = asked.value.split("*") if "*" in asked.value else (asked.value, "")
    plain = not set(asked.value) & set("?[") and not any(middle[1:])

    def name(part: str) -> str:
        return asked.code.name(part.encode("utf-8", "surrogateescape") if raw else part)

    if plain and "*" not in asked.value:
        whole = name(asked.value)
        return lambda value: f"{value} == {whole}"
    if plain and not (begin or end) and len(middle) == 1:
        part = name(middle[0])
        return lambda value: f"{part} in {value}"
    if plain and not any(middle) and not (begin and end):
        part = name(begin or end)
        word = "startswith" if begin else "endswith"
        return lambda value: f"{value}.{word}({part})"
    match = asked.code.name(compile_glob(asked.value, raw=raw).match)
    return lambda value: f"{match}({value}) is not None"
