"""agentsight-rx service: the recorder of this machine as a service of systemd."""

from __future__ import annotations

import typer

from ..flags.group import flattened
from ..program.lazy import lazy_group

__all__ = ["service"]

_COMMANDS = {
    "install": ("installing", "install"),
    "status": ("installing", "status"),
    "logs": ("installing", "logs"),
    "uninstall": ("installing", "uninstall"),
}
service = typer.Typer(
    cls=lazy_group(__name__, _COMMANDS, wrapped=flattened),
    help="The recorder of this machine as a service of systemd: install, status, logs, uninstall.",
    no_args_is_help=True,
)


@service.callback()
def _service() -> None:
    """The recorder of this machine as a service of systemd: install, status, logs, uninstall."""
