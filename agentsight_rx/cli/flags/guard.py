"""The flags of the guard -> the rules whose alerts a graph makes."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, TypeVar

from msgspec.structs import replace

from ...core.messages import say
from ...policy.rules.guard.values import Rules
from ..places.own_files import own_file
from ..places.stores import recorded
from .group import FILTERS, Group, flag

if TYPE_CHECKING:
    from ...graphs import TraceOptions
    from ...runtime.recording.guard_file import LoadedRules
    from ...sources.opened import SourceOptions


RULES_FILE = "guard.toml"
S = TypeVar("S", bound="SourceOptions")


def given_rules(file: Path | None, *, folder: Path | None = None) -> Rules:
    """The built-in rules with the rules in `file`, else in the user's own, and in the workspace of `folder`."""
    from ...runtime.recording.guard_file import guard_rules

    return guard_rules(file, own=own_file(RULES_FILE), folder=folder)


class Guard(Group, frozen=True):
    """Alerts of what agents do."""

    concerned: ClassVar[tuple[str, ...] | None] = ()  # a command of one source sees too little of an agent

    guard: Annotated[bool, flag(FILTERS, "--guard", "Alerts where an agent breaks a rule.")] = False
    guard_rules: Annotated[Path | None, flag(FILTERS, "--guard-rules", "Alerts by the rules in this file.", "FILE")] = None

    @property
    def is_on(self) -> bool:
        return self.guard or self.guard_rules is not None

    def over(self, options: TraceOptions, *, folder: Path | None = None, reloads: bool = False) -> TraceOptions:
        """
        The options with the rules, where they are asked for. `reloads`: the file is looked at again while the capture runs.
        Raises UsageError where a rule is wrong.
        """
        if not self.is_on:
            return options
        from ...runtime.recording.guard_file import RulesFile, priced_by
        from ...runtime.recording.price_file import load_prices

        rules = given_rules(self.guard_rules, folder=folder)
        file = self.guard_rules or own_file(RULES_FILE)
        looked = RulesFile(file, rules, say) if reloads and file is not None else None
        priced = priced_by(load_prices(None), rules)
        return replace(options, guard=rules, priced=priced, rules_file=looked)

    def loaded(self, options: TraceOptions) -> LoadedRules | None:
        """The rules of these options, which can be read anew from where they are from; None without a guard."""
        if options.guard is None:
            return None
        from ...runtime.recording.guard_file import LoadedRules

        name = str(self.guard_rules or own_file(RULES_FILE) or RULES_FILE)
        return LoadedRules(partial(given_rules, self.guard_rules), name, options.guard, say)

    def knowing(self, options: TraceOptions, *, folder: Path | None = None) -> TraceOptions:
        """Add the homes of users and the hosts of earlier recordings, for a capture. A `folder` chooses its workspace alone."""
        if options.guard is None:
            return options
        from ...runtime.recording.guard_file import hosts_of

        return replace(self.living_here(options), known_hosts=hosts_of(recorded(), folder))

    def living_here(self, options: TraceOptions) -> TraceOptions:
        """Add the homes of users of this machine, for a capture."""
        if options.guard is None:
            return options
        from ...runtime.recording.guard_file import homes_here

        return replace(options, known_homes=homes_here())

    def recognising(self, options: S, *, folder: Path | None = None) -> S:
        """Have the source of files recognise secret files of this machine, and in a `folder`, under any name."""
        if not self.is_on or options.files is None:
            return options
        from ...runtime.recording.guard_file import homes_here
        from ...runtime.recording.seen_file import secret_files

        patterns = given_rules(self.guard_rules, folder=folder).lists.get("secrets", ())
        return replace(options, files=replace(options.files, known=secret_files(patterns, homes_here(), folder)))
