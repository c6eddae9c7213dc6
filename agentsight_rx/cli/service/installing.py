"""agentsight-rx service: install, status, logs and uninstall: the unit, and all that it leaves on a machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from ...core.errors import CaptureError, UnwritableError, UsageError
from ...core.files import why, written_whole
from ...runtime.service.unit import CACHE, OF_USERS, RECORDINGS, RUNTIME, UNIT, UNIT_FILE, Needs, unit_text
from ...runtime.service.users.places import USERS
from ...store.words import data_size
from ..flags.filters import Form
from ..flags.group import HOW, OUT, flag
from ..program.errors import write_line
from ..values import bytes_of

# -- systemd -------------------------------------------------------------------------------------------------------
# systemctl and journalctl -> what they print, or a sentence where they fail.


_BACKS_OFF = 254  # the first version that can wait longer before each further start
_MANAGER = Path("/run/systemd/system")  # is there where systemd is the first process (sd_booted(3))


def is_running() -> bool:
    """systemd runs this machine."""
    return _MANAGER.is_dir()


def systemctl(*words: str) -> str:
    """What `systemctl` prints. Raises CaptureError where it fails, or systemd does not run this machine."""
    if not is_running():
        raise CaptureError("systemd does not run this machine: start `agentsight-rx watch` by what runs services here")
    return said("systemctl", *words)


def said(*command: str) -> str:
    """What a program prints. Raises CaptureError where it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise CaptureError(f"{command[0]} cannot be run: {error.strerror}") from error
    if done.returncode:
        raise CaptureError(f"`{' '.join(command)}` failed: {done.stderr.strip() or f'status {done.returncode}'}")
    return done.stdout


def version() -> int | None:
    """Of the systemd that is installed; None where none is, or it does not say."""
    try:
        words = said("systemctl", "--version").split()
    except CaptureError:
        return None
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else None


def backs_off() -> bool:
    """It can wait longer before each further start of a service; so it is where its version is not known."""
    return (version() or _BACKS_OFF) >= _BACKS_OFF


# -- asking --------------------------------------------------------------------------------------------------------
# agentsight-rx service status, service logs: what systemd says of the recorder.


_ASKED = ("LoadState", "ActiveState", "SubState", "StatusText", "MainPID", "NRestarts", "MemoryCurrent", "ActiveEnterTimestamp")
_RUNS = "active"
_NOT_RUNNING = 3  # the exit status of `systemctl status` and of LSB's scripts


def status(*, form: Form) -> int:
    """What the recorder does, and whether it runs: exits with 0 where it does, else with 3."""
    text = systemctl("show", UNIT, "--property", ",".join(_ASKED))
    found = {name: value for name, _, value in (line.partition("=") for line in text.splitlines())}
    if form.as_json:
        write_line(msgspec.json.encode({name: found.get(name, "") for name in _ASKED}).decode())
    else:
        typer.echo("\n".join(_lines(found)))
    return 0 if found.get("ActiveState") == _RUNS else _NOT_RUNNING


def _lines(found: Mapping[str, str]) -> Iterator[str]:
    if found.get("LoadState") == "not-found":
        yield "it is not installed; `agentsight-rx service install` installs it"
        return
    since = found.get("ActiveEnterTimestamp", "")
    runs = found.get("ActiveState") == _RUNS
    yield (
        f"recording since {since}, process {found.get('MainPID', '')}"
        if runs
        else f"it does not run: {found.get('SubState', '')}"
    )
    if found.get("StatusText"):
        yield f" {found['StatusText']}"
    if (restarts := found.get("NRestarts", "0")) != "0":
        yield f" started anew {restarts} times; `agentsight-rx service logs` says why"
    if found.get("MemoryCurrent", "").isdecimal():
        yield f" its control group takes {data_size(int(found['MemoryCurrent']))}"


def logs(
    *,
    follow: Annotated[bool, flag(HOW, "-f --follow", "Go on as lines come.")] = False,
    lines: Annotated[int, flag(HOW, "-n --lines", "The newest so many.", "N", min=1)] = 100,
    form: Form,
) -> None:
    """What the recorder said, from the journal."""
    words = ["journalctl", "--unit", UNIT, "--lines", str(lines), "--no-pager", *(["--follow"] if follow else [])]
    words += ["--output", "json"] if form.as_json else []
    try:
        os.execvp(words[0], words)
    except OSError as error:
        raise CaptureError(f"{words[0]} cannot be run: {error.strerror}") from error


# ------------------------------------------------------------------------------------------------------------------------


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
    if "--no-users" not in options or "--past" in options or any(word.startswith("--share-with") for word in options):
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
