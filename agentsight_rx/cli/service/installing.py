"""agentsight-rx service install, service uninstall: the unit, and all that it leaves on a machine."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from ...core.errors import UnwritableError, UsageError
from ...core.files import why, written_whole
from ...runtime.service.unit import CACHE, OF_USERS, RECORDINGS, RUNTIME, UNIT, UNIT_FILE, Needs, unit_text
from ...runtime.service.users.places import USERS
from ..flags.group import OUT, flag
from ..values import bytes_of
from .systemd import backs_off, is_running, systemctl

__all__ = ["install", "uninstall"]

_MEMORY_LEAST = 500 << 20  # a capture of all sources takes 250 MB while agents run, and the trial of the probes as much
_OWN = 0.7  # of the limit: what a recorder may take itself, before the kernel's own pages count

Root = Annotated[Path, flag(OUT, "--root", "The root of the machine, such as that of an image.", "PATH")]
DryRun = Annotated[bool, flag(OUT, "--dry-run", "Print what would be done, and do nothing.")]


def install(
    *,
    options: Annotated[
        list[str] | None,
        typer.Argument(metavar="-- FLAGS...", help="Flags of `watch`, such as --guard.", rich_help_panel=OUT),
    ] = None,
    memory: Annotated[str, flag(OUT, "--memory", "The most memory that it may take.", "SIZE")] = "1GB",
    processor: Annotated[int, flag(OUT, "--processor", "The most of one core.", "PERCENT", min=5, max=800)] = 100,
    root: Root = Path("/"),
    dry_run: DryRun = False,
) -> None:
    """Install the recorder of this machine as a service, and start it: `watch` with these flags and no needless right."""
    size = bytes_of(memory, "--memory") or 0
    if size < _MEMORY_LEAST:
        raise UsageError(f"--memory {memory!r} is too little for a capture: give at least {_MEMORY_LEAST >> 20}MB")
    text = unit_text(_needs(tuple(options or ()), size, processor))
    path = _below(root, UNIT_FILE)
    if dry_run:
        typer.echo(f"{path}:\n{text}\nsystemctl enable --now {UNIT}")
        return
    _check(root)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path, replace=True) as file:
            file.write(text.encode())
        path.chmod(0o644)
    except OSError as error:
        raise UnwritableError(f"{path} cannot be written: {why(error, path)}") from error
    typer.echo(f"wrote {path}")
    if root == Path("/"):
        systemctl("daemon-reload")
        systemctl("enable", UNIT)
        systemctl("restart", UNIT)
        typer.echo(f"{UNIT} runs; `agentsight-rx service status` shows what it does")


def uninstall(
    *,
    keep_recordings: Annotated[bool, flag(OUT, "--keep-recordings", "Leave what was recorded.")] = False,
    root: Root = Path("/"),
    dry_run: DryRun = False,
) -> None:
    """Stop the service and remove it, with its recordings and its compiled programs. Your configuration stays."""
    if dry_run:
        removed = (f"remove {path}" for path in _left(root, keep_recordings=keep_recordings))
        typer.echo("\n".join([f"systemctl disable --now {UNIT}", *removed]))
        return
    _check(root)
    if root == Path("/") and _below(root, UNIT_FILE).exists():
        systemctl("disable", "--now", UNIT)
    left = list(_left(root, keep_recordings=keep_recordings))  # systemd has removed the link and the runtime directory
    for path in left:
        try:
            _remove(path)
        except OSError as error:
            raise UnwritableError(f"{path} cannot be removed: {error.strerror}") from error
        typer.echo(f"removed {path}")
    if root == Path("/") and is_running():
        systemctl("daemon-reload")
    if not left:
        typer.echo("nothing of it was there")


def _needs(options: tuple[str, ...], memory: int, processor: int) -> Needs:
    from ...sources.kernel.features import wanted_capabilities  # asks the kernel

    own = f"--max-memory={int(memory * _OWN) >> 20}M"
    capabilities = wanted_capabilities()
    if "--no-users" not in options or any(word.startswith("--share-with") for word in options):
        capabilities = (*capabilities, *OF_USERS)
    if any(word.startswith("--guard") for word in options):
        capabilities = (*capabilities, "CAP_KILL")  # a rule may stop an agent of another user
    return Needs(
        program=(sys.executable, "-m", "agentsight_rx"),
        options=(own, *options),
        capabilities=capabilities,
        memory=memory,
        processor=processor,
        backs_off=backs_off(),
    )


def _left(root: Path, *, keep_recordings: bool) -> Iterator[Path]:
    """All that is there of what the service leaves, but for the configuration, which a person writes; docs/operations.md."""
    link = f"/etc/systemd/system/multi-user.target.wants/{UNIT}"
    recordings = () if keep_recordings else (RECORDINGS, str(USERS))
    every = (UNIT_FILE, link, CACHE, RUNTIME, *recordings)
    return (path for name in every if (path := _below(root, name)).exists() or path.is_symlink())


def _below(root: Path, path: str) -> Path:
    return root / path.lstrip("/")


def _check(root: Path) -> None:
    if root == Path("/") and os.geteuid() != 0:
        raise UsageError("a service of the machine is root's: run it with sudo")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
