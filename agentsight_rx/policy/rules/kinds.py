"""What kind of value a field has (number, truth, text) -> how it answers a condition, as a Python expression."""

from __future__ import annotations

from collections.abc import Callable

from .compiler import Asked, Field, Found, negation
from .patterns import compile_glob, compile_regex


def each(found: Found, test: Callable[[str], str]) -> Found:
    """`test` of the value, for each type of event."""
    return {kind: f"({test(value)})" for kind, value in found.items()}


def number(found: Found) -> Field:
    """A field that is a number. A value in the rule that is not a number never matches."""

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
    """A field that is true or false. `found` are expressions: True, False, or one in parentheses."""

    def field(asked: Asked) -> Found:
        if asked.value not in ("true", "false") or asked.op not in ("=", "!="):
            raise ValueError("write =true, =false, !=true or !=false")
        wanted = (asked.value == "true") == (asked.op == "=")
        return {kind: value if wanted else negation(value) for kind, value in found.items()}

    return field


def text(found: Found, *, raw: bool = False) -> Field:
    """A field that is text, or bytes if `raw`, compared with case."""

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
    """The test by regular expression or glob, if the condition has one. Raises BadPattern."""
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
