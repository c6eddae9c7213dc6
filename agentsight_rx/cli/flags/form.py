"""--json and --text -> which of both a command writes to standard output."""

from typing import Annotated

from ...core.errors import UsageError
from .group import HOW, Group, flag

__all__ = ["TEXT", "Form", "asks_for_json"]

TEXT = "Text, also where there is no terminal."


class Form(Group, frozen=True):
    """Of a command that writes text unless JSON is asked for."""

    json_lines: Annotated[bool, flag(HOW, "--json", "JSON, a value a line.")] = False
    text: Annotated[bool, flag(HOW, "--text", "Text, as without --json.")] = False

    @property
    def as_json(self) -> bool:
        return asks_for_json(json_lines=self.json_lines, text=self.text, otherwise=False)


def asks_for_json(*, json_lines: bool, text: bool, otherwise: bool) -> bool:
    """`otherwise`: what holds where neither is given."""
    if json_lines and text:
        raise UsageError("--json and --text do not go together; give one of them")
    return json_lines or (otherwise and not text)
