"""The rules of a guard as values: what a file of rules says, built in or the user's own."""

from __future__ import annotations

from hashlib import sha256
from typing import Literal, TypeAlias, get_args

import msgspec
from msgspec import Struct
from msgspec.structs import replace

__all__ = ["LEVELS", "Allow", "Deliver", "Level", "Rule", "Rules", "rank"]

Level: TypeAlias = Literal["off", "note", "warn", "stop"]
LEVELS: tuple[Level, ...] = get_args(Level)


def rank(level: str, /) -> int:
    """How strict a level is."""
    return LEVELS.index(level) if level in LEVELS else 0


class Allow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a rule allows: every member that is given fits, as a shell pattern."""

    path: str = ""
    host: str = ""
    agent: str = ""
    workspace: str = ""
    program: str = ""
    command: str = ""
    tool: str = ""
    because: str = ""


class Rule(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One rule. `place` is where it stands; `means` and `misses` are the paragraph of a built-in rule."""

    name: str
    when: str
    do: Level = "warn"
    because: str = ""
    allow: tuple[Allow, ...] = ()
    place: str = ""
    built_in: bool = False
    means: str = ""
    misses: str = ""


class Deliver(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One destination of alerts; exactly one of the first six is given. `level`: from it on."""

    command: tuple[str, ...] = ()
    webhook: str = ""
    journald: bool = False
    desktop: bool = False
    file: str = ""
    plugin: str = ""
    level: Literal["warn", "stop"] = "warn"
    deadline_s: float = 10.0


class Rules(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All rules that hold together, the named lists, and where alerts go."""

    rules: tuple[Rule, ...] = ()
    lists: dict[str, tuple[str, ...]] = {}
    deliver: tuple[Deliver, ...] = ()

    @property
    def sha256(self) -> str:
        """Of what they say, without where it stands."""
        said = [(rule.name, rule.when, rule.do, rule.allow) for rule in self.rules]
        return sha256(msgspec.json.encode((said, sorted(self.lists.items())))).hexdigest()

    @property
    def text(self) -> str:
        """As JSON, without where alerts go: that may name secrets, and holds from the start of a run."""
        return msgspec.json.encode(replace(self, deliver=())).decode()

    def named(self, name: str, /) -> Rule | None:
        return next((rule for rule in self.rules if rule.name == name), None)
