"""agentsight-rx guard: the rules, their test on recordings, one alert whole, and stopped agents."""

from __future__ import annotations

import typer

from ..flags.group import flattened
from ..program.lazy import lazy_group

__all__ = ["guard"]


_COMMANDS = {
    "list": ("rules_list", "list_rules"),
    "test": ("tried", "try_rules"),
    "explain": ("rules_list", "explain"),
    "continue": ("halted", "continue_agent"),
    "end": ("halted", "end_agent"),
}
guard = typer.Typer(
    cls=lazy_group(__name__, _COMMANDS, wrapped=flattened),
    help="The rules of the guard: list them, try them on recordings, explain an alert.",
    no_args_is_help=True,
)


@guard.callback()
def _guard() -> None:
    """The rules of the guard: list them, try them on recordings, explain an alert."""
