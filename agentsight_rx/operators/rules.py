"""Filter text -> a predicate: the grammar that TLS and HTTP rules share, with errors that point at the place."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Generic, NoReturn, TypeAlias, TypeVar

from ..errors import UsageError

__all__ = ["Condition", "Fields", "compile_rule"]

E = TypeVar("E")
E_contra = TypeVar("E_contra", contravariant=True)

Predicate: TypeAlias = Callable[[E], bool]
# (operator, value) -> predicate; raises ValueError with what would be right
Condition: TypeAlias = Callable[[str, str], Predicate[E]]
Fields: TypeAlias = Mapping[str, Condition[E]]

_OPERATORS = (">=", "<=", "!=", "=", ">", "<", "~")
_ESCAPES = {"r": "\r", "n": "\n", "t": "\t", "\\": "\\", '"': '"', "|": "|", "&": "&", "(": "(", ")": ")"}


def compile_rule(
    text: str,
    fields: Fields[E],
    *,
    other: Callable[[str], Condition[E] | None] = lambda _: None,
    bare: Callable[[str], Predicate[E]] | None = None,
) -> Predicate[E]:
    """
    Compile `text` once; the result is called for each event.

        rule := all ('|' all)*      all := one ('&' one)*      one := '(' rule ')' | FIELD OP VALUE | nothing

    OP is one of `= != ~ > < >= <=` (`~`: contains), found from the left. A value runs up to the next `|`, `&` or closing
    parenthesis, is trimmed, and may contain `\\r \\n \\t \\\\ \\" \\| \\& \\( \\)`. Nothing never matches. `other` may know
    fields that are not in the table, `bare` what text without an operator means (else it must be a field, and never
    matches). Raises UsageError with the place marked.
    """
    try:
        return _Parser(text, fields, other, bare).rule()
    except RecursionError:
        raise UsageError(f"filter: too many parentheses inside each other\n  {text}\n  ^") from None


class _Parser(Generic[E]):
    def __init__(
        self,
        text: str,
        fields: Fields[E],
        other: Callable[[str], Condition[E] | None],
        bare: Callable[[str], Predicate[E]] | None,
    ) -> None:
        self._text = text
        self._fields = fields
        self._other = other
        self._bare = bare
        self._at = 0

    def rule(self) -> Predicate[E]:
        found = self._any()
        if self._at < len(self._text):
            self._fail("a ')' that nothing opened", self._at)
        return found

    def _any(self) -> Predicate[E]:
        parts = [self._all()]
        while self._peek() == "|":
            self._at += 1
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else lambda event: any(part(event) for part in parts)

    def _all(self) -> Predicate[E]:
        parts = [self._one()]
        while self._peek() == "&":
            self._at += 1
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else lambda event: all(part(event) for part in parts)

    def _one(self) -> Predicate[E]:
        self._skip_space()
        if self._peek() == "(":
            opened = self._at
            self._at += 1
            inner = self._any()
            if self._peek() != ")":
                self._fail("a '(' that nothing closes", opened)
            self._at += 1
            self._skip_space()
            if self._peek() not in ("", "|", "&", ")"):
                self._fail("text behind a ')'; write '&' or '|' between two conditions", self._at)
            return inner
        start = self._at
        while self._at < len(self._text) and self._text[self._at] not in "|&)":
            self._at += 2 if self._text[self._at] == "\\" else 1
        self._at = min(self._at, len(self._text))
        return self._condition(self._text[start : self._at], start)

    def _condition(self, text: str, start: int) -> Predicate[E]:
        if not text.strip():
            return _never
        place, operator = min(
            ((text.find(each), each) for each in _OPERATORS if each in text), key=lambda found: (found[0], -len(found[1])),
            default=(-1, ""),
        )  # fmt: skip
        name = (text if place < 0 else text[:place]).strip()
        if place < 0 and self._bare:
            return self._bare(_unescape(name))
        condition = self._fields.get(name) or self._other(name)
        at = start + len(text) - len(text.lstrip())
        if condition is None:
            near = difflib.get_close_matches(name, self._fields, 1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(self._fields))}"
            self._fail(f"unknown field {name!r}; {hint}", at)
        if place < 0:
            return _never
        try:
            return condition(operator, _unescape(text[place + len(operator) :].strip()))
        except ValueError as error:
            self._fail(str(error), start + place)

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _skip_space(self) -> None:
        while self._peek().isspace():
            self._at += 1

    def _fail(self, what: str, at: int) -> NoReturn:
        raise UsageError(f"filter: {what}\n  {self._text}\n  {' ' * at}^")


def _never(_: object) -> bool:
    return False


def _unescape(text: str) -> str:
    out: list[str] = []
    at = 0
    while at < len(text):
        if text[at] == "\\" and text[at + 1 : at + 2] in _ESCAPES and at + 1 < len(text):
            out.append(_ESCAPES[text[at + 1]])
            at += 2
        else:
            out.append(text[at])
            at += 1
    return "".join(out)
