"""
The text of a regular expression -> the expression, compiled when it is first used.

A capture has 400 of them, and compiling all takes 80 ms of a start, before the command of a person runs. Behind its first use
one is as fast as any other: its methods are those of the compiled one.
"""

from __future__ import annotations

import re
from typing import AnyStr, cast

_METHODS = ("search", "match", "fullmatch", "split", "findall", "finditer", "sub", "subn", "scanner")
_VALUES = ("flags", "groups", "groupindex")


def regex(text: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """As `re.compile`, except that a mistake in the text is found by the first use."""
    return cast("re.Pattern[AnyStr]", Late(text, flags))


class Late:
    def __init__(self, text: str | bytes, flags: int) -> None:
        self.pattern, self.options = text, flags

    def __getattr__(self, name: str) -> object:
        if name not in _METHODS and name not in _VALUES:
            raise AttributeError(name)
        compiled = re.compile(self.pattern, self.options)
        vars(self).update({each: getattr(compiled, each) for each in (*_METHODS, *_VALUES)})
        return vars(self)[name]

    def __repr__(self) -> str:
        return f"regex({self.pattern!r})"
