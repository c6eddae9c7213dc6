"""Text of a filter -> its tree, and back; an error points at its place in the text."""

from __future__ import annotations

import re
from typing import NoReturn, TypeAlias

from msgspec import Struct

from ...core.errors import UsageError
from ...core.start import regex


class Condition(Struct, frozen=True):
    """
    `field op value`. If `op` is empty it is bare text, and both `field` and `value` are that text.

    `at`, `op_at` and `value_at` are their places in the text, for errors.
    """

    field: str
    op: str  # = != ~ > < >= <=, =~ with a regular expression, ~= with a glob pattern
    value: str
    at: int = 0
    op_at: int = 0
    value_at: int = 0


class Nothing(Struct, frozen=True):
    """Empty text. It never matches."""


class Not(Struct, frozen=True):
    """The negation of `part`: it follows a `!`."""

    part: Rule


class All(Struct, frozen=True):
    """Two or more parts joined by `&`."""

    parts: tuple[Rule, ...]


class Some(Struct, frozen=True):
    """Two or more parts joined by `|`."""

    parts: tuple[Rule, ...]


Rule: TypeAlias = Condition | Nothing | Not | All | Some

_DEEPEST = 50  # nested parentheses and `!`; the interpreter compiles about 190

_FIELD = regex(r'(?:[^|&)=~<>!\\]|!(?!=)|\\[\\|&()"]|\\)*')  # up to an operator or the end of the condition
_UNQUOTED = regex(r"(?:[^|&)\\]|\\.?)*", re.DOTALL)
_END = r"\s*(?=[|&)]|\Z)"
_QUOTED = regex(rf'"((?:[^"\\]|\\.)*)"{_END}', re.DOTALL)  # not quoted if more text follows the closing quote
_REGEX = regex(rf"=~\s*/((?:[^/\\]|\\.)+)/(i?){_END}", re.DOTALL)
_GLOB = regex(r"~=\s*(?![\s|&)]|\Z)")
_COMPARES = regex(r"[!<>]=|[=<>~]")
_ESCAPE = regex(r'\\(x[0-9A-Fa-f]{2}|[rnt\\"|&()])')
_ESCAPES = {"r": "\r", "n": "\n", "t": "\t"}
_SPELLED = regex(r'[\\"\x00-\x1f\x7f\udc80-\udcff]')


def parse_rule(text: str) -> Rule:
    """
    Read a rule. Raises UsageError with the place marked.

        rule := all ('|' all)*      all := one ('&' one)*
        one  := '!' one | '(' rule ')' | FIELD OP VALUE | bare text | nothing

    A value runs up to the next `|`, `&` or closing parenthesis and is trimmed; the escapes in it are `\\r \\n \\t \\\\ \\"
    \\| \\& \\( \\)`. In quotes it may hold anything, and `\\xHH` is one byte. A regular expression is written between slashes.
    """
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        fail(text, "half of a character", error.start)
    return _Parser(text).rule()


def fail(text: str, what: str, at: int) -> NoReturn:
    """Raise a UsageError that shows `text` and points at character `at`."""
    raise UsageError(f"filter: {what}\n  {text}\n  {' ' * at}^")


def spell(rule: Rule) -> str:
    """Text that reads back as `rule`, with every value in quotes."""
    match rule:
        case Condition(_, "", value):
            return _quoted(value)
        case Condition(field, "=~", value):
            return f"{field} =~ /{value}/"
        case Condition(field, op, value):
            return f"{field} {op} {_quoted(value)}"
        case Nothing():
            return "()"
        case Not(part):
            return f"!{spell(part)}"
        case All(parts):
            return f"({' & '.join(map(spell, parts))})"
        case Some(parts):
            return f"({' | '.join(map(spell, parts))})"


def _quoted(value: str) -> str:
    return f'"{_SPELLED.sub(_spelled, value)}"'


def _spelled(found: re.Match[str]) -> str:
    char = found[0]
    return f"\\{char}" if char in '\\"' else f"\\x{ord(char) & 0xFF:02x}"


def _unescaped(text: str, *, quoted: bool) -> str:
    def meant(found: re.Match[str]) -> str:
        name = found[1]
        if len(name) == 1:
            return _ESCAPES.get(name, name)
        if not quoted:
            return found[0]
        byte = int(name[1:], 16)
        return chr(byte if byte < 0x80 else 0xDC00 + byte)

    made = _ESCAPE.sub(meant, text) if "\\" in text else text
    return made.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")  # bytes that form characters become these


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0

    def rule(self) -> Rule:
        found = self._some()
        if self._at < len(self._text):
            fail(self._text, "a ')' that nothing opened", self._at)
        return found

    def _some(self) -> Rule:
        parts = [self._all()]
        while self._peek() == "|":
            self._at += 1
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else Some(tuple(parts))

    def _all(self) -> Rule:
        parts = [self._one()]
        while self._peek() == "&":
            self._at += 1
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _one(self) -> Rule:
        self._skip_space()
        at = self._at
        negated = self._peek() == "!" and self._text[at + 1 : at + 2] != "="
        if not negated and self._peek() != "(":
            return self._condition()
        self._depth += 1
        if self._depth > _DEEPEST:
            fail(self._text, "too many nested parentheses", at)
        self._at += 1
        made = self._negation(at) if negated else self._group(at)
        self._depth -= 1
        return made

    def _negation(self, at: int) -> Rule:
        self._skip_space()
        opens = self._peek() in ("(", "!")
        part = self._one()
        if part == Nothing() and not opens:
            fail(self._text, "a '!' with nothing after it", at)
        return Not(part)

    def _group(self, opened: int) -> Rule:
        inner = self._some()
        if self._peek() != ")":
            fail(self._text, "a '(' that nothing closes", opened)
        self._at += 1
        self._skip_space()
        if self._peek() not in ("", "|", "&", ")"):
            fail(self._text, "text after a ')'; write '&' or '|' between two conditions", self._at)
        return inner

    def _condition(self) -> Rule:
        text, start = self._text, self._at
        quoted = _QUOTED.match(text, start)
        if quoted:
            self._at = quoted.end()
            value = _unescaped(quoted[1], quoted=True)
            return Condition(value, "", value=value, at=start, op_at=start, value_at=start + 1)
        place = _end(_FIELD.match(text, start))
        name = text[start:place].strip()
        operator = self._operator(place)
        if operator is None:
            self._at = place
            value = _unescaped(name, quoted=False)
            return Condition(value, "", value=value, at=start, op_at=start, value_at=start) if name else Nothing()
        if isinstance(operator, Condition):
            return Condition(name, operator.op, value=operator.value, at=start, op_at=place, value_at=operator.value_at)
        value, value_at = self._value(place + len(operator))
        return Condition(name, operator, value=value, at=start, op_at=place, value_at=value_at)

    def _operator(self, at: int) -> str | Condition | None:
        """The operator at `at`; for a regular expression, the whole condition."""
        written = _REGEX.match(self._text, at)
        if written:
            self._at = written.end()
            flags = "(?i)" if written[2] else ""
            return Condition("", "=~", flags + written[1], value_at=written.start(1) - len(flags))
        if _GLOB.match(self._text, at):
            return "~="
        found = _COMPARES.match(self._text, at)
        return found[0] if found else None

    def _value(self, at: int) -> tuple[str, int]:
        while self._text[at : at + 1].isspace():
            at += 1
        quoted = _QUOTED.match(self._text, at)
        if quoted:
            self._at = quoted.end()
            return _unescaped(quoted[1], quoted=True), at + 1
        self._at = _end(_UNQUOTED.match(self._text, at))
        return _unescaped(self._text[at : self._at].strip(), quoted=False), at

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _skip_space(self) -> None:
        while self._peek().isspace():
            self._at += 1


def _end(found: re.Match[str] | None) -> int:
    assert found is not None  # these patterns also match nothing
    return found.end()
